"""Two machines that share URLs only: what one staged, the other deploys, and nobody builds it twice."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Decision, Promotion, State
from prefect_sluice.maintenance import collect
from prefect_sluice.maintenance.leftovers import LeftoverKind
from prefect_sluice.promotions.request import request_for
from prefect_sluice.promotions.work import Status, Work, listening
from prefect_sluice.runtime import process
from prefect_sluice.stages.approve import record
from prefect_sluice.workspace.workspace import Workspace
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Machine:
    """A clone of the project, with a `.sluice` of its own."""

    folder: Path

    def run(self, cause: Cause = Cause.RELEASE) -> tuple[Work, list[str]]:
        """Run the stages here; return the work and what they told."""
        said: list[str] = []
        with listening(said.append):
            return pipeline.run(request_for(cause, self.folder, "prod", actor="Ada")), said

    def staged(self) -> Promotion:
        """Stage a release that waits then."""
        work, _ = self.run()
        assert work.outcome is not None
        assert work.outcome.status is Status.WAITING
        assert work.promotion is not None
        return work.promotion

    def yes(self, promotion: Promotion) -> None:
        """Approve it."""
        record(Workspace.at(self.folder), promotion, Decision.APPROVE, by="Grace")

    def candidates(self) -> set[str]:
        """Return the promotions that have a candidate here."""
        folder = self.folder / ".sluice" / "candidates"
        return {path.name for path in folder.iterdir() if any(path.iterdir())} if folder.exists() else set()


@dataclass(frozen=True, slots=True)
class Team:
    """Two machines, and what they share: a repository, a warehouse, a state store, a bundle store."""

    base: Path
    a: Machine
    b: Machine

    def shelf(self) -> set[str]:
        """Return the promotions that have a candidate in the shared store."""
        folder = self.base / "bundles" / "candidates"
        return {path.name for path in folder.iterdir()} if folder.exists() else set()

    def amounts(self) -> list[tuple[object, ...]]:
        """Return what a reader sees."""
        with duckdb.connect(str(self.base / "shop.duckdb"), read_only=True) as connection:
            return connection.execute("select amount from main.orders").fetchall()

    def edit(self, amount: int) -> None:
        """Push another amount, and have both machines pull it."""
        for machine in (self.a, self.b):
            (machine.folder / "models" / "orders.sql").write_text(
                ORDERS.format(amount=amount), encoding="utf-8"
            )
            # Made by itself on each, and the same: author, time and content are.
            command = ["git", "commit", "-qam", f"{amount}", "--date", _WHEN]
            environ = {**process.environment(), "GIT_COMMITTER_DATE": _WHEN}
            subprocess.run(command, cwd=machine.folder, check=True, env=environ)


_WHEN = "2026-01-01T00:00:00Z"
ORDERS = "{{{{ config(materialized='table') }}}}\nselect 1 as id, {amount} as amount\n"


@pytest.fixture
def team(tmp_path: Path) -> Team:
    files = {
        "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
        "profiles.yml": f"shop: {{target: prod, outputs: {{prod: {{type: duckdb, path: {tmp_path}/shop.duckdb}}}}}}\n",
        "sluice.yml": f"state: sqlite:///{tmp_path}/state.db\nbundles: file://{tmp_path}/bundles\n",
        "models/orders.sql": ORDERS.format(amount=10),
    }
    a = repository(tmp_path / "a" / "shop", files)
    shutil.copytree(a, tmp_path / "b" / "shop")
    return Team(tmp_path, Machine(a), Machine(tmp_path / "b" / "shop"))


def test_what_one_staged_the_other_deploys_without_building(team: Team) -> None:
    promotion = team.a.staged()
    assert team.shelf() == {promotion.id}
    team.a.yes(promotion)
    done, said = team.b.run()
    assert done.outcome is not None
    assert (done.outcome.status, done.resumed) == (Status.DONE, True)
    assert not [line for line in said if line.startswith("building")]
    assert f"fetching the candidate of promotion {promotion.id} from the shared store" in said
    assert done.generation is not None
    assert {pointer.address.identifier.rpartition("_")[2] for pointer in done.generation.pointers} == {
        promotion.id[:6]
    }
    assert team.amounts() == [(10,)]
    assert (team.shelf(), team.b.candidates()) == (set(), set())

    # The other one's own copy goes with its next run, and one that was damaged there is fetched anew.
    assert team.a.candidates() == {promotion.id}
    team.edit(20)
    second = team.a.staged()
    team.a.yes(second)
    (copy,) = (team.a.folder / ".sluice" / "candidates" / second.id).iterdir()
    copy.write_bytes(b"not what was judged")
    _, said = team.a.run()
    assert f"fetching the candidate of promotion {second.id} from the shared store" in said
    assert not [line for line in said if line.startswith("building")]
    assert (team.amounts(), team.a.candidates(), team.shelf()) == ([(20,)], set(), set())


def test_finished_work_of_another_machine_is_taken(team: Team) -> None:
    """A superseded candidate serves the next attempt, wherever that runs."""
    team.a.yes(team.a.staged())
    team.a.run()
    team.edit(20)
    old = team.a.staged()
    # Another release goes first: the waiting one is superseded, and asked for again.
    subprocess.run(["git", "checkout", "-q", "-b", "other", "HEAD~1"], cwd=team.b.folder, check=True)
    (team.b.folder / "models" / "more.sql").write_text("select 1 as n\n", encoding="utf-8")
    for command in (["add", "-A"], ["commit", "-qm", "more"]):
        subprocess.run(["git", *command], cwd=team.b.folder, check=True)
    team.b.yes(team.b.staged())
    team.b.run()
    superseded = Workspace.at(team.b.folder).store.promotion(old.id)
    assert superseded is not None
    assert superseded.state is State.SUPERSEDED
    assert team.shelf() == {old.id}
    for command in (["checkout", "-q", "main"], ["merge", "-q", "--no-edit", "other"]):  # what serves stays
        subprocess.run(["git", *command], cwd=team.b.folder, check=True)
    _, said = team.b.run()
    assert f"taking 1 relation from promotion {old.id}" in said


def test_collect_removes_what_is_left_in_the_shared_store(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = team.a.staged()
    record(Workspace.at(team.a.folder), promotion, Decision.REJECT, by="Grace")
    left = team.base / "bundles" / "candidates"
    shutil.copytree(left, team.base / "kept")
    team.a.run()
    assert team.shelf() == set()
    shutil.copytree(team.base / "kept", left, dirs_exist_ok=True)  # a process that died before it had tidied
    shutil.copytree(team.base / "kept" / promotion.id, left / "anothers")
    assert collect.collect(collect.CollectRequest(team.b.folder)).files == ()
    later = process.now() + timedelta(days=2)
    monkeypatch.setattr(process, "now", lambda: later)
    seen = collect.collect(collect.CollectRequest(team.b.folder, dry_run=True))
    assert [(item.path.name, item.kind) for item in seen.files] == [(promotion.id, LeftoverKind.SHARED)]
    collect.collect(collect.CollectRequest(team.b.folder))
    assert team.shelf() == {"anothers"}
