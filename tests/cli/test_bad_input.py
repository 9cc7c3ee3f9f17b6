"""Whatever is wrong: one line that names it and the next step, the right exit code, and nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Case:
    """What is spoiled, the command, its exit code, and what its one line must say."""

    spoil: Callable[[Path], None]
    command: str
    code: int
    says: tuple[str, ...]
    released: bool = False


def written(name: str, content: str, *, committed: bool = True) -> Callable[[Path], None]:
    """Return what writes a file, and commits it."""

    def spoil(folder: Path) -> None:
        (folder / name).write_text(content)
        if committed:
            subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
            subprocess.run(["git", "commit", "--quiet", "-m", "spoiled"], cwd=folder, check=True)

    return spoil


def in_bytes(name: bytes, content: bytes) -> Callable[[Path], None]:
    """Return what writes a file whose name and content need not be UTF-8, and commits it."""

    def spoil(folder: Path) -> None:
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        written("more", "")(folder)

    return spoil


def removed(*names: str) -> Callable[[Path], None]:
    """Return what removes files and folders."""

    def spoil(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return spoil


def nothing(folder: Path) -> None:
    """Spoil nothing: the command itself is wrong."""


def empty_repository(folder: Path) -> None:
    """Leave a repository without a commit."""
    shutil.rmtree(folder / ".git")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)


def several_projects(folder: Path) -> None:
    """Leave two dbt projects below the top."""
    for name in ("east", "west"):
        (folder / name).mkdir()
        shutil.copy(folder / "dbt_project.yml", folder / name)
    removed("sluice.yml", "dbt_project.yml")(folder)


def flipped_bundle(folder: Path) -> None:
    """Change one byte of the model's file in the bundle store, and take its checkouts away."""
    text = (folder / "models" / "customers.sql").read_bytes()
    (stored,) = [path for path in (folder / ".sluice" / "bundles").glob("??/*") if path.read_bytes() == text]
    stored.chmod(stored.stat().st_mode | stat.S_IWUSR)
    stored.write_bytes(text.replace(b"Ada", b"Bda"))
    removed(".sluice/checkouts")(folder)


def corrupt_warehouse(folder: Path) -> None:
    """Overwrite the head of the warehouse file."""
    with (folder / "dev.duckdb").open("r+b") as file:
        file.write(b"no database at all" * 500)


def corrupt_state(folder: Path) -> None:
    """Overwrite the state store."""
    for path in (folder / ".sluice").glob("state.db*"):
        path.write_bytes(b"no database at all" * 500)


def linked_warehouse(folder: Path) -> None:
    """Have the profile name a link to a file of another name."""
    (folder / "dev.duckdb").rename(folder / "real.duckdb")
    (folder / "dev.duckdb").symlink_to("real.duckdb")


