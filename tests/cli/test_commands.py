"""Every command on a real project, by what it prints and what it leaves."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.workspace.workspace import Workspace
from tests.cli.conftest import git

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def lines(text: str) -> list[str]:
    """Return the lines of a text, with single blanks, without those at the ends."""
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]


def waiting(run: Run, folder: Path) -> str:
    """Return the id of the one promotion that waits in prod."""
    document = json.loads(run("status", "-C", folder, "--env", "prod", "--json").out)
    return document["environments"][0]["open"][0]["id"]


# ---- looking -------------------------------------------------------------------------------------------


def test_status_says_what_serves_and_what_waits(run: Run, shared: Path) -> None:
    answer = run("status", "-C", shared)
    assert answer.code == 0
    assert "dev generation 2, 3 relations" in lines(answer.out)
    assert re.search(r"release +[0-9a-f]{7} +[0-9a-f]{7} Dearer", answer.out)
    assert "prod nothing is served yet: sluice release --env prod" in lines(answer.out)
    assert re.search(r"waits +[0-9a-f]{10}: release .*sluice approve [0-9a-f]{10}", answer.out)


def test_status_before_anything_was_released_makes_nothing(run: Run, project: Path) -> None:
    answer = run("status", "-C", project)
    assert (answer.code, answer.err) == (0, "")
    assert "dev nothing is served yet: sluice release --env dev" in lines(answer.out)
    assert not (project / ".sluice").exists()


def test_history_has_the_refused_attempt_between_the_generations(run: Run, shared: Path) -> None:
    answer = run("history", "-C", shared)
    assert answer.code == 0
    first = [line.split(" ")[0] for line in lines(answer.out)[1:]]
    assert first[:2] == ["-", "refused:"]
    assert first[2:4] == ["2", "1"]
    assert re.fullmatch(r"ledger: \d+ entries, unbroken", answer.out.splitlines()[-1])


def test_history_shows_as_many_as_asked(run: Run, shared: Path) -> None:
    document = json.loads(run("history", "-C", shared, "--limit", "1", "--json").out)
    assert len(document["events"]) == 1
    assert document["ledger"]["unbroken"] is True
    assert "and 2 older (--limit 3 shows all)" in run("history", "-C", shared, "--limit", "1").out


def test_a_ledger_that_was_changed_is_told(run: Run, released: Path) -> None:
    import sqlite3

    with sqlite3.connect(released / ".sluice" / "state.db") as state:
        # Whoever wants to hide something first has to get past the triggers.
        for (name,) in state.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            state.execute(f'drop trigger "{name}"')
        state.execute("update sluice_ledger set actor = 'Eve' where number = 2")
    state.close()
    answer = run("history", "-C", released)
    assert answer.code == 1
    assert "ledger entry 2" in answer.out
    assert "unbroken" not in answer.out
    assert json.loads(run("history", "-C", released, "--json").out)["ledger"]["unbroken"] is False


def test_show_tells_why_a_release_was_refused(run: Run, shared: Path) -> None:
    history = json.loads(run("history", "-C", shared, "--json").out)
    refused = next(event for event in history["events"] if event["generation"] is None)
    for named in (
        refused["promotion"]["id"],
        refused["release"]["id"][:12],
        refused["release"]["change"]["commit"][:9],
    ):
        answer = run("show", "-C", shared, named)
        assert answer.code == 0
        assert "FAILED data_tests unique_orders_id" in answer.out
        assert "10 of 15 rows" in answer.out
        assert f"promotion {refused['promotion']['id']} of dev: refused" in answer.out
        assert "promotion.refused" in answer.out


def test_show_a_generation_by_its_number(run: Run, shared: Path) -> None:
    document = json.loads(run("show", "-C", shared, "1", "--json").out)
    assert [item["number"] for item in document["generations"]] == [1]
    assert document["release"]["change"]["subject"] == "First orders"
    assert document["promotion"]["plan"] == document["plan"]["digest"]
    assert {entry["event"] for entry in document["ledger"]} >= {"release.packed", "generation.written"}


def test_diff_finds_the_rows_that_changed_by_the_declared_key(run: Run, shared: Path) -> None:
    answer = run("diff", "-C", shared)
    assert answer.code == 0
    assert "main.orders: 3 of 30 rows changed (10.0 %), 1 column" in answer.out
    assert "customers" not in answer.out
    document = json.loads(run("diff", "-C", shared, "2", "1", "--relation", "orders", "--json").out)
    (only,) = document["relations"]
    assert only["rows"]["key"] == ["id"]
    assert only["rows"]["rows_changed"] == 3


def test_plan_says_what_would_be_built_and_builds_nothing(
    run: Run, released: Path, commit: Callable[..., None]
) -> None:
    commit(released, "Cheaper", orders="select range as id, range * 9 as amount from range(30)\n")
    before = (released / "dev.duckdb").read_bytes()
    answer = run("plan", "-C", released)
    assert (answer.code, answer.err) == (0, "")
    assert re.match(r"release [0-9a-f]{7} → dev \(generation 2, release [0-9a-f]{7}\)", answer.out)
    assert "build main.orders table its own code changed" in lines(answer.out)
    assert "build main.totals table reads orders" in lines(answer.out)
    assert "2 built, 1 reused, 0 removed" in answer.out
    assert "models/orders.sql" in answer.out
    assert (released / "dev.duckdb").read_bytes() == before
    assert "Cheaper" not in run("history", "-C", released).out
    document = json.loads(run("plan", "-C", released, "--json").out)
    assert len(document["digest"]) == 64


# ---- acting --------------------------------------------------------------------------------------------


def test_plan_says_why(run: Run, released: Path) -> None:
    document = json.loads(
        run("plan", "-C", released, "--why", "totals", "--why", "main.orders", "--json").out
    )
    assert [(item["name"], item["compared"]) for item in document["why"]] == [
        ("main.totals", True),
        ("main.orders", True),
    ]
    told = run("plan", "-C", released, "--why", "model.shop.totals")
    assert told.code == 0
    assert told.out.splitlines()[1].startswith("main.totals  ")
    missing = run("plan", "-C", released, "--why", "order")
    assert missing.code == 2
    assert "there is no node 'order' (did you mean 'orders'?)" in missing.err


def test_the_same_release_again_is_unchanged(run: Run, released: Path) -> None:
    answer = run("release", "HEAD~1", "-C", released)
    assert answer.code == 0
    assert "unchanged: dev serves this already: generation 2" in answer.out
    quiet = run("release", "HEAD~1", "-C", released, "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_a_refused_release_shows_the_rows_and_the_next_command(run: Run, released: Path) -> None:
    answer = run("release", "-C", released)
    assert (answer.code, answer.err) == (1, "")
    assert "✗ Stage" in answer.out
    quiet = run("release", "-C", released, "--quiet")
    assert "✗ Stage" not in quiet.out
    assert "refused: " in quiet.out
    assert "FAILED data_tests unique_orders_id" in answer.out
    assert "10 of 15 rows" in answer.out
    assert re.search(
        r"refused: .*; next: mend what makes these rows, or the test models/models.yml$", answer.out.strip()
    )
    assert "gates: {data_tests: {except: [{node: orders, check: unique_orders_id" in " ".join(
        answer.out.split()
    )


def test_approve_then_release(run: Run, released: Path) -> None:
    promotion = waiting(run, released)
    answer = run("approve", "-C", released, promotion[:6], "--as", "Bo", "--comment", "as agreed")
    assert (answer.code, answer.err) == (0, "")
    assert "from it serves nothing yet" in lines(answer.out)
    assert "customers, orders, totals" in answer.out
    assert re.search(r"data_tests +PASSED", answer.out)
    (step,) = re.findall(r"next: sluice (release [0-9a-f]{7} --env prod)", answer.out)
    status = " ".join(lines(run("status", "-C", released).out))
    assert re.search(rf"approved by Bo \(unauthenticated\), rel.* sluice {step}", status)
    done = run(*step.split(), "-C", released)
    assert done.code == 0
    assert "done: prod serves generation 1" in done.out
    assert "approved by Bo" in run("show", "-C", released, "--env", "prod").out


def test_approve_and_deploy_at_once_by_release(run: Run, released: Path) -> None:
    release = json.loads(run("status", "-C", released, "--env", "prod", "--json").out)["environments"][0][
        "open"
    ][0]["release"]
    answer = run("approve", "-C", released, release[:9], "--as", "Bo", "--deploy", "--json")
    assert answer.code == 0
    document = json.loads(answer.out)
    assert (document["status"], document["generation"]["number"]) == ("done", 1)


def test_reject(run: Run, released: Path) -> None:
    answer = run("reject", "-C", released, "--as", "Bo", "--comment", "not today")
    assert answer.code == 0
    assert "rejected: promotion" in answer.out
    (step,) = re.findall(r"next: sluice (release [0-9a-f]{7} --env prod)", answer.out)
    ended = run(*step.split(), "-C", released)
    assert ended.code == 1
    assert "rejected by Bo (unauthenticated): not today" in ended.out
    assert (
        "rejected by Bo (unauthenticated): not today" in run("history", "-C", released, "--env", "prod").out
    )


def test_rollback_and_back_again(run: Run, released: Path) -> None:
    answer = run("rollback", "-C", released, "--as", "Ada")
    assert (answer.code, answer.err) == (0, "")
    told = (
        r"dev serves generation 3 = generation 1 again, "
        r'release [0-9a-f]{7} \("First orders"\), data as of .* UTC, .* old; [\d.]+ s\n'
        r"held: dev stays as it is until this is lifted: sluice unhold dev --reason WHY"
    )
    assert re.fullmatch(told, answer.out.strip())
    assert "= generation 1 again" in run("history", "-C", released).out
    assert "dev generation 3 = generation 1 again, 3 relations" in lines(run("status", "-C", released).out)
    document = json.loads(run("rollback", "-C", released, "--to", "2", "--json").out)
    assert document["generation"]["origin"] == 2
    assert document["exit_code"] == 0


def test_a_rollback_asked_for_again_is_no_change(run: Run, released: Path) -> None:
    """After a kill before it was told, or by a second person: nothing is written, and the next step back is named."""
    first = run("rollback", "-C", released, "--as", "Ada", "--no-hold")
    assert first.code == 0
    entries = len(Workspace.at(released).store.entries())
    told = "unchanged: dev was rolled back from generation 2 to 1 already by Ada on "
    for again in ((), ("--from", "2"), ("--to", "1"), ("--from", "2", "--to", "1")):
        answer = run("rollback", "-C", released, "--as", "Bo", *again)
        assert (answer.code, answer.err) == (0, "")
        assert told in answer.out
    document = json.loads(run("rollback", "-C", released, "--json").out)
    assert (document["exit_code"], document["generation"]) == (0, None)
    assert len(Workspace.at(released).store.entries()) == entries
    assert "dev generation 3 = generation 1 again" in lines(run("status", "-C", released).out)[0]
    late = run("rollback", "-C", released, "--from", "1", "--as", "Bo")
    assert late.code == 1
    assert "generation 1 is not what serves: dev serves generation 3, written by a rollback" in late.err
    further = run("rollback", "-C", released, "--from", "3", "--as", "Bo")
    assert further.code == 1
    assert "generation 3 serves generation 1 again, and generation 1 is the first" in further.err
    forward = run("rollback", "-C", released, "--to", "2", "--no-hold", "--as", "Bo")
    assert forward.code == 0
    back = run("rollback", "-C", released, "--as", "Bo")
    assert "dev was rolled back from generation 3 to 2 already" in back.out
    assert "to go further back: sluice rollback --env dev --to 1" in back.out


def test_refresh_without_new_data_changes_nothing(run: Run, released: Path) -> None:
    answer = run("refresh", "-C", released)
    assert answer.code == 0
    assert "unchanged:" in answer.out


def test_release_as_json_is_one_document(run: Run, released: Path) -> None:
    answer = run("release", "-C", released, "--json")
    document = json.loads(answer.out)
    assert answer.code == document["exit_code"] == 1
    assert document["status"] == "refused"
    failed = [
        finding
        for report in document["reports"]
        for finding in report["findings"]
        if finding["verdict"] == "FAILED"
    ]
    assert failed[0]["evidence"]["total"] == 15


# ---- init ----------------------------------------------------------------------------------------------


def test_init_writes_what_release_needs(run: Run, project: Path) -> None:
    (project / "sluice.yml").unlink()
    answer = run("init", "-C", project)
    assert (answer.code, answer.err) == (0, "")
    # One person committed here: nobody else could say yes.
    expected = "  dev: {target: dev}\n  prod: {target: prod, approvals: 1, self_approval: allow}\n"
    assert expected in (project / "sluice.yml").read_text()
    assert answer.out.splitlines()[-3].startswith("next: git add -A && git commit")
    assert answer.out.splitlines()[-1].split() == ["sluice", "release", "do", "it"]
    document = json.loads(run("status", "-C", project, "--json").out)
    assert [item["environment"] for item in document["environments"]] == ["dev", "prod"]


def test_init_where_several_commit_leaves_the_yes_to_another(run: Run, project: Path) -> None:
    (project / "sluice.yml").unlink()
    second = ["git", "commit", "-q", "--allow-empty", "-m", "hello", "--author", "Lin <lin@example.com>"]
    subprocess.run(second, cwd=project, check=True)
    assert run("init", "-C", project).code == 0
    assert "  prod: {target: prod, approvals: 1}\n" in (project / "sluice.yml").read_text()


def test_init_again_changes_nothing(run: Run, project: Path) -> None:
    before = (project / "sluice.yml").read_bytes()
    answer = run("init", "-C", project)
    assert answer.code == 0
    assert "is there already" in answer.out
    assert (project / "sluice.yml").read_bytes() == before


def test_init_says_what_it_found_and_writes_what_fits(run: Run, project: Path) -> None:
    (project / "sluice.yml").unlink()
    for name, text in {
        ".gitignore": "target\n*.csv",
        "seeds/codes.csv": "id\n1\n",
        "packages.yml": "packages: [{package: dbt-labs/dbt_utils, version: 1.1.1}]\n",
        "setup.cfg": "[sqlfluff]\ndialect = duckdb\n",
        "dbt_project.yml": (project / "dbt_project.yml").read_text() + "on-run-end: ['select 1']\n",
    }.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    document = json.loads(run("init", "-C", project, "--json").out)
    assert document["found"] == {
        "sqlfluff": "rules in setup.cfg",
        "packages": "dbt-labs/dbt_utils; not installed",
        "not in git": "seeds: named in source.include",
        "hooks": "on-run-end: what they write outside the build, gate safety says",
        "approvers": "ada@example.com; approves own changes: nobody else committed here",
    }
    assert [step.split()[0] for step in document["next"]] == ["dbt", "git", "sluice", "sluice"]
    assert "source:\n  include: [seeds]\n" in (project / "sluice.yml").read_text()
    kept_out = (
        "*.csv\n# Warehouse files, written by sluice init\n/dev.duckdb\n/dev.duckdb.wal\n/prod.duckdb\n"
    )
    assert kept_out in (project / ".gitignore").read_text()
    (project / "sluice.yml").unlink()
    before = (project / ".gitignore").read_text()
    assert run("init", "-C", project).code == 0
    assert (project / ".gitignore").read_text() == before


def test_init_proposes_what_code_may_reach_outside_of_its_checkout(run: Run, project: Path) -> None:
    (project / "sluice.yml").unlink()
    (project / "models" / "landing.sql").write_text(
        "select * from read_csv('/landing/a: b.csv'), read_csv('https://example.com/b.csv')\n"
        "where token = '{{ env_var(\"LANDING_TOKEN\") }}'\n"
    )
    document = json.loads(run("init", "-C", project, "--json").out)
    said = (
        "an address in the network stands in models/landing.sql, models/landing.sql reads /landing/a: b.csv"
    )
    assert document["found"]["outside"] == f"{said}, env_var reads LANDING_TOKEN: named under build"
    build = Workspace.at(project).settings.build
    assert (build.network, build.may_read, build.may_write) == (True, ("/landing/a: b.csv",), ())
    assert build.env == ("LANDING_TOKEN",)


def test_init_says_what_a_hook_does_outside_and_how_to_let_it(run: Run, project: Path) -> None:
    """A copy to a relative path is put aside, and said; for what leaves for good the exception is written, as a comment."""
    (project / "sluice.yml").unlink()
    orders = project / "models" / "orders.sql"
    before = orders.read_text()
    orders.write_text("{{ config(post_hook=[\"copy {{ this }} to 'out/{{ this.name }}.csv'\"]) }}\n" + before)
    document = json.loads(run("init", "-C", project, "--json").out)
    assert document["found"]["hooks"] == (
        "models/orders.sql has: copy {{ this }} to 'out/{{ … }}.csv'; its file is put aside, and does not go where it went so far"
    )
    assert "safety" not in (project / "sluice.yml").read_text()
    (project / "sluice.yml").unlink()
    (project / "macros").mkdir()
    (project / "macros" / "tell.sql").write_text(
        "{% macro tell() %}select http_post('https://x'){% endmacro %}\n"
    )
    described = project / "dbt_project.yml"
    described.write_text(
        described.read_text()
        + "on-run-end: ['{{ tell() }}', \"copy orders to 's3://b/{{ run_started_at }}'\"]\n"
    )
    document = json.loads(run("init", "-C", project, "--json").out)
    assert document["found"]["hooks"] == (
        "dbt_project.yml has: copy orders to 's3://b/{{ … }}' and 1 more; it runs before any gate, so gate safety refuses it"
        " (see sluice.yml)"
    )
    told = (project / "sluice.yml").read_text()
    assert (
        "#   safety:\n#     except:\n#     - {node: dbt_project.yml, check: copies-out, reason: …, until: "
        in told
    )
    assert "#     - {node: tell, check: calls-out, reason: …, until: " in told


def test_init_says_where_dbt_is_called(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable that dbt reads itself, or, as a comment, by what a file says that calls it."""
    (project / "sluice.yml").unlink()
    below = project / "analytics"
    below.mkdir()
    for item in [item for item in project.iterdir() if item.name not in {".git", "analytics"}]:
        item.rename(below / item.name)
    (project / "Makefile").write_text("build:\n\tdbt build --project-dir ./analytics\n")
    document = json.loads(run("init", "-C", project, "--json").out)
    assert document["found"]["dbt"] == "Makefile calls it at the top: see working_directory in sluice.yml"
    assert "\n# working_directory: .\n" in (project / "sluice.yml").read_text()
    assert document["environments"][0]["warehouse"] == str(below / "dev.duckdb")
    (project / "sluice.yml").unlink()
    monkeypatch.setenv("DBT_PROJECT_DIR", "analytics")
    document = json.loads(run("init", "-C", project, "--json").out)
    assert "\nworking_directory: .\n" in (project / "sluice.yml").read_text()
    assert document["environments"][0]["warehouse"] == str(project / "dev.duckdb")


