"""The gate `data_tests` against dbt itself: the same verdict and the same number, for every test of a project."""

from __future__ import annotations

import contextlib
import io
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest
import yaml
from dbt.cli.main import dbtRunner

from prefect_sluice.dbt import profile
from prefect_sluice.dbt.core.commands import Commands
from prefect_sluice.dbt.core.data_tests import asked_as_dbt_does, data_test, only_dbt
from prefect_sluice.dbt.session import Session
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Finding, Verdict
from prefect_sluice.gates.base import BuildOutcome, CandidateView, ReleaseView, Subject, ask_gate
from prefect_sluice.gates.data_tests.gate import DataTests, verdict_of
from prefect_sluice.sql.countable_tests import counted
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from tests.gates.duck import DuckReader
from tests.gates.views import but

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("data-tests-oracle")]

PROFILE = "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, schema: main, threads: 2}}}"
PROJECT = (
    "name: shop\nprofile: shop\nversion: '1.0'\nflags: {require_generic_test_arguments_property: true}\n"
)
OWN = {
    "in_range": (
        "{% test in_range(model, column_name, least) %}\n-- a comment; not a query's end\n"
        "select * from {{ model }} where not ({{ column_name }} >= {{ least }})\n{% endtest %}"
    ),
    "in_steps": (
        "{% test in_steps(model, column_name) %}with base as (select * from {{ model }}),\nbad as (\n"
        "  select * from base where {{ column_name }} % 2 = 1 or {{ column_name }} is null\n)\nselect * from bad{% endtest %}"
    ),
    "together": (
        "{% test together(model, columns) %}select {{ columns | join(', ') }}, count(*) as n_records from {{ model }}"
        " group by {{ columns | join(', ') }} having count(*) > 1{% endtest %}"
    ),
    "asks": (
        "{% test asks(model, column_name) %}select {{ '*' if should_store_failures() else 'gone' }} from {{ model }}"
        " where {{ column_name }} = 1{% endtest %}"
    ),
    "has_rows": (
        "{% test has_rows(model, least) %}select count(*) as n from {{ model }} having count(*) < {{ least }}{% endtest %}"
    ),
}
TABLES = {
    "full": "SELECT range AS i, range % 3 AS j, CASE WHEN range % 5 > 0 THEN chr(97 + range::INT % 4) END AS s, range / 2.0 AS f,"
    " 'x' AS \"a b\" FROM range(12)",
    "odd": "SELECT * FROM (VALUES (1, NULL, 'a', 'nan'::DOUBLE, 'y'), (1, 2, '', 'nan', NULL), (NULL, 2, NULL, 'inf', 'x'),"
    " (-3, NULL, 'a''b', -0.0, 'é'), (4, 2, 'A', 0.0, 'x')) AS t(i, j, s, f, \"a b\")",
    "void": "SELECT 1 AS i, 1 AS j, 'a' AS s, 0.5::DOUBLE AS f, 'x' AS \"a b\" WHERE FALSE",
    "parents": "SELECT unnest([0, 1, 2, 2, NULL]) AS id, unnest(['a', 'b', 'x', NULL, '']) AS name",
}
SAME_WORD = "CREATE TABLE folded (s VARCHAR COLLATE NOCASE); INSERT INTO folded VALUES ('a'), ('A'), ('b')"
MEANS = {Verdict.PASSED: "pass", Verdict.WARNED: "warn", Verdict.FAILED: "fail", Verdict.ERRORED: "error"}

VIEWS = {
    name: Node(name, NodeKind.VIEW, Name("main", name), "", "sql", (), "f") for name in (*TABLES, "folded")
}

Spec = tuple[str, str, dict[str, Any]]
"""Table, column ("" for the table), and the test as YAML has it."""


@dataclass
class Case:
    """A project with sources only, in a database of its own."""

    folder: Path
    commands: Commands
    tests: Sequence[DataTest]
    dbt: Mapping[str, NodeResult]
    inside: Mapping[str, NodeResult]
    """What dbt answers where we run it, with `--store-failures`."""
    gate: Mapping[str, Finding]
    of_views: Mapping[str, Finding]
    asked: list[str]


