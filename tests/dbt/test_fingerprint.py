"""What makes a node another one, and what does not: a wrong yes costs time, a wrong no serves old rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from prefect_sluice.dbt.nodes import Project
from tests.dbt.conftest import FILES, Shop

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Case:
    """A change of one file (or of variables, or of the environment), and the nodes whose fingerprint it changes."""

    why: str
    file: str = ""
    old: str = ""
    new: str = ""
    changes: str = ""
    variables: Mapping[str, object] = field(default_factory=dict[str, object])
    environ: Mapping[str, str] = field(default_factory=dict[str, str])


ALL = "a about b c files hard history kept late loose lookup numbers orders outer python round yesterday"
A_AND_BELOW = "a b history"
C_AND_BELOW = "c outer python hard lookup"  # the last two name it as `main.c`
MUST_CHANGE = [
    Case("raw SQL", "models/loose.sql", "1 as id", "2 as id", "loose"),
    Case("a parent's", "models/a.sql", "as t", "as tt", A_AND_BELOW),
    Case("a parent's, through an ephemeral model", "models/c.sql", "1 as id", "2 as id", C_AND_BELOW),
    Case("an ephemeral parent's", "models/inner.sql", "select *", "select id", "outer"),
    Case("config", "models/kept.sql", "config(", "config(materialized='view', ", "kept"),
    Case("config from dbt_project.yml", "dbt_project.yml", "+materialized: table", "+materialized: view", " ".join(
        name for name in ALL.split() if name not in {"numbers", "yesterday"}
    )),
    Case("a schema", "models/loose.sql", "select", "{{ config(schema='mart') }} select", "loose"),
    Case("an alias", "models/loose.sql", "select", "{{ config(alias='other') }} select", "loose"),
    Case("a macro it calls", "macros/money.sql", "{{ rounded(column) }}", "0 + {{ rounded(column) }}", A_AND_BELOW),
    Case("a macro called by that macro", "macros/money.sql", ", 2)", ", 3)", A_AND_BELOW),
    # It may write to a table that is served, and runs only where something is built.
    Case("a hook that runs after all", "dbt_project.yml", "on-run-start", "on-run-end: ['select 1']\non-run-start", ALL),
    Case("a macro in a hook of its", "macros/money.sql", "select 1{%", "select 2{%", C_AND_BELOW),
    Case("a seed's bytes", "seeds/numbers.csv", "2.5", "2.6", "numbers a b history"),
    Case("a variable in dbt_project.yml", "dbt_project.yml", "threshold: 1", "threshold: 2", ALL),
    Case("a variable given", changes=ALL, variables={"threshold": 3}),
    Case("an environment variable", changes=ALL, environ={"SHOP_COLOUR": "red"}),
    Case("one that is read only as it runs", changes=ALL, environ={"SHOP_LATE": "2"}),
    Case("one that is set to nothing", changes=ALL, environ={"SHOP_COLOUR": ""}),
    Case("a Python model", "models/python.py", "dbt.ref('c').df()", "dbt.ref('c')", "python"),
    Case("a module that a Python model imports", "lib/pricing.py", "import up", "import up as round_up", "python"),
    Case("a module imported by that module", "lib/rounding.py", "return x", "return x + 1", "python"),
    Case("a contract that is enforced", "models/schema.yml", "name: kept\n    columns: [{name: id, data_type: integer}", (
        "name: kept\n    columns: [{name: id, data_type: bigint}"), "kept"),
    Case("a built-in macro overridden", "macros/more.sql", "", (
        "{% macro generate_alias_name(custom, node) %}{{ node.name }}{% endmacro %}"), ALL),
    Case("a built-in of the adapter overridden", "macros/more.sql", "", (
        "{% macro duckdb__current_timestamp() %}now(){% endmacro %}"), ALL),
    Case("a materialization overridden", "macros/more.sql", "", (
        "{% materialization table, adapter='duckdb' %}{{ return({'relations': []}) }}{% endmaterialization %}"), ALL),
    Case("a hook that runs before all", "dbt_project.yml", "create schema if not", "drop schema if", ALL),
    Case("a snapshot's", "snapshots/history.sql", "check_cols=['price']", "check_cols=['t']", "history"),
]  # fmt: skip

MUST_NOT_CHANGE = [
    Case("nothing at all"),
    Case("a description", "models/schema.yml", "the first", "the very first"),
    Case("a column's description", "models/schema.yml", "{name: id, data_tests", "{name: id, description: key, data_tests"),
    Case("tags", "models/schema.yml", "name: loose", "name: loose\n    config: {tags: [nightly]}"),
    Case("meta", "models/schema.yml", "name: loose", "name: loose\n    config: {meta: {owner: ada}, group: null}"),
    Case("docs", "models/schema.yml", "name: loose", "name: loose\n    docs: {show: false}"),
    Case("a test added", "models/schema.yml", "name: loose\n    columns: [{name: id,", (
        "name: loose\n    columns: [{name: id, data_tests: [not_null],")),
    Case("a unit test", "models/schema.yml", "rows: [{id: 1}]}]", "rows: [{id: 1}, {id: 1}]}]"),
    Case("a contract that is not enforced", "models/schema.yml", (
        "name: loose\n    columns: [{name: id, data_type: integer}"), "name: loose\n    columns: [{name: id, data_type: bigint}"),
    Case("a macro that nobody calls", "macros/money.sql", "{% macro unused() %}1", "{% macro unused() %}2"),
    Case("a macro more", "macros/more.sql", "", "{% macro another() %}1{% endmacro %}"),
    Case("an environment variable that nobody reads", environ={"SHOP_OTHER": "x"}),
    Case("a module that nobody imports", "lib/other.py", "", "x = 1\n"),
    Case("an analysis", "analyses/x.sql", "", "select 1"),
    Case("an exposure", "models/more.yml", "", (
        "exposures: [{name: report, type: dashboard, owner: {name: ada}, depends_on: [ref('a')]}]")),
]  # fmt: skip


def prints(project: Project) -> dict[str, str]:
    return {node.short: node.fingerprint for node in project.nodes.values()}


@pytest.fixture(scope="module")
def before(parsed: Shop) -> dict[str, str]:
    """The fingerprints of the project as it was at first."""
    parsed.reset()
    found = prints(parsed.read())
    assert set(found) == set(ALL.split())
    return found


def apply(shop: Shop, case: Case) -> None:
    if case.file:
        text = FILES.get(case.file, "")
        assert case.old in text
        shop.write(case.file, text.replace(case.old, case.new, 1) if text else case.new)


@pytest.mark.parametrize("case", MUST_CHANGE, ids=lambda case: case.why)
def test_what_makes_a_node_another_one(
    shop: Shop, before: dict[str, str], case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in case.environ.items():
        monkeypatch.setenv(name, value)
    apply(shop, case)
    after = prints(shop.read(case.variables))
    assert {name for name in after if after[name] != before[name]} == set(case.changes.split())


@pytest.mark.parametrize("case", MUST_NOT_CHANGE, ids=lambda case: case.why)
def test_what_leaves_every_node_as_it_is(
    shop: Shop, before: dict[str, str], case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in case.environ.items():
        monkeypatch.setenv(name, value)
    apply(shop, case)
    assert prints(shop.read(case.variables)) == before


def test_what_a_node_itself_says_is_told_apart_from_its_parents(shop: Shop) -> None:
    """The plan says "its own code changed" of the one, and "reads a" of the other."""
    first = {node.short: node.own for node in shop.read().nodes.values()}
    shop.write("models/a.sql", FILES["models/a.sql"].replace("as t", "as tt"))
    second = {node.short: node.own for node in shop.read().nodes.values()}
    assert {name for name in second if second[name] != first[name]} == {"a"}


def prints_of_tests(project: Project) -> dict[str, str]:
    return {("unit" if test.is_unit else "data"): test.fingerprint for test in project.tests.values()}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("data_tests: [unique]", "data_tests: [{unique: {config: {where: id > 1}}}]", {"data"}),
        ("data_tests: [unique]", "data_tests: [{unique: {config: {severity: warn}}}]", {"data"}),
        ("data_tests: [unique]", "data_tests: [{unique: {config: {error_if: '> 5'}}}]", {"data"}),
        ("rows: [{id: 1}]}]", "rows: [{id: 2}]}]", {"unit"}),
        ("the first", "the very first", set[str]()),
    ],
)
def test_a_test_that_was_changed_is_another_one(shop: Shop, old: str, new: str, changed: set[str]) -> None:
    first = prints_of_tests(shop.read())
    shop.write("models/schema.yml", FILES["models/schema.yml"].replace(old, new, 1))
    second = prints_of_tests(shop.read())
    assert {kind for kind in second if second[kind] != first[kind]} == changed