def test_init_finds_where_dbt_is_called_by_the_paths_that_are_there(run: Run, project: Path) -> None:
    """What it writes has the project released at the first try."""
    (project / "sluice.yml").unlink()
    below = project / "analytics"
    below.mkdir()
    for item in [item for item in project.iterdir() if item.name not in {".git", "analytics"}]:
        item.rename(below / item.name)
    (below / "extra.csv").write_text("id\n7\n")
    (below / "models" / "extra.sql").write_text("select * from read_csv('analytics/extra.csv')\n")
    git(project, "add", "-f", ".")
    git(project, "commit", "-qm", "Read a file as seen from the top")
    document = json.loads(run("init", "-C", below, "--json").out)
    why = "models/extra.sql reads analytics/extra.csv, which is not there from the project's folder, and is from above it"
    assert document["found"]["dbt"] == f"{why}: see working_directory in sluice.yml"
    assert f":\n# {why}.\nworking_directory: ..\n" in (below / "sluice.yml").read_text()
    assert document["environments"][0]["warehouse"] == str(project / "dev.duckdb")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "Release with Sluice")
    answer = run("release", "-C", below, "--env", "dev")
    assert answer.code == 0, answer.out + answer.err
    with duckdb.connect(str(project / "dev.duckdb"), read_only=True) as connection:
        assert connection.execute("select id from main.extra").fetchall() == [(7,)]