def project(folder: Path, specs: Sequence[Spec], files: Mapping[str, str]) -> Commands:
    """Write a project whose sources are TABLES, with these tests."""
    written = {"dbt_project.yml": PROJECT, "profiles.yml": PROFILE, "models/s.yml": schema(specs), **files}
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    target = profile.load(folder, dict(os.environ)).target("dev")
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        for name, query in TABLES.items():
            connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS {query}')
        connection.execute(f"DROP TABLE IF EXISTS folded; {SAME_WORD}")
    place = CandidatePlace("shop.duckdb", folder / "shop.duckdb")
    session = Session(target, folder, folder, folder / "state", place, {}, live=folder / "none.duckdb")
    return Commands(session)


def schema(specs: Sequence[Spec]) -> str:
    tables: list[dict[str, Any]] = []
    for table in sorted({table for table, *_ in specs}):
        own = [(column, test) for name, column, test in specs if name == table]
        columns = [
            {"name": column, "quote": " " in column, "data_tests": [test for on, test in own if on == column]}
            for column in sorted({column for column, _ in own if column})
        ]
        tables.append({"name": table, "columns": columns, "data_tests": [test for on, test in own if not on]})
    return yaml.safe_dump({"sources": [{"name": "raw", "schema": "main", "tables": tables}]})


def judged(folder: Path, specs: Sequence[Spec], files: Mapping[str, str]) -> Case:
    """Have dbt and the gate judge the same tests."""
    commands = project(folder, specs, files)
    manifest = commands.parse()
    uids = [uid for uid, node in manifest.nodes.items() if node.resource_type.value == "test"]
    assert not only_dbt(manifest, commands.session.target.settings)
    with asked_as_dbt_does(manifest, whole_rows=uids):
        texts = commands.compile(manifest, ["*"])
    tests = [data_test(manifest, uid, texts[uid], ("source.shop.raw.x",)) for uid in uids]
    with duckdb.connect(str(commands.session.side), read_only=True) as connection:
        reader = DuckReader(connection)
        subject = Subject(
            ReleaseView(Path(), {}, ()),
            candidate=CandidateView(reader=reader, built=BuildOutcome(tests=tuple(tests))),
        )
        findings = ask_gate(DataTests(), subject).findings
        as_views = ask_gate(DataTests(), but(subject, nodes=VIEWS)).findings
    results = plain_dbt(folder)
    inside = {result.short: result for result in commands.run_data_tests(manifest, "*")}
    assert len(results) == len(uids) == len(findings) == len({test.short for test in tests})
    named, of_views = ({each.check: each for each in found} for found in (findings, as_views))
    return Case(folder, commands, tests, results, inside, named, of_views, reader.asked)


def plain_dbt(folder: Path) -> Mapping[str, NodeResult]:
    """Return what `dbt test` says, by the test's name, with no word of ours."""
    arguments = [
        "test",
        "--quiet",
        "--profiles-dir",
        ".",
        "--target-path",
        "plain",
        "--log-level-file",
        "none",
    ]
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        answer = cast(Any, dbtRunner()).invoke(arguments)
    results = [
        NodeResult(
            item.node.unique_id, "test", str(item.status.value), str(item.message), item.failures, 0.0, "", (), "", "", ""
        )
        for item in answer.result
    ]  # fmt: skip
    return {result.short: result for result in results}


def differences(case: Case) -> list[str]:
    """Return where the gate says another thing than dbt, be it that it takes the relations for tables or for views."""
    inside = [
        f"{name}: {case.inside[name].status} {case.inside[name].failures}, plain dbt {result.status} {result.failures}"
        for name, result in case.dbt.items()
        if verdict_of(result) is not verdict_of(case.inside[name])
        or (result.status != "error" and result.failures != case.inside[name].failures)
    ]
    return [*_differences(case.dbt, case.gate), *_differences(case.dbt, case.of_views), *inside]


def _differences(dbt: Mapping[str, NodeResult], gate: Mapping[str, Finding]) -> list[str]:
    found: list[str] = []
    for name, result in dbt.items():
        finding = gate[name]
        ours, theirs = MEANS.get(finding.verdict), MEANS[verdict_of(result)]
        number = 0 if ours == "pass" else None if ours == "error" else finding.observed
        number_of_dbt = None if theirs == "error" else result.failures
        if (ours, number) != (theirs, number_of_dbt):
            found.append(
                f"{name}: {ours} {number} ({finding.summary}), dbt {theirs} {result.failures} ({result.message})"
            )
    return found


# ---- generated tests -----------------------------------------------------------------------------------

LIMITS = ["!= 0", "> 0", ">= 2", "> 1000", "between 1 and 2", "% 2 = 1", "= 0"]
WHERES = ["i > 1", "s is not null", "1 = 0", "f <> 'nan'::double or f is null", "\"a b\" = 'x' -- so"]


