"""What cannot be served stops in Stage, whatever sluice.yml says of gates; and a promotion that cannot be published ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_sluice.domain.promotion import State
from prefect_sluice.gates.catalog import GATES
from prefect_sluice.stages.candidate import servable
from prefect_sluice.workspace.workspace import Workspace
from tests.cli.conftest import Run

SETTINGS = (
    "environments:\n  dev: {{target: dev}}\n  prod: {{target: prod, approvals: 1}}\n"
    "gates: {{build: {build}, diff: {{on: off}}, data_tests: {{on: warn}}}}\n"
)
WEAKENED = {
    "warns": "{on: warn}",
    "is off": "{on: off}",
    "is excepted": "{except: [{check: built, node: '*', reason: known, until: 2999-01-01}]}",
}


def nothing(*_: object) -> tuple[()]:
    """Find that all can be served."""
    return ()


def broken(folder: Path, commit: Callable[..., None], build: str) -> None:
    """Commit a model that cannot be built, and a gate `build` that lets it pass."""
    (folder / "sluice.yml").write_text(SETTINGS.format(build=build), encoding="utf-8")
    commit(folder, "No such column", orders="select range as id, nowhere as amount from range(30)\n")


@pytest.mark.parametrize("build", WEAKENED.values(), ids=WEAKENED)
def test_what_was_not_built_is_not_served(
    run: Run, released: Path, commit: Callable[..., None], build: str
) -> None:
    """Refused with dbt's reason, once and again; and the mended commit is released."""
    broken(released, commit, build)
    for _ in range(2):
        answer = run("release", "-C", released, "--as", "Ada")
        assert (answer.code, answer.err) == (1, "")
        assert "main.orders was not built, so it cannot be served, whatever gates.build says" in answer.out
        assert "stopped it in stage" in answer.out
    states = {item.state for item in Workspace.at(released).store.promotions(environment="dev", limit=2)}
    assert states == {State.REFUSED}
    commit(released, "Mended", orders="select range as id, range * 30 as amount from range(30)\n")
    assert run("release", "-C", released, "--as", "Ada").code == 0


def test_what_no_gate_looks_at_is_refused_as_that(
    run: Run, project: Path, commit: Callable[..., None]
) -> None:
    off = ", ".join(f"{gate}: {{on: off}}" for gate in GATES)
    (project / "sluice.yml").write_text(
        f"environments: {{dev: {{target: dev}}}}\ngates: {{{off}}}\n", encoding="utf-8"
    )
    commit(project, "Nobody looks")
    answer = run("release", "-C", project, "--as", "Ada")
    assert (answer.code, answer.err) == (1, "")
    assert (
        "no gate that is on looks at what this makes, and nothing is published unjudged: it stops in stage; "
        "next: let a gate judge it: gates: {build: {on: block}} in sluice.yml"
    ) in answer.out


def test_what_the_engine_cannot_publish_ends(
    run: Run, released: Path, commit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a candidate of an earlier version: one line, no promotion that stays `deploying`, and the next one goes."""
    broken(released, commit, "{on: warn}")
    with monkeypatch.context() as patch:
        patch.setattr(servable, "report", nothing)
        answer = run("release", "-C", released, "--as", "Ada")
    assert answer.code == 1
    assert "cannot be published, and has ended" in answer.err
    assert "nothing was published" in answer.err
    (last,) = Workspace.at(released).store.promotions(environment="dev", limit=1)
    assert last.state is State.FAILED
    commit(released, "Mended", orders="select range as id, range * 30 as amount from range(30)\n")
    assert run("release", "-C", released, "--as", "Ada").code == 0