def test_init_above_several_projects_names_them_and_what_to_type(run: Run, project: Path) -> None:
    (project / "sluice.yml").unlink()
    for name in ("one", "two"):
        (project / name).mkdir()
        (project / "dbt_project.yml").rename(project / name / "dbt_project.yml")
        (project / "dbt_project.yml").write_text((project / name / "dbt_project.yml").read_text())
    (project / "dbt_project.yml").unlink()
    answer = run("init", "-C", project)
    assert (answer.code, "several dbt projects: one, two" in answer.err) == (2, True)
    assert answer.err.strip().endswith("sluice init --project one")


def test_init_finds_the_one_project_below(run: Run, project: Path) -> None:
    (project / "sluice.yml").unlink()
    below = project / "warehouse" / "dbt"
    below.mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml", "models"):
        (project / name).rename(below / name)
    (project / "docs").mkdir()
    answer = run("init", "-C", project / "docs", "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["file"] == str(project / "sluice.yml")
    assert "project: warehouse/dbt\n" in (project / "sluice.yml").read_text()


def test_init_orders_environments_and_leaves_out_twins(run: Run, project: Path) -> None:
    (project / "sluice.yml").unlink()
    outputs = "prod: {P}, uat: {U}, 'on': {O}, copy: {U}, dev: {D}, other: {type: postgres}"
    for letter in "PUOD":
        outputs = outputs.replace(f"{{{letter}}}", f"{{type: duckdb, path: {letter}.duckdb}}")
    (project / "profiles.yml").write_text(f"shop: {{target: copy, outputs: {{{outputs}}}}}\n")
    document = json.loads(run("init", "-C", project, "--json").out)
    assert [item["name"] for item in document["environments"]] == ["dev", "uat", "on", "prod"]
    assert document["default_environment"] == "uat"


def test_init_prints_the_schema(run: Run, tmp_path: Path) -> None:
    schema = json.loads(run("init", "-C", tmp_path, "--schema").out)
    assert "environments" in schema["properties"]
