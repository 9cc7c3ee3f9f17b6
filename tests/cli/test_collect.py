"""`sluice collect` on a real project: what it says, what it leaves, and who keeps it out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.domain.errors import LeaseLost
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.runtime.process import now
from prefect_sluice.state.lease import hold_lease
from prefect_sluice.workspace.workspace import Workspace

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KEEP_ONE = (
    "environments:\n  dev: {target: dev, keep: {generations: 1, age: 0s}}\n"
    "  prod: {target: prod, approvals: 1}\nwarehouse: {patience: 1s}\n"
)


@pytest.fixture
def older(run: Run, released: Path) -> Path:
    """Dev at generation 4: two, one back again, and forth. One generation is to be kept."""
    (released / "sluice.yml").write_text(KEEP_ONE)
    assert run("rollback", "--no-hold", "-C", released).code == 0
    assert run("rollback", "--no-hold", "--to", "2", "-C", released).code == 0
    return released


def dropped(run: Run, folder: Path, *more: str) -> list[str]:
    """Return the relations that go, without the digits."""
    answer = run("collect", "-C", folder, "--json", *more)
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out)["warehouses"]
    names = [item["address"] for warehouse in found for item in warehouse["plan"]["relations"]]
    return [name.removeprefix("sluice_store.").partition("__")[0] for name in names]


def test_before_the_first_release_there_is_nothing(run: Run, project: Path) -> None:
    answer = run("collect", "-C", project)
    assert (answer.code, answer.out) == (0, "nothing to collect\n")
    assert not (project / ".sluice").exists()


def test_by_default_a_young_project_loses_nothing(run: Run, released: Path) -> None:
    assert dropped(run, released) == []


def test_the_way_back_stays(run: Run, older: Path) -> None:
    """Generations 1 and 3 are one table of pointers, 2 and 4 the other: both are needed."""
    assert dropped(run, older) == []
    assert run("rollback", "--no-hold", "-C", older).code == 0


def test_what_goes_is_said_before_it_goes(run: Run, older: Path, commit: Callable[..., None]) -> None:
    commit(older, "Cheap", orders="select range as id, range as amount from range(30)\n")
    assert run("release", "-C", older).code == 0
    before = (older / "dev.duckdb").read_bytes()
    assert dropped(run, older, "--dry-run") == ["orders", "totals"]
    assert (older / "dev.duckdb").read_bytes() == before
    answer = run("collect", "-C", older, "--as", "Ada")
    assert "2 relations dropped, 5 stay" in answer.out
    assert "cannot be served again: dev 1, 3" in answer.out
    assert "are free for what comes next" in " ".join(answer.out.split())
    assert run("collect", "-C", older).out.endswith("nothing to collect\n")
    history = run("history", "-C", older).out
    assert history.count("cannot be served again") == 2
    assert history.splitlines()[-1].endswith("unbroken")
    for to, told in (("1", "generation 1 was collected on"), ("3", "generation 3 was collected on")):
        answer = run("rollback", "--to", to, "-C", older)
        assert (answer.code, told in answer.err) == (1, True)
    assert run("doctor", "-C", older).code == 0
    assert run("rollback", "--no-hold", "-C", older).code == 0
    commit(older, "As at first", orders="select range as id, range * 10 as amount from range(30)\n")
    assert run("release", "-C", older).code == 0, "what was collected is built again"
    with duckdb.connect(str(older / "dev.duckdb"), read_only=True) as connection:
        assert connection.execute("from main.totals").fetchall() == [(30, 4350)]


def test_while_a_release_is_at_work_nothing_goes(run: Run, older: Path) -> None:
    workspace = Workspace.at(older)
    with hold_lease(workspace.store, "prod", "grace@elsewhere pid 1"):
        answer = run("collect", "-C", older)
        assert answer.code == 1
        assert "grace on host elsewhere" in answer.err
        assert run("collect", "-C", older, "--env", "dev").code == 0, "another file"
    workspace.store.close()
    assert run("collect", "-C", older).code == 0


def test_files_that_nothing_needs_go_and_the_waiting_candidate_stays(run: Run, older: Path) -> None:
    ours = older / ".sluice"
    for path in ours.rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    waiting = sorted((ours / "candidates").glob("*/*"))
    document = json.loads(run("collect", "-C", older, "--json").out)
    kinds = {item["kind"] for item in document["files"]}
    assert "checkout" in kinds
    assert sorted((ours / "candidates").glob("*/*")) == waiting
    assert run("doctor", "-C", older).code == 0
    status = json.loads(run("status", "-C", older, "--env", "prod", "--disk", "--json").out)
    promotion = status["environments"][0]["open"][0]
    assert status["disk"]["folders"]["candidates"] > 0
    assert run("approve", promotion["id"], "-C", older, "--yes", "--as", "Grace").code == 0
    assert run("release", "HEAD~1", "-C", older, "--env", "prod").code == 0


def test_a_collector_that_lost_a_lease_drops_nothing(released: Path) -> None:
    """All the leases are checked under one fence; one that another has by now is enough."""
    workspace = Workspace.at(released)
    store = workspace.store
    with (
        hold_lease(store, "dev", "ada@here pid 1") as dev,
        hold_lease(store, "prod", "ada@here pid 1") as prod,
    ):
        stale = Lease("prod", prod.lease.token - 1, prod.lease.holder, now(), now() + timedelta(minutes=1))
        with store.fenced(prod.lease, dev.lease, now=now()):
            pass
        with pytest.raises(LeaseLost), store.fenced(dev.lease, stale, now=now()):
            pytest.fail("it was let in")
    store.close()


def test_another_state_store_is_refused(run: Run, older: Path) -> None:
    (older / ".sluice").rename(older / "lost")
    for more in ((), ("--dry-run",)):
        answer = run("collect", "-C", older, *more)
        assert answer.code == 1
        assert "of which this state store knows nothing" in answer.err


def test_a_key_that_is_none(run: Run, released: Path) -> None:
    (released / "sluice.yml").write_text("environments: {dev: {keep: {generation: 3}}}\n")
    answer = run("collect", "-C", released)
    assert answer.code == 2
    assert "unknown key; did you mean 'generations'?" in answer.err
    (released / "sluice.yml").write_text("environments: {dev: {keep: {generations: 0}}}\n")
    assert run("collect", "-C", released).code == 2
