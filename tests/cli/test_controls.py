"""Holds, freezes, blocks and what a rollback brings with it, as commands on a real project."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import Stopped
from prefect_sluice.domain.promotion import Decision, State
from prefect_sluice.promotions.request import ReleaseRequest, RollbackRequest
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.stages import deploy
from prefect_sluice.stages.approve import record
from prefect_sluice.state.lease import hold_lease, this_process
from prefect_sluice.workspace.workspace import Workspace

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SOURCED = {
    "models/orders.sql": "select id, amount from {{ source('raw', 'orders') }}\n",
    "models/sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: orders}]}]\n",
}


def environment(run: Run, folder: Path, name: str = "dev") -> dict[str, Any]:
    """Return what status says of an environment."""
    return json.loads(run("status", "-C", folder, "--env", name, "--json").out)["environments"][0]


def events(run: Run, folder: Path) -> list[str]:
    """Return what the ledger holds of controls and rollbacks."""
    store = Workspace.at(folder).store
    found = [entry.event for entry in store.entries()]
    store.close()
    return [event for event in found if event.split(".")[0] in {"hold", "freeze", "block", "rollback"}]


def test_a_hold_stops_release_and_refresh_until_it_is_lifted(run: Run, released: Path) -> None:
    answer = run("hold", "dev", "--reason", "close of books", "-C", released, "--as", "Grace")
    assert (answer.code, answer.err) == (0, "")
    assert re.match(r"held: dev is held by Grace since .* UTC: close of books; lift it: sluice", answer.out)
    again = run("hold", "dev", "--reason", "close of books", "-C", released, "--as", "Grace", "--json")
    assert (again.code, json.loads(again.out)["fresh"]) == (0, False)
    for command in ("release", "refresh"):
        stopped = run(command, "-C", released)
        assert stopped.code == 1
        assert stopped.out == ""
        left_out = "skipped: " if command == "refresh" else ""
        told = (
            rf"sluice: {left_out}dev is held by Grace since \d{{4}}-\d\d-\d\d \d\d:\d\d UTC: close of books;"
            r" lift it first: sluice unhold dev --reason WHY\n"
        )
        assert re.fullmatch(told, stopped.err)
    shown = run("status", "-C", released).out
    assert re.search(r"held +by Grace since .*: close of books", shown)
    assert re.search(r"refresh +skipped .* UTC, .*: dev is held", shown)
    assert environment(run, released)["refresh"]["status"] == "skipped"
    assert [item["kind"] for item in environment(run, released)["controls"]] == ["hold"]
    assert environment(run, released, "prod")["controls"] == []
    lifted = run("release-hold", "dev", "--reason", "books closed", "-C", released, "--as", "Grace")
    assert (lifted.code, lifted.out) == (0, "lifted: hold by Grace: close of books\n")
    assert run("refresh", "-C", released).code == 0
    assert events(run, released) == ["hold.placed", "hold.lifted"]
    history = run("history", "-C", released).out
    assert "close of books" in history
    assert "books closed" in history


def test_a_freeze_of_everything_ends_by_itself(
    run: Run, released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = run("freeze", "--all", "--reason", "peak", "--until", "2h", "-C", released, "--as", "Ada")
    assert answer.code == 0
    assert "every environment is frozen until" in answer.out
    assert run("release", "--env", "prod", "-C", released).code == 1
    assert run("refresh", "-C", released).code == 1
    assert [item["environment"] for item in environment(run, released, "prod")["controls"]] == ["*"]
    nothing = run("release-hold", "dev", "--reason", "x", "-C", released)
    assert nothing.code == 1
    assert "nothing stops dev by itself" in nothing.err
    assert "sluice unfreeze --all --reason WHY" in nothing.err
    from prefect_sluice.runtime import process

    later = datetime.now(UTC) + timedelta(hours=3)
    monkeypatch.setattr(process, "now", lambda: later)
    assert run("refresh", "-C", released).code == 0
    assert environment(run, released)["controls"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hold", "nowhere", "--reason", "x"), "there is no environment 'nowhere'"),
        (("hold", "dev"), "Missing option '--reason'"),
        (("hold", "dev", "--reason", " "), "it needs a reason"),
        (("freeze", "--reason", "x"), "it is not said where; name one environment, or say --all"),
        (("freeze", "dev", "--all", "--reason", "x"), "both 'dev' and --all were given"),
        (("freeze", "dev", "--reason", "x", "--until", "2020-01-01"), "'2020-01-01' is past"),
        (("freeze", "dev", "--reason", "x", "--until", "soon"), "'soon' is no time: write 12h"),
        (("block", "zzz", "--reason", "x"), "no release 'zzz'"),
        (("release-hold", "zzz", "--reason", "x"), "no environment and no release 'zzz'"),
        (("release-hold", "--reason", "x"), "it is not said where"),
    ],
)
def test_bad_input(run: Run, shared: Path, arguments: tuple[str, ...], message: str) -> None:
    answer = run(*arguments, "-C", shared)
    assert answer.code == 2
    assert message in answer.err
    assert answer.err.count("\n") == 1


def test_nothing_to_lift(run: Run, shared: Path) -> None:
    answer = run("release-hold", "dev", "--reason", "x", "-C", shared)
    assert answer.code == 1
    assert "nothing is held, frozen or blocked at all" in answer.err


def test_a_blocked_release_goes_nowhere(run: Run, released: Path) -> None:
    """Generation 2 serves it: said in red with the way back; the way back passes a blocked one over."""
    bad = environment(run, released)["release"]["id"]
    answer = run("block", bad[:9], "--reason", "counts twice", "-C", released, "--as", "Bo")
    assert answer.code == 0
    assert "dev serves this release; go back: sluice rollback --env dev" in answer.out
    for command in (("refresh",), ("release", "HEAD~1"), ("release", "HEAD~1", "--env", "prod")):
        stopped = run(*command, "-C", released)
        assert stopped.code == 1
        assert "is blocked by Bo" in stopped.err
        assert "counts twice" in stopped.err
    status = run("status", "-C", released).out
    assert f"what serves here is bad: release {bad[:7]} is blocked by Bo" in status
    assert "go back: sluice rollback --env dev" in status
    assert "counts twice" in run("show", bad[:9], "-C", released).out
    assert run("rollback", "-C", released).code == 0
    forward = run("rollback", "--to", "2", "-C", released)
    assert forward.code == 1
    assert "is blocked by Bo" in forward.err
    first = environment(run, released)["release"]["id"]
    assert run("block", first[:9], "--reason", "as well", "-C", released).code == 0
    nowhere = run("rollback", "-C", released)
    assert nowhere.code == 1
    assert "generation 3 serves generation 1 again, and generation 1 is the first" in nowhere.err
    assert run("release-hold", bad[:12], "--reason", "it was not", "-C", released).code == 0
    assert run("rollback", "--to", "2", "-C", released, "--no-hold").code == 0


def test_going_back_under_a_freeze_is_said_aloud(run: Run, released: Path) -> None:
    run("freeze", "dev", "--reason", "peak", "-C", released, "--as", "Ada")
    answer = run("rollback", "-C", released, "--as", "Cy", "--reason", "wrong totals")
    assert answer.code == 0
    assert re.search(
        r"all the same: dev is frozen by Ada since .*: peak; a rollback is not stopped", answer.out
    )
    controls = environment(run, released)["controls"]
    assert [(item["kind"], item["reason"]) for item in controls] == [
        ("freeze", "peak"),
        ("hold", "rolled back from generation 2 by Cy: wrong totals"),
    ]
    stopped = run("release", "-C", released)
    assert stopped.code == 1
    assert "is frozen by Ada" in stopped.err
    lifted = run("release-hold", "dev", "--reason", "over", "-C", released, "--json")
    assert [item["kind"] for item in json.loads(lifted.out)["lifted"]] == ["freeze", "hold"]


def test_a_rollback_without_a_hold_leaves_the_environment_open(run: Run, released: Path) -> None:
    document = json.loads(run("rollback", "--no-hold", "-C", released, "--json").out)
    assert document["hold"] is None
    assert document["data_as_of"] is not None
    assert run("refresh", "-C", released).code == 0
    assert events(run, released) == []


@pytest.fixture
def sourced(project: Path, run: Run, commit: Callable[..., None]) -> Path:
    """A project that reads a source, released twice with a night's data in between."""
    for name, text in SOURCED.items():
        (project / name).write_text(text)
    load(project, 3)
    commit(project, "From the source")
    assert run("release", "-C", project).code == 0
    commit(project, "Dearer", customers="select 2 as id, 'Bo' as name\n")
    assert run("release", "-C", project).code == 0
    load(project, 5)
    return project