MISSING = "select * from {{ ref('nowhere') }}\n"
CASES = {
    "no sluice.yml": Case(removed("sluice.yml"), "release", 2, ("sluice.yml", "sluice init")),
    "no sluice.yml for status": Case(removed("sluice.yml"), "status", 2, ("sluice.yml", "sluice init")),
    "no dbt project": Case(
        removed("sluice.yml", "dbt_project.yml"), "init", 2, ("no dbt project", "dbt init")
    ),
    "several dbt projects": Case(several_projects, "init", 2, ("east, west", "--project")),
    "no such project": Case(removed("sluice.yml"), "init --project gone", 2, ("gone", "--project")),
    "a warehouse by a link of another name": Case(
        linked_warehouse, "release", 2, ("link to real.duckdb", "profiles.yml"), released=True
    ),
    "a warehouse by a link, planned": Case(
        linked_warehouse, "plan", 2, ("link to real.duckdb", "profiles.yml"), released=True
    ),
    "broken sluice.yml": Case(
        written("sluice.yml", "environments: [\n"), "release", 2, ("sluice.yml", "line", "mend")
    ),
    "unknown key": Case(
        written("sluice.yml", "enviroments: {}\n"), "release", 2, ("enviroments", "'environments'")
    ),
    "broken dbt_project.yml": Case(
        written("dbt_project.yml", "name: [\n"), "release", 2, ("dbt_project.yml", "mend")
    ),
    "broken model yml": Case(
        written("models/models.yml", "models: [\n"), "release", 2, ("models.yml", "mend")
    ),
    "a number that is none in a model yml": Case(
        written("models/models.yml", "models:\n- name: orders\n  description: !!int abc\n"),
        "plan",
        2,
        ("models/models.yml", "int()", "mend it"),
    ),
    "a seed in another encoding": Case(
        in_bytes(b"seeds/s.csv", b"a\n\xff\n"), "plan", 2, ("seeds/s.csv", "utf-8", "mend it")
    ),
    "a file name in another encoding": Case(
        in_bytes(b"\xff.sql", b"select 1"), "release", 2, ("\\xff.sql", "git mv")
    ),
    "unknown model": Case(written("models/totals.sql", MISSING), "release", 2, ("nowhere", "totals", "mend")),
    "Jinja that is none": Case(
        written("models/totals.sql", "select {{ 1 +"), "release", 2, ("totals", "mend")
    ),
    "no profile": Case(removed("profiles.yml"), "release", 2, ("profiles.yml", "shop")),
    "no profile for init": Case(removed("profiles.yml", "sluice.yml"), "init", 2, ("profiles.yml", "shop")),
    "another profile": Case(written("profiles.yml", "other: {}\n"), "status", 2, ("'shop'", "other")),
    "unknown ref": Case(nothing, "release gone", 2, ("'gone'", "git branch")),
    "a ref like an option": Case(nothing, "release -- --all", 2, ("'--all'", "git branch")),
    "dirty tree": Case(
        written("models/totals.sql", "select 1 as n", committed=False),
        "release",
        1,
        ("models/totals.sql", "git commit"),
    ),
    "dirty where it is not allowed": Case(nothing, "release --dirty --env prod", 1, ("'prod'", "git commit")),
    "unknown environment": Case(nothing, "release --env gone", 2, ("'gone'", "dev, prod")),
    "unknown promotion": Case(nothing, "approve zzz --as Bo", 2, ("'zzz'", "sluice status"), released=True),
    "unknown promotion to reject": Case(
        nothing, "reject zzz --as Bo", 2, ("'zzz'", "sluice status"), released=True
    ),
    "nothing to approve": Case(nothing, "approve --as Bo", 2, ("approval", "sluice release")),
    "unknown id to show": Case(nothing, "show zzz", 2, ("'zzz'", "sluice history"), released=True),
    "nothing to show": Case(nothing, "show", 2, ("nothing was released", "sluice release")),
    "unknown generation": Case(nothing, "rollback --to 99", 2, ("'99'", "sluice history"), released=True),
    "nothing to roll back": Case(nothing, "rollback", 1, ("nothing is served", "sluice release")),
    "nothing to refresh": Case(nothing, "refresh", 1, ("no release", "sluice release")),
    "nothing to compare": Case(nothing, "diff", 1, ("nothing", "sluice release")),
    "unknown relation": Case(
        nothing, "diff --relation order", 2, ("'order'", "such as orders"), released=True
    ),
    "not a git repository": Case(removed(".git"), "release", 2, ("git repository", "git init")),
    "not a git repository to plan": Case(removed(".git"), "plan", 2, ("git repository", "git init")),
    "empty repository": Case(empty_repository, "release", 2, ("HEAD", "git commit")),
    "corrupt warehouse": Case(corrupt_warehouse, "release", 2, ("dev.duckdb", "backup"), released=True),
    "corrupt warehouse for status": Case(
        corrupt_warehouse, "status", 2, ("dev.duckdb", "backup"), released=True
    ),
    "corrupt state store": Case(corrupt_state, "status", 2, ("state.db",), released=True),
    "no such folder": Case(nothing, "status -C gone", 2, ("gone", "sluice init")),
    "changed bundle": Case(flipped_bundle, "release HEAD~1", 1, ("digest", "delete it"), released=True),
    "a wait that is none": Case(nothing, "release --wait long", 2, ("'long'", "10m")),
    "unknown command": Case(nothing, "deploy", 2, ("deploy", "--help")),
    "unknown option": Case(nothing, "release --force", 2, ("--force", "--help")),
}


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every warehouse file."""
    return {path.name: path.read_bytes() for path in folder.glob("*.duckdb*")}


@pytest.mark.parametrize("name", CASES)
def test_one_line_and_nothing_changed(name: str, run: Run, request: pytest.FixtureRequest) -> None:
    case = CASES[name]
    folder: Path = request.getfixturevalue("released" if case.released else "project")
    case.spoil(folder)
    before = contents(folder)
    command, _, rest = case.command.partition(" ")
    answer = run(command, *(() if command == "deploy" else ("-C", folder)), *rest.split())
    assert (answer.code, answer.err.count("\n")) == (case.code, 1), answer
    assert answer.err.startswith("sluice: ")
    assert [word for word in case.says if word not in answer.err] == [], answer.err
    assert "Traceback" not in answer.err + answer.out
    assert contents(folder) == before


@contextmanager
def held(file: Path) -> Generator[None]:
    """Hold a DuckDB file in another process."""
    program = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        yield
    finally:
        holder.communicate()


def test_a_warehouse_that_another_process_holds(run: Run, released: Path) -> None:
    before = contents(released)
    with held(released / "dev.duckdb"):
        answer = run("release", "HEAD~1", "-C", released)
        looked = run("status", "-C", released)
    assert (answer.code, answer.err.count("\n")) == (2, 1), answer
    assert "dev.duckdb is held by process" in answer.err
    assert "run the command again" in answer.err
    assert contents(released) == before
    assert looked.code == 0, looked
    assert "generation 2, as the ledger says" in looked.out
    assert "is held by process" in looked.out


def test_an_error_in_json(run: Run, project: Path) -> None:
    answer = run("release", "--env", "gone", "-C", project, "--json")
    document = json.loads(answer.out)
    assert document["exit_code"] == answer.code == 2
    assert answer.err == f"sluice: {document['error']}\n"
