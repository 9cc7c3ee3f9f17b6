"""`sluice backup`, `sluice restore`, and how it goes on when the backup is older than what is served."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Run
from tests.warehouse.test_duckdb_copy import heard, worker

pytestmark = pytest.mark.slow


def lose(folder: Path) -> None:
    """Lose the state store, and nothing else."""
    for path in (folder / ".sluice").glob("state.db*"):
        path.unlink()


def test_a_lost_state_store_comes_back(run: Run, released: Path, tmp_path: Path) -> None:
    file = tmp_path / "kept.db"
    made = run("backup", file, "-C", released)
    assert (made.code, made.out.partition(":")[0]) == (0, f"backed up to {file}")
    before = json.loads(run("status", "-C", released, "--json").out)
    assert run("backup", file, "-C", released).code == 2
    refused = run("restore", file, "-C", released)
    assert refused.code == 1
    assert "holds a state store already" in refused.err

    lose(released)
    for lost in ("bundles", "checkouts", "work"):
        shutil.rmtree(released / ".sluice" / lost)
    assert run("restore", file, "-C", released, "--as", "Ada").code == 0
    assert json.loads(run("status", "-C", released, "--json").out) == before
    assert run("doctor", "-C", released).code == 0
    shutil.rmtree(released / ".sluice" / "bundles")  # a restore that was cut off before they were put back
    again = run("restore", file, "-C", released, "--as", "Bob")
    assert (again.code, again.out.partition(":")[0]) == (0, "nothing changed"), again.err
    assert f"{file} was restored before: " in again.out
    assert json.loads(run("restore", file, "-C", released, "--json").out)["changed"] is False
    assert json.loads(run("status", "-C", released, "--json").out) == before
    assert run("doctor", "-C", released).code == 0
    # What waited before waits still, and is what was judged.
    assert run("approve", "-C", released, "--as", "Grace").code == 0
    assert (
        run("rollback", "-C", released, "--env", "prod").code == 1
    )  # generation 1 serves there, and nothing before it


def test_an_older_backup_is_put_to_use_by_going_back(
    run: Run, released: Path, commit: Callable[..., None], tmp_path: Path
) -> None:
    file = tmp_path / "kept.db"
    assert run("backup", file, "-C", released).code == 0
    commit(released, "Later", orders="select range as id, range * 30 as amount from range(30)\n")
    (released / "sluice.yml").write_text(
        "environments:\n  dev: {target: dev}\n  prod: {target: prod, approvals: 1}\ngates: {diff: {on: off}}\n"
    )
    commit(released, "Later still")
    assert (
        run("release", "-C", released, "--as", "Ada").code == 0
    )  # generation 3, which the backup does not know
    lose(released)
    assert run("restore", file, "-C", released, "--as", "Ada").code == 0

    stopped = run("release", "-C", released, "--as", "Ada")
    assert stopped.code == 1
    assert "serves generation 3, of which this state store knows nothing" in stopped.err
    assert "sluice rollback --env dev --to 2" in stopped.err
    told = run("doctor", "-C", released)
    assert told.code == 1
    assert "generation 3 is in the warehouse, and not in the state store" in told.out
    unknown = run("rollback", "-C", released, "--to", "3", "--as", "Ada")
    assert unknown.code == 1

    back = run("rollback", "-C", released, "--no-hold", "--as", "Ada", "--to", "2")
    assert back.code == 0, back.err
    assert "generation 4" in back.out
    again = run("release", "-C", released, "--as", "Ada")
    assert again.code == 0, again.err
    assert "generation 5" in again.out
    here = json.loads(run("doctor", "-C", released, "--json").out)
    assert [item["check"] for item in here["findings"] if not item["note"]] == [
        "generation"
    ]  # 3 stays unknown


def test_with_no_backup_at_all_one_leaves_and_begins_anew(run: Run, released: Path) -> None:
    lose(released)
    stopped = run("release", "HEAD~1", "-C", released, "--as", "Ada")
    assert stopped.code == 1
    assert "if it is lost, start anew: sluice leave dev" in stopped.err
    assert run("leave", "dev", "--yes", "-C", released, "--as", "Ada").code == 0
    begun = run("release", "HEAD~1", "--adopt", "-C", released, "--as", "Ada")
    assert begun.code == 0, begun.err
    # The doctor is left with a file: the candidate of a promotion that nobody knows any more.
    told = json.loads(run("doctor", "-C", released, "--env", "dev", "--json").out)
    assert [item["check"] for item in told["findings"]] == ["file"]


def test_the_environment_says_where_the_state_store_is(
    run: Run, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup can be looked into as it is; and what SLUICE_STATE names goes before sluice.yml."""
    file = tmp_path / "kept.db"
    assert run("backup", file, "-C", released).code == 0
    there = run("history", "-C", released).out
    lose(released)
    monkeypatch.setenv("SLUICE_STATE", str(file))
    assert run("history", "-C", released).out == there
    monkeypatch.setenv("SLUICE_STATE", "elsewhere/state.db")
    assert run("restore", file, "-C", released).code == 0
    assert (released / "elsewhere" / "state.db").is_file()
    bundles = released / ".sluice" / "bundles"
    shutil.move(bundles, tmp_path / "bundles")
    assert run("doctor", "-C", released).code == 1
    monkeypatch.setenv("SLUICE_BUNDLES", (tmp_path / "bundles").as_uri())
    assert run("doctor", "-C", released).code == 0


