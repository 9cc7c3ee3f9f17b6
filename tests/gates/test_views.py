"""A gate is given the views that its check asks for, and no other one."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import ClassVar, get_type_hints

import pytest

from prefect_sluice import config, gates
from prefect_sluice.config import GateSettings as Settings
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import VIEWS, CandidateView, ReleaseView, Subject, ToolsView, ask_gate, views
from prefect_sluice.gates.catalog import GATES, gate_classes

SUBJECT = Subject(ReleaseView(Path(), {}, ("model.shop.x",)), CandidateView(no_baseline="none"))


@dataclass
class Curious:
    """A gate that keeps what it was given."""

    settings: Settings = field(default_factory=Settings)
    given: list[object] = field(default_factory=list[object])
    id: ClassVar[str] = "curious"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, tools: ToolsView, release: ReleaseView) -> GateReport:
        self.given += [tools, release]
        return GateReport(self.id, (Finding(self.id, "x", Verdict.PASSED, "fine"),))


def test_a_gate_is_given_what_it_asks_for() -> None:
    """In whatever order, and as it is."""
    gate = Curious()
    assert views(gate) == views(Curious) == ("tools", "release")
    assert gates.run(gate, SUBJECT, {}).verdict is Verdict.PASSED
    assert gate.given == [SUBJECT.tools, SUBJECT.release]
    assert ask_gate(gate, SUBJECT).verdict is Verdict.PASSED


def test_there_is_a_view_for_each_part_of_a_subject() -> None:
    hints = get_type_hints(Subject)
    assert {part.name: hints[part.name] for part in fields(Subject)} == VIEWS


@pytest.mark.parametrize("name", GATES)
def test_our_gates_ask_for_what_they_read_and_no_more(name: str) -> None:
    """That a view is of its type, the type checker cannot see: gates are asked by the names."""
    check = gate_classes()[name].check
    asked = views(gate_classes()[name])
    hints = get_type_hints(check)
    assert {view: hints[view] for view in asked} == {view: VIEWS[view] for view in asked}
    body = ast.parse(textwrap.dedent(inspect.getsource(check)))
    read = {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
    assert set(asked) <= read


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reads", "wrong"),
    [
        ("release.changed", ""),
        ("candidate.reader", '"candidate" is not defined'),
        ("release.reader", 'Cannot access attribute "reader"'),
    ],
)
def test_a_type_checker_finds_what_a_gate_reads_and_does_not_ask_for(
    tmp_path: Path, reads: str, wrong: str
) -> None:
    (tmp_path / "curious.py").write_text(
        f"from prefect_sluice.gates import ReleaseView\n\ndef check(release: ReleaseView) -> object:\n    return {reads}\n",
        encoding="utf-8",
    )
    settings = {"extraPaths": [str(Path(__file__).parents[2])]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    checker = Path(sys.executable).with_name("pyright")
    command = [str(checker), "--pythonpath", sys.executable, "curious.py"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (answer.returncode, wrong in answer.stdout) == (1 if wrong else 0, True), (
        answer.stdout + answer.stderr
    )
