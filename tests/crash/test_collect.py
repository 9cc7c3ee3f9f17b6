"""Kill -9 at every point of a collection, then the same command again: the end is the same as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.domain import ledger
from prefect_sluice.promotions.controls import lift
from prefect_sluice.runtime.faults import FaultPoint
from prefect_sluice.workspace.workspace import Workspace
from tests.crash.watching import Nursery
from tests.policies import put_in_force

POINTS = (
    FaultPoint.COLLECT_INTENT,
    FaultPoint.COLLECT_DROPPED,
    FaultPoint.COLLECT_COMMITTED,
    FaultPoint.COLLECT_FILES,
)

pytestmark = [
    pytest.mark.crash,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("collect"),
]


@pytest.fixture(scope="module")
def full(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases, one kept, and files of long ago that nothing needs."""
    folder = tmp_path_factory.mktemp("full") / "shop"
    nursery.scene("make", folder)
    assert nursery.go(folder, "release") == 0
    nursery.scene("edit", folder)
    assert nursery.go(folder, "release") == 0
    (folder / "models" / "revenue.sql").write_text(
        "{{ config(materialized='table') }} select 1 as day, 2 as amount\n"
    )
    subprocess.run(["git", "commit", "-qam", "third"], cwd=folder, check=True)
    assert nursery.go(folder, "release") == 0
    put_in_force(folder, "environments:\n  prod: {approvals: 1, keep: {generations: 1, age: 0s}}\n")
    for path in (folder / ".sluice").rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    return folder


def copied(folder: Path, place: Path) -> Path:
    """Return a copy, with its times."""
    shutil.copytree(folder, place, symlinks=True)
    return place


def reads(folder: Path) -> dict[str, Any]:
    """Return what a reader finds under every public name."""
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
            " and table_schema not in ('sluice', 'sluice_store') order by all"
        ).fetchall()
        return {
            name: sorted(map(str, connection.execute(f'from "{schema}"."{name}"').fetchall()))
            for schema, name in names
        }


def end(folder: Path) -> dict[str, Any]:
    """Return everything that must be the same: what is read, what stands in the store, files, collections in the ledger."""
    workspace = Workspace.at(folder)
    inventory = workspace.warehouse(workspace.environment()).inventory()
    entries = workspace.store.entries()
    ledger.verify(entries)
    lease = workspace.store.lease("prod")
    workspace.store.close()
    ours = folder / ".sluice"
    return {
        "reads": reads(folder),
        # The run that built them is in the last digits.
        "stored": sorted(item.address.identifier for item in inventory.physical),
        "collected": [item.number for item in inventory.generations if item.collected_at],
        "runs": len(inventory.runs),
        "told": sum(entry.event == "collect.done" for entry in entries),
        "files": sorted(
            str(path.relative_to(ours))
            for part in ("bundles", "checkouts", "candidates", "work/prod/side")
            for path in (ours / part).rglob("*")
            if not path.is_dir()
        ),
        "lease": lease,
    }


@pytest.fixture(scope="module")
def undisturbed(nursery: Nursery, full: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a collection ends in when nobody is killed."""
    folder = copied(full, tmp_path_factory.mktemp("undisturbed") / "shop")
    assert nursery.go(folder, "collect") == 0
    return end(folder)


def test_a_collection_leaves_what_is_served_and_takes_the_rest(
    full: Path, undisturbed: dict[str, Any]
) -> None:
    assert undisturbed["reads"] == reads(full)
    assert undisturbed["collected"] == [1]
    assert (undisturbed["runs"], undisturbed["told"]) == (1, 1)
    before = Workspace.at(full)
    stored = before.warehouse(before.environment()).inventory().physical
    assert 0 < len(undisturbed["stored"]) < len(stored)
    # Of the first release nothing is left to build from, of the one that serves everything.
    checkouts = {name.split("/")[1][:16] for name in undisturbed["files"] if name.startswith("checkouts/")}
    current = before.warehouse(before.environment()).generation("prod")
    assert checkouts == {current.release[:16]}
    assert not any(name.startswith("work/prod/side/") for name in undisturbed["files"])


@pytest.mark.parametrize("point", POINTS, ids=[point.value for point in POINTS])
def test_killed_there_and_run_again(
    nursery: Nursery, full: Path, undisturbed: dict[str, Any], tmp_path: Path, point: FaultPoint
) -> None:
    """Readers never notice; the rerun ends as undisturbed."""
    folder = copied(full, tmp_path / "shop")
    assert nursery.go(folder, "collect", point) == -signal.SIGKILL
    assert reads(folder) == undisturbed["reads"]
    assert nursery.go(folder, "collect") == 0
    assert end(folder) == undisturbed


def test_what_serves_can_be_built_on_and_gone_back_from_afterwards(
    nursery: Nursery, full: Path, tmp_path: Path
) -> None:
    """The generation that a rollback goes to was kept, though only one is asked for."""
    folder = copied(full, tmp_path / "shop")
    assert nursery.go(folder, "collect") == 0
    assert nursery.go(folder, "rollback") == 0
    lift(Workspace.at(folder), "prod", by="Grace", reason="seen to")
    nursery.scene("load_more", folder)
    assert nursery.go(folder, "refresh") == 0


def test_every_point_of_a_collection_is_tried() -> None:
    assert set(POINTS) == {point for point in FaultPoint if point.value.startswith("collect.")}