def test_a_warehouse_comes_back(run: Run, released: Path, tmp_path: Path) -> None:
    """While somebody reads it; and put back where the profile says, it is what the state store knows."""
    file = tmp_path / "kept.duckdb"
    with duckdb.connect(str(released / "dev.duckdb"), read_only=True):
        made = run("backup", "--warehouse", file, "-C", released)
    assert (made.code, made.out) == (0, f"backed up to {file}: dev, generation 2, 3 relations\n")
    again = run("backup", "--warehouse", file, "-C", released)
    assert (again.code, "is there already" in again.err) == (2, True)
    shown = json.loads(run("backup", "--warehouse", tmp_path / "b.duckdb", "-C", released, "--json").out)
    assert (shown["environment"], shown["generation"], shown["relations"]) == ("dev", 2, 3)
    assert (shown["journal"], shown["bytes"]) == (False, file.stat().st_size)

    before = json.loads(run("status", "-C", released, "--json").out)
    (released / "dev.duckdb").unlink()
    shutil.copyfile(file, released / "dev.duckdb")
    assert json.loads(run("status", "-C", released, "--json").out) == before
    assert run("doctor", "-C", released).code == 0


def test_a_backup_of_a_warehouse_that_cannot_be_made_says_why(
    run: Run, released: Path, tmp_path: Path
) -> None:
    file = tmp_path / "kept.duckdb"
    none = run("backup", "--warehouse", file, "--env", "prod", "-C", released)
    assert (none.code, "there is no warehouse yet" in none.err) == (2, True)
    whose = run("backup", file, "--env", "prod", "-C", released)
    assert (whose.code, "add --warehouse for the warehouse of one" in whose.err) == (2, True)
    with worker("hold", released / "dev.duckdb") as writer:
        assert heard(writer) == "held"
        busy = run("backup", "--warehouse", file, "-C", released)
    assert (busy.code, f"is held by process {writer.pid}" in busy.err) == (2, True), busy
    assert not file.exists()


def test_nothing_to_back_up_is_said(run: Run, project: Path, tmp_path: Path) -> None:
    answer = run("backup", tmp_path / "kept.db", "-C", project)
    assert answer.code == 2
    assert "there is no state store yet" in answer.err
    assert not (project / ".sluice").exists()
    gone = run("restore", tmp_path / "none.db", "-C", project)
    assert gone.code == 2
    assert "there is no such file" in gone.err