def load(folder: Path, rows: int) -> None:
    """Load so many orders."""
    with duckdb.connect(str(folder / "dev.duckdb")) as connection:
        connection.execute("create schema if not exists raw")
        sql = "create or replace table raw.orders as select range as id, 1 as amount from range($rows)"
        connection.execute(sql, {"rows": rows})


def served(folder: Path) -> tuple[int, str]:
    """Return how many orders readers see, and the customer."""
    with duckdb.connect(str(folder / "dev.duckdb"), read_only=True) as connection:
        ((orders,),) = connection.execute("select count(*) from orders").fetchall()
        ((name,),) = connection.execute("select name from customers").fetchall()
    return orders, name


def test_catching_up_passes_its_own_hold_and_no_freeze(run: Run, sourced: Path) -> None:
    """The older code on today's data; stopped half way by a freeze, the same command goes on and goes back no further."""
    assert served(sourced) == (3, "Bo")
    run("freeze", "--all", "--reason", "peak", "-C", sourced)
    half = run("rollback", "--catch-up", "-C", sourced)
    assert half.code == 1
    assert "prefect-sluice" not in half.err
    assert "not caught up: every environment is frozen" in half.out
    assert "then: sluice rollback --catch-up --env dev" in half.out
    assert served(sourced) == (3, "Ada")
    run("release-hold", "--all", "--reason", "over", "-C", sourced)
    assert run("refresh", "-C", sourced).code == 1
    done = run("rollback", "--catch-up", "-C", sourced, "--json")
    assert done.code == 0
    document = json.loads(done.out)
    assert document["catch_up"]["generation"]["cause"] == "refresh"
    assert served(sourced) == (5, "Ada")
    assert environment(run, sourced)["generation"]["number"] == 4
    assert len(environment(run, sourced)["controls"]) == 1
    assert events(run, sourced)[-1] == "rollback.caught-up"