def generated(random: random.Random, number: int) -> Spec:
    table, column = random.choice(["full", "odd", "void"]), random.choice(["i", "j", "s", "f", "a b"])
    kind = random.choice(
        ["not_null", "unique", "accepted_values", "relationships", *sorted({*OWN} - {"asks"})]
    )
    config: dict[str, Any] = {}
    if random.random() < 0.5:
        config["severity"] = random.choice(["warn", "error"])
    for key, values in (("warn_if", LIMITS), ("error_if", LIMITS), ("where", WHERES), ("limit", [1, 2, 50])):
        if random.random() < 0.3:
            config[key] = random.choice(values)
    if kind in {"unique", "together"} and random.random() < 0.4:
        config["fail_calc"] = random.choice(["sum(n_records)", "coalesce(max(n_records), 0)", "Count( * )"])
    if kind == "not_null" and random.random() < 0.4:
        config["fail_calc"] = random.choice(
            ["coalesce(sum(j), 0)", f'count("{column}")', 'count("a b")', "COUNT(*)"]
        )
    listed: dict[str, Any] = {"values": random.sample(["a", "b", "c", "A", "x", 1, 2], 3)}
    arguments: dict[str, Any] = {
        "accepted_values": random.choice([listed, {"values": [1, 2, -3], "quote": False}]),
        "relationships": {"to": "source('raw', 'parents')", "field": random.choice(["id", "name"])},
        "in_range": {"least": random.choice(["0", "'a'", "j"])},
        "together": {"columns": random.choice([["i", "j"], ["s"], ["j"]])},
        "has_rows": {"least": random.choice([1, 6])},
    }.get(kind, {})
    body = {"name": f"t{number}_{kind}", "config": config, "arguments": arguments}
    return table, "" if kind in {"together", "has_rows"} else column, {kind: body}


FIXED: list[Spec] = [
    ("full", "gone", {"not_null": {"name": "missing_column"}}),
    ("full", "i", {"not_null": {"name": "broken_where", "config": {"where": "i >"}}}),
    ("full", "i", {"not_null": {"name": "broken_limit", "config": {"warn_if": "more than 3"}}}),
    ("full", "i", {"not_null": {"name": "strange_answer", "config": {"warn_if": "|| ' rows'"}}}),
    ("full", "i", {"not_null": {"name": "yes_in_words", "config": {"warn_if": "= 0 and 'y'"}}}),
    ("full", "i", {"accepted_values": {"name": "mixed", "arguments": {"values": [1, "one", None]}}}),
    ("odd", "s", {"accepted_values": {"name": "with_null", "arguments": {"values": ["'a'", "null"], "quote": False}}}),
    ("odd", "s", {"accepted_values": {"name": "a_quote", "arguments": {"values": ["a''b"]}}}),
    ("odd", "i", {"accepted_values": {"name": "a_column", "arguments": {"values": ["j"], "quote": False}}}),
    ("odd", "i", {"accepted_values": {"name": "its_own_name", "arguments": {"values": ["n_records"], "quote": False}}}),
    ("odd", "i", {"relationships": {"name": "to_nowhere", "arguments": {"to": "source('raw', 'absent')", "field": "id"}}}),
    ("absent", "i", {"not_null": {"name": "no_relation"}}),
    ("folded", "s", {"unique": {"name": "folded_unique"}}),
    ("folded", "s", {"accepted_values": {"name": "folded_values", "arguments": {"values": ["A"]}}}),
    ("parents", "columns(*)", {"not_null": {"name": "all_columns"}}),
    ("parents", "id", {"not_null": {"name": "stored", "config": {"store_failures": True}}}),
    ("parents", "id", {"not_null": {"name": "calc_of_another", "config": {"fail_calc": "sum(length(name))"}}}),
    ("parents", "id", {"not_null": {"name": "stored_calc", "config": {"fail_calc": "count(name)", "store_failures": True}}}),
    ("parents", "id", {"not_null": {"name": "calc_of_its_own", "config": {"fail_calc": "count(id)", "warn_if": "= 0"}}}),
    ("full", "j", {"asks": {"name": "asks"}}),
]  # fmt: skip
SINGULAR = {
    "tests/none.sql": "select 1 where false",
    "tests/one_number.sql": "{{ config(fail_calc='max(n)', error_if='> 3', warn_if='> 1') }} select 3 as n union all select 1",
    "tests/a_share.sql": "{{ config(fail_calc='avg(n)') }} select unnest([1, 2]) as n",
    "tests/selects_what_is_gone.sql": "select gone from {{ source('raw', 'full') }} where i > 100",
    "tests/counts.sql": "select count(*) from {{ source('raw', 'full') }} where i is null",
    "tests/alias.sql": "select t.i from {{ source('raw', 'full') }} t where t.i = 1",
    "tests/limited.sql": "select i from {{ source('raw', 'full') }} limit 2",
    "tests/broken.sql": "select from where",
}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    seed = random.Random(20261123)
    specs = [*FIXED, *(generated(seed, number) for number in range(90))]
    macros = {f"macros/{name}.sql": text for name, text in OWN.items()}
    return judged(tmp_path_factory.mktemp("generated"), specs, {**macros, **SINGULAR})


