"""`sluice lint` in a working tree: what it looks at, what it says, what it mends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run, git
from tests.repository import repository

RULES = "[sqlfluff]\ndialect = duckdb\ntemplater = dbt\nrules = LT01, CP01\n"
BAD = "select id FROM  {{ ref('orders') }}\n"
GOOD = "select id from {{ ref('orders') }}\n"


@pytest.fixture
def never(tmp_path: Path) -> Path:
    """A project in git that serves nothing."""
    return repository(
        tmp_path / "shop",
        {
            "dbt_project.yml": "name: shop\nprofile: shop\n",
            "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: dev.duckdb}}}\n",
            "sluice.yml": "environments: {dev: {target: dev}}\n",
            ".sqlfluff": RULES,
            "models/a.sql": GOOD,
            "models/b.sql": BAD,
            "snapshots/s.sql": "{% snapshot s %}\nselect id from  {{ ref('a') }}\n{% endsnapshot %}\n",
            "macros/m.sql": "{% macro m() %}SELECT  1{% endmacro %}\n",
        },
    )


def test_all_is_linted_while_nothing_serves_and_told_one_by_one_if_wished(never: Path, run: Run) -> None:
    answer = run("lint", "-C", never)
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "3 files, 1 clean, 0 findings (all: dev serves nothing yet)",
        "old: 3 findings in 2 files, on lines that were there before; a line counts once it changes; one by one: sluice"
        " lint --all",
    ]
    answer = run("lint", "-C", never, "--all")
    assert answer.code == 1
    assert "FAILED  models/b.sql:1     CP01 capitalisation.keywords" in answer.out
    assert "snapshots/s.sql:2" in answer.out
    assert answer.out.splitlines()[-1] == "3 files, 1 clean, 3 findings (all models and snapshots)"


def test_what_is_mended_is_said_and_what_was_there_is_kept(never: Path, run: Run) -> None:
    path = never / "models" / "b.sql"
    path.write_bytes(b"\xef\xbb\xbf" + BAD.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    answer = run("lint", "-C", never, "--fix")
    assert answer.code == 0
    assert "mended: models/b.sql (as it was: .sluice/before-fix/models/b.sql)" in answer.out
    assert path.read_bytes() == b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert (never / ".sluice/before-fix/models/b.sql").read_bytes().endswith(b"\r\n")
    assert (never / "snapshots/s.sql").read_text() == (
        "{% snapshot s %}\nselect id from {{ ref('a') }}\n{% endsnapshot %}\n"
    )
    assert not list(never.rglob("models/.*"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"select id FROM  from where\n", "cannot be rendered or parsed"),
        (b"select id FROM  {{ ref('a' }}\n", "cannot be rendered or parsed"),
        (b"select '\xe9' FROM  x\n", "not UTF-8: byte 0xe9 in line 1"),
        (b"select id\r\nFROM  x\n", "its lines end in two ways"),
    ],
)
def test_what_cannot_be_mended_is_left_as_it_is(never: Path, run: Run, text: bytes, told: str) -> None:
    path = never / "models" / "b.sql"
    path.write_bytes(text)
    answer = run("lint", "-C", never, "--fix", "--all", path)
    assert answer.code == 1
    assert "left as it is: models/b.sql" in answer.out
    assert told in answer.out
    assert path.read_bytes() == text


def test_a_link_is_not_written_through(never: Path, run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside.sql"
    outside.write_text(BAD)
    (never / "models" / "c.sql").symlink_to(outside)
    assert "left as it is: models/c.sql (it is a link)" in run("lint", "-C", never, "--fix", "--all").out
    assert outside.read_text() == BAD


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("models/none.sql", "is not there"),
        ("dbt_project.yml", "is no .sql file"),
        (os.devnull, "is not in the project"),
    ],
)
def test_a_path_that_cannot_be_linted_is_bad_input(never: Path, run: Run, name: str, told: str) -> None:
    answer = run("lint", "-C", never, never / name)
    assert answer.code == 2
    assert told in answer.err


@pytest.mark.slow
def test_settings_of_a_gate_that_there_is_none_of_are_bad_input(never: Path, run: Run) -> None:
    (never / "sluice.yml").write_text("environments: {dev: {target: dev}}\ngates: {lnt: {on: warn}}\n")
    answer = run("lint", "-C", never)
    assert answer.code == 2
    assert "gates.lnt: there is no such gate; did you mean 'lint'?" in answer.err


def test_what_is_served_is_what_edits_are_told_by(released: Path, run: Run) -> None:
    (released / ".sqlfluff").write_text(RULES)
    (released / "models/totals.sql").write_text(BAD)
    (released / "models/fresh.sql").write_text(GOOD)
    answer = run("lint", "-C", released, "--json")
    document = json.loads(answer.out)
    # The third commit, which orders.sql is of, was refused: the second is served.
    assert document["files"] == ["models/fresh.sql", "models/orders.sql", "models/totals.sql"]
    assert (document["exit_code"], answer.code, document["report"]["verdict"]) == (1, 1, "FAILED")
    assert "dev serves" in document["why"]


def test_what_would_hold_a_release_is_told_apart_from_what_was_there_before(released: Path, run: Run) -> None:
    (released / ".sqlfluff").write_text("[sqlfluff]\ndialect = duckdb\nrules = LT01, RF04\n")
    totals = released / "models" / "totals.sql"
    totals.write_text(f"{totals.read_text()}where  1 = 1\n")
    (released / "models" / "customers.sql").rename(released / "models" / "clients.sql")
    clean = run("lint", "-C", released)
    assert clean.code == 1
    rows = [line for line in clean.out.splitlines() if line.startswith(("FAILED", "old:"))]
    # What is called `name` was so before, in a file that was called otherwise.
    assert [line.split()[1] for line in rows] == ["models/totals.sql:2", "1"]
    (released / "models" / "orders.sql").write_text(
        "select  range as id, range * 10 as amount\nfrom range(30)\n"
    )
    document = json.loads(run("lint", "-C", released, "--json").out)
    failed = [item["location"] for item in document["report"]["findings"] if item["verdict"] == "FAILED"]
    assert failed == ["models/orders.sql:1", "models/totals.sql:2"]


@pytest.mark.slow
def test_in_a_release_the_gates_say_yes_no_and_that_they_cannot_tell(never: Path, run: Run) -> None:
    def verdicts(**files: str) -> dict[str, str]:
        for name, text in files.items():
            (never / names[name]).write_text(text)
        git(never, "add", "-A")
        git(never, "commit", "-qm", "change")
        document = json.loads(run("release", "-C", never, "--as", "Ada", "--json").out)
        return {item["gate"]: item["verdict"] for item in document["reports"]}

    names = {"b": "models/b.sql", "rules": ".sqlfluff", "test": "tests/test_x.py"}
    (never / ".gitignore").write_text("*.duckdb*\n")
    (never / "tests").mkdir()
    for left in ("snapshots/s.sql", "macros/m.sql"):
        (never / left).unlink()
    (never / "models/orders.sql").write_text("select 1 as id\n")
    passes = "def test_x():\n    assert True\n"
    first = verdicts(b=GOOD, test=passes)
    assert (first["lint"], first["project_tests"]) == ("PASSED", "PASSED")
    # Only the letters' case is another: nothing is built, and the file is linted all the same.
    assert verdicts(b=BAD)["lint"] == "FAILED"
    second = verdicts(rules=f"{RULES}large_file_skip_byte_limit = 10\n", test="x = 1\n")
    assert (second["lint"], second["project_tests"]) == ("INCONCLUSIVE", "INCONCLUSIVE")
    third = verdicts(b=GOOD, rules=RULES, test=passes.replace("True", "False"))
    assert (third["lint"], third["project_tests"]) == ("not applicable", "FAILED")