def test_a_hold_placed_while_it_is_built_stops_it_before_the_flip(
    run: Run, released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The candidate stays, and goes on when the hold is lifted: nothing is built again, no approval asked again."""
    workspace = Workspace.at(released)
    promotion = workspace.store.promotions(environment="prod")[0]
    record(workspace, promotion, Decision.APPROVE, by="Bo")
    real = deploy.advance

    def late(*arguments: Any, **named: Any) -> Any:
        intent = real(*arguments, **named)
        assert run("hold", "prod", "--reason", "wait", "-C", released).code == 0
        return intent

    request = ReleaseRequest(released, "prod", "HEAD~1", actor="Ada")
    monkeypatch.setattr(deploy, "advance", late)
    with pytest.raises(Stopped, match="prod is held"):
        pipeline.run(request)
    monkeypatch.setattr(deploy, "advance", real)
    assert not (released / "prod.duckdb").exists() or environment(run, released, "prod")["generation"] is None
    stopped = workspace.store.promotion(promotion.id)
    assert stopped is not None
    assert stopped.state is State.DEPLOYING
    assert (released / ".sluice" / "candidates" / promotion.id).is_dir()
    assert run("release-hold", "prod", "--reason", "go", "-C", released).code == 0
    done = pipeline.run(request)
    assert done.promotion is not None
    assert (done.promotion.id, done.resumed) == (promotion.id, True)
    assert environment(run, released, "prod")["generation"]["number"] == 1


def test_a_refresh_plans_what_waits_again_only_when_it_publishes(
    run: Run, sourced: Path, commit: Callable[..., None]
) -> None:
    """One that finds nothing new leaves it waiting; one that moves the environment on plans it again, and the yes is kept."""
    settings = sourced / "sluice.yml"
    settings.write_text(
        settings.read_text().replace("dev: {target: dev}", "dev: {target: dev, approvals: 1}")
    )
    assert run("refresh", "-C", sourced).code == 0
    commit(sourced, "Third", customers="select 3 as id, 'Cy' as name\n")
    assert run("release", "-C", sourced).code == 3
    (first,) = environment(run, sourced)["open"]
    assert run("approve", first["id"], "-C", sourced).code == 0
    assert "unchanged" in run("refresh", "-C", sourced).out
    assert [item["id"] for item in environment(run, sourced)["open"]] == [first["id"]]
    load(sourced, 7)
    assert run("refresh", "-C", sourced).code == 0
    assert served(sourced) == (7, "Bo")
    (second,) = environment(run, sourced)["open"]
    assert second["id"] != first["id"]
    assert second["base"] == 4
    late = run("approve", first["id"], "-C", sourced)
    assert late.code == 1
    told = r"is superseded, .* \(dev moved on from generation 3 to 4 \(a refresh\): it is planned again\)"
    assert re.search(told, late.err)
    assert f"sluice approve {second['id']}" in late.err
    assert "moved on from generation 3 to 4" in run("history", "-C", sourced).out
    assert run("release", "-C", sourced).code == 0, "the yes to the attempt before is kept"

    commit(sourced, "Fourth", customers="select 4 as id, 'Di' as name\n")
    assert run("release", "-C", sourced).code == 3
    (third,) = environment(run, sourced)["open"]
    for control in (("hold", "dev"), ("block", third["release"][:12])):
        assert run(*control, "--reason", "close of books", "-C", sourced).code == 0
    given = run("approve", third["id"], "-C", sourced)
    assert given.code == 0
    assert given.out.count("it is not published before this is lifted: ") == 2, "all obstacles at once"
    shown = run("status", "-C", sourced).out
    assert f"release {third['release'][:7]} is blocked" in " ".join(shown.split())
    (blocked,) = environment(run, sourced)["open"]
    assert blocked["next"].startswith("sluice unblock ")


@contextmanager
def busy(folder: Path, name: str) -> Generator[None]:
    """Hold an environment's lease as another run of this process would."""
    store = Workspace.at(folder).store
    with hold_lease(store, name, this_process("Grace")):
        yield
    store.close()


def test_two_runs_in_one_process_exclude_each_other_and_the_one_that_waits_says_for_whom(
    run: Run, released: Path
) -> None:
    with busy(released, "dev"):
        answer = run("refresh", "-C", released)
        assert answer.code == 1
        assert re.search(
            r"environment 'dev' is being worked on by Grace on host \S+ \(pid \d+\) since \d{4}.*; wait for it \(--wait 10m\)",
            answer.err,
        )
        waited = run("rollback", "-C", released, "--wait", "1s")
        assert waited.code == 1
        (line, _) = waited.err.splitlines()
        assert re.match(
            r"waiting for Grace on host \S+ \(pid \d+\), at work on dev since .*; waited 0 s of 1 s", line
        )
        assert "at work  " in run("status", "-C", released).out
    assert run("refresh", "-C", released).code == 0


def outcome(work: Work) -> Status:
    """Return how it ended."""
    assert work.outcome is not None
    return work.outcome.status


def test_a_rollback_asked_for_twice_by_a_crash_is_one(run: Run, released: Path) -> None:
    """The hold comes with the generation, in one transaction: settled by whoever comes next, before anything else."""
    workspace = Workspace.at(released)
    request = RollbackRequest(released, "dev", actor="Ada")
    work = pipeline.run(request)
    assert work.promotion is not None
    assert outcome(work) is Status.DONE
    with workspace.store.transaction() as transaction:  # as if the outcome had not been written
        transaction.put_promotion(replace(work.promotion, state=State.DEPLOYING, generation=None))
    stopped = run("refresh", "-C", released)
    assert stopped.code == 1
    assert "rolled back from generation 2 by Ada" in stopped.err
    assert len(workspace.store.controls()) == 1


def test_each_kind_is_lifted_by_its_own_command_and_no_other(run: Run, released: Path) -> None:
    [served] = [item["release"] for item in [environment(run, released)["generation"]]]
    for words in (("hold", "dev"), ("freeze", "dev"), ("block", served[:12])):
        assert run(*words, "--reason", "x", "-C", released).code == 0
    left = {"hold", "freeze", "block"}
    for command, target in (("unhold", "dev"), ("unfreeze", "dev"), ("unblock", served[:12])):
        lifted = run(command, target, "--reason", "over", "-C", released, "--json")
        kind = command.removeprefix("un")
        left.remove(kind)
        assert [item["kind"] for item in json.loads(lifted.out)["lifted"]] == [kind]
        again = run(command, target, "--reason", "over", "-C", released)
        assert again.code == 1
        assert "nothing to lift" in again.err
    assert not left
    assert events(run, released)[-3:] == ["hold.lifted", "freeze.lifted", "block.lifted"]