def test_the_gate_says_what_dbt_says(case: Case) -> None:
    assert differences(case) == []


def test_the_cases_are_worth_it(case: Case) -> None:
    """Every answer comes up, and both ways of asking."""
    told = [finding.verdict for finding in case.gate.values()]
    assert all(told.count(verdict) >= 5 for verdict in MEANS), {each: told.count(each) for each in MEANS}
    shared = [test for test in case.tests if counted(test.sql, "duckdb")]
    assert 20 < len(shared) < len(case.tests) - 20


def test_what_looks_at_each_row_is_asked_in_one_query(case: Case) -> None:
    """Of one relation; some of the tests here are broken, and are looked for by halves."""
    queries = [sql for sql in case.asked if sql.startswith("with counted as")]
    assert any(sql.count("count(*) filter") > 5 for sql in queries)
    assert any(sql.count("(select count(*) from") > 5 for sql in queries)


def test_failing_rows_are_whole_rows(case: Case) -> None:
    evidence = case.gate["stored"].evidence
    assert evidence
    assert (evidence.columns, evidence.rows, evidence.total) == (("id", "name"), ((None, ""),), 1)


# ---- a project that has its own way --------------------------------------------------------------------


def test_a_macro_of_the_projects_own_is_what_counts(tmp_path: Path) -> None:
    """Its `not_null` wants NULLs; and a warning is an error there."""
    own = "{% test not_null(model, column_name) %}select * from {{ model }} where {{ column_name }} is not null{% endtest %}"
    strict = PROJECT.replace("flags: {", "flags: {warn_error: true, ")
    specs: list[Spec] = [
        ("parents", "id", {"not_null": {"name": "upside_down"}}),
        ("parents", "name", {"unique": {"name": "strict", "config": {"severity": "warn", "warn_if": "= 0"}}}),
    ]
    case = judged(tmp_path, specs, {"macros/own.sql": own, "dbt_project.yml": strict})
    assert differences(case) == []
    assert (case.gate["upside_down"].observed, case.gate["strict"].verdict) == (4, Verdict.FAILED)

    prepared: list[dict[str, Any]] = [
        {"settings": {"timezone": "Asia/Tokyo"}}, {"extensions": ["icu"]}, {"plugins": [{"module": "x"}]},
        {"config_options": {"default_collation": "nocase"}}, {"attach": [{"path": "other.duckdb"}]},
    ]  # fmt: skip
    manifest = case.commands.parse()
    assert not only_dbt(manifest, {"type": "duckdb", "config_options": {"threads": 2}, "settings": {}})
    assert all(len(only_dbt(manifest, {"type": "duckdb", **more})) == 2 for more in prepared)

    judge = "{% macro default__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) %}select 0{% endmacro %}"
    (tmp_path / "macros" / "judge.sql").write_text(judge)
    assert len(only_dbt(case.commands.parse(), case.commands.session.target.settings)) == 2


def test_of_very_many_failing_rows_a_hundred_are_fetched() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE wide AS SELECT NULL::INT AS id, repeat('x', 50) AS text FROM range(2_000_000)"
        )
        reader = DuckReader(connection)
        test = DataTest("test.shop.not_null_wide_id.1", "select * from wide where id is null")
        subject = Subject(
            ReleaseView(Path(), {}, ()),
            candidate=CandidateView(reader=reader, built=BuildOutcome(tests=(test,))),
        )
        [finding] = ask_gate(DataTests(), subject).findings
    assert finding.evidence
    assert (len(finding.evidence.rows), finding.evidence.total) == (EVIDENCE_ROWS, 2_000_000)
    assert (finding.verdict, finding.observed) == (Verdict.FAILED, 2_000_000)
