"""The order of the stages stands in one place; what shows or runs it agrees."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.stage_order import WHOLE, stages_of
from prefect_sluice.promotions.work import Stage

ROOT = Path(__file__).parents[2]
NAMES = {*WHOLE, *stages_of(Cause.ROLLBACK)}
TASKS: dict[str, Stage] = {
    name: getattr(import_module(f"prefect_sluice.tasks.{name}"), name) for name in sorted(NAMES)
}
SHOWN = {
    "check": [Cause.CHECK],
    "release": [Cause.RELEASE],
    "refresh": [Cause.REFRESH],
    "promote": [Cause.PROMOTION],
    "promote_report": [Cause.PROMOTION],
    "rollback": [Cause.ROLLBACK, Cause.REFRESH],
    "answer": [Cause.RELEASE],
}
"""What the flows with stages are for, in the order in which they show it. An answer leaves out what its promotion has not."""


def orders(text: str, names: dict[str, str]) -> list[tuple[str, ...]]:
    """Return each tuple or list of stages in a module, by the names of the stages; `names` are what stages are called there."""
    found = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.Tuple | ast.List)]
    called = [[names.get(item.id, "") for item in each.elts if isinstance(item, ast.Name)] for each in found]
    return [tuple(each) for each in called if any(each)]


@pytest.mark.parametrize("flow", sorted(path.stem for path in (ROOT / "flows").glob("[a-z]*.py")))
def test_a_flow_shows_the_order_of_the_stages(flow: str) -> None:
    """A flow spells it out with its tasks; the pipeline runs it without Prefect."""
    module = vars(import_module(f"prefect_sluice.flows.{flow}"))
    names = {name: stage for stage, task in TASKS.items() for name, here in module.items() if here is task}
    text = (ROOT / "flows" / f"{flow}.py").read_text(encoding="utf-8")
    assert orders(text, names) == [stages_of(cause) for cause in SHOWN.get(flow, [])]


def in_order(found: ast.Tuple | ast.List) -> bool:
    """Say whether a literal lists stages, three or more, in their order."""
    named = [
        each.id if isinstance(each, ast.Name) else str(getattr(each, "value", "")) for each in found.elts
    ]
    places = [WHOLE.index(name) for name in named if name in WHOLE]
    return len(places) > 2 and places == sorted(places)


def test_no_second_list_of_the_same_order_stands_in_the_core() -> None:
    """A stage that is added is added in one place, and a way in cannot forget it."""
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("prefect_sluice", "tasks", "deployments")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for each in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(each, ast.Tuple | ast.List) and in_order(each)
    ]
    assert found == ["prefect_sluice/domain/stage_order.py"]
