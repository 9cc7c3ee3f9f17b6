"""A release whose code is hostile and which a gate refuses: nothing that anybody reads, and nothing of Sluice's own, changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.isolation.run_command import reached
from tests.cli.conftest import FILES, Run, git, run

__all__ = ["run"]

MISSING = reached().why
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(MISSING), reason=f"this machine does not isolate: {MISSING}"),
]

HOSTILE = """
import json, os, subprocess, sys
ROOT = {root!r}
EDIT = "import duckdb; duckdb.connect('dev.duckdb').execute('update sluice_store.orders set amount = 0')"
ACTS = [
    lambda: subprocess.run([sys.executable, "-c", EDIT], cwd=ROOT, check=True, capture_output=True),
    lambda: open(ROOT + "/dev.duckdb", "r+b").write(b"x"),
    lambda: os.remove(ROOT + "/.sluice/state.db"),
    lambda: os.rename(ROOT + "/.sluice/bundles", ROOT + "/.sluice/gone"),
    lambda: open(ROOT + "/.git/hooks/pre-commit", "w").write("x"),
    lambda: open(ROOT + "/sluice.yml", "a").write("gates: {{}}"),
    lambda: open(ROOT + "/profiles.yml").read(),
]

def tried(act):
    try:
        act()
    except Exception as error:
        return type(error).__name__
    return "DONE"

def model(dbt, session):
    dbt.ref("orders")
    outcome = [tried(act) for act in ACTS]
    target = os.path.join(os.getcwd(), {work!r}, "target", "partial_parse.msgpack")
    open(target, "wb").write(b"poison")
    if os.fork() == 0:
        os.setsid()
        while os.path.exists(target):
            tried(ACTS[1])
    return session.sql("select '" + " ".join(outcome) + "' as outcome, 1 as id")
"""


@pytest.fixture
def shop() -> Iterator[Path]:
    """A project that was released once, each of its environments `isolation: required`; not below /tmp, of which an empty one
    is laid over it."""
    base = Path(tempfile.mkdtemp(prefix="sluice-hostile-", dir="/var/tmp"))
    folder = base / "shop"
    settings = FILES["sluice.yml"].replace("{target: dev", "{isolation: required, target: dev")
    for name, text in {**FILES, "sluice.yml": settings}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    _commit(folder)
    yield folder
    shutil.rmtree(base)


def _commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")


def _files(folder: Path) -> dict[str, str]:
    """Return the digests of all files that somebody reads, or Sluice knows by: not those of work in progress."""
    own = {"work", "checkouts", "logs", "candidates", "reports"}
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not own & set(path.relative_to(folder).parts)
        and not path.name.startswith("state.db")
    }


def _rows(folder: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(folder / "dev.duckdb"), read_only=True) as connection:
        return connection.execute("from orders order by all").fetchall()


def test_what_is_refused_changed_nothing_although_its_code_ran(run: Run, shop: Path) -> None:
    assert run("release", "-C", shop, "--as", "Ada").code == 0
    rows = _rows(shop)
    code = HOSTILE.format(root=str(shop), work=str(shop / ".sluice/work/dev"))
    (shop / "models/hostile.py").write_text(code, "utf-8")
    (shop / "models/hostile.yml").write_text(
        "models:\n- name: hostile\n  columns:\n  - name: outcome\n    data_tests:\n"
        "    - accepted_values: {arguments: {values: [nothing]}}\n",
        "utf-8",
    )
    _commit(shop)
    before = _files(shop)

    answer = run("release", "-C", shop, "--as", "Mallory", "--json")
    assert answer.code == 1, answer
    assert "accepted_values_hostile_outcome__nothing" in answer.out
    assert "DONE" not in answer.out
    assert answer.out.count("PermissionError") >= 1
    after = _files(shop)
    assert {name: after.get(name) for name in before} == before
    assert not [name for name in after if name not in before and not name.startswith(".sluice/bundles")]
    assert _rows(shop) == rows

    (shop / "models/hostile.py").unlink()
    (shop / "models/hostile.yml").unlink()
    (shop / "models/customers.sql").write_text("select 1 as id, 'Eve' as name\n")
    _commit(shop)
    answer = run("release", "-C", shop, "--as", "Ada")
    assert answer.code == 0, answer
    assert _rows(shop) == rows
    # The tier stands where people decide, and in what they decided on.
    assert "code of the change runs isolated" in run("show", "-C", shop).out
    planned = run("plan", "-C", shop, "--json")
    assert json.loads(planned.out)["isolation"] == "isolated", planned
    assert "code of the change runs isolated" in run("plan", "-C", shop).out


PLANTS = """
import os
def model(dbt, session):
    open(os.path.expanduser("~/.pgpass"), "w").write("nothing")
    return session.sql("select 1 as id")
"""


def test_a_view_reads_no_more_where_it_is_judged_than_where_it_was_built(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """~ is another folder in the process that judges than in the one that is shut in, and so is what lies there."""
    home = shop.parent / "home"
    home.mkdir()
    (home / ".pgpass").write_text("hunter2-of-the-warehouse", "utf-8")
    monkeypatch.setenv("HOME", str(home))
    (shop / "models/planted.py").write_text(PLANTS, "utf-8")
    (shop / "models/reading.sql").write_text(
        "{{ config(materialized='view') }}\n-- depends_on: {{ ref('planted') }}\nselect content from read_text('~/.pgpass')\n",
        "utf-8",
    )
    _commit(shop)
    answer = run("release", "-C", shop, "--as", "Mallory", "--json")
    assert answer.code == 1, answer
    assert "Cannot access file" in answer.out
    assert "hunter2" not in answer.out + answer.err
    kept = [
        path for path in (shop / ".sluice").rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()
    ]
    assert kept == []

    (shop / "models/planted.py").unlink()
    (shop / "data").mkdir()
    (shop / "data/near.csv").write_text("id\n7\n", "utf-8")
    (shop / "models/reading.sql").write_text(
        "{{ config(materialized='view') }}\nselect id from read_csv('data/near.csv')\n", "utf-8"
    )
    _commit(shop)
    answer = run("release", "-C", shop, "--as", "Ada")
    assert answer.code == 0, answer
    with duckdb.connect(str(shop / "dev.duckdb"), read_only=True) as connection:
        assert connection.execute("from reading").fetchall() == [(7,)]
