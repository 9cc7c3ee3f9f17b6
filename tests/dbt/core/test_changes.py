"""What makes a node another one, and what does not: a wrong yes costs time, a wrong no serves old rows.

Each case is an edit of one project, and the nodes whose fingerprints are others after it. The known failures of dbt's
`state:modified` are among them: variables, macros behind macros, configuration from the environment, moved files, seeds
over 1 MiB.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from prefect_sluice.dbt.project import Project
from tests.dbt.conftest import Shop

pytestmark = pytest.mark.slow

BIG = "id,price\n" + "".join(f"{number},{number}.5\n" for number in range(120_000))

FILES: Mapping[str, str] = {
    "dbt_project.yml": """
name: mart
profile: shop
vars: {threshold: 1, idle: 1, hooked: 1, asked: 1, late: 1, digits: 2, mart: {scoped: 1}}
models: {+materialized: table}
on-run-start: ["create schema if not exists audit"]
""",
    "profiles.yml": """
shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, schema: main, threads: 1,
  settings: {TimeZone: UTC, memory_limit: 1GB}}}}
""",
    "dbt_packages/helper/dbt_project.yml": "name: helper\nvars: {helper: {places: 2}}\n",
    "dbt_packages/helper/macros/cents.sql": """
{% macro cents(column) %}{{ return(adapter.dispatch('cents', 'helper')(column)) }}{% endmacro %}
{% macro default__cents(column) %}round({{ column }}, {{ var('digits') }}){% endmacro %}
""",
    "dbt_packages/helper/models/packed.sql": "select {{ var('places') }} as places",
    "macros/money.sql": """
{% macro money(column) %}{{ rounded(column) }}{% endmacro %}
{% macro rounded(column) %}round({{ column }}, 2){% endmacro %}
{% macro unused() %}1{% endmacro %}
""",
    "macros/stamp.sql": "{% macro stamp() %}select {{ var('hooked') }}{% endmacro %}",
    "macros/late.sql": "{% macro late() %}{{ var('late') }}{% endmacro %}",
    "seeds/numbers.csv": "id,price\n1,2.5\n",
    "seeds/big.csv": BIG,
    "models/plain.sql": "select id, amount, qty, day from {{ source('raw', 'orders') }} where amount > 0",
    "models/child.sql": "select id, qty * 2 as twice from {{ ref('plain') }}",
    "models/star.sql": "select * from {{ ref('plain') }}",
    "models/bytext.sql": "select id from main.plain",
    "models/threshold.sql": "select {{ var('threshold') }} as t",
    "models/scoped.sql": "select {{ var('scoped') }} as t",
    "models/colour.sql": "select '{{ env_var('SHOP_COLOUR', 'none') }}' as colour",
    "models/ticket.sql": "{{ config(materialized=env_var('SHOP_KIND', 'table')) }} select 1 as id",
    "models/money.sql": "select {{ money('1.005') }} as m",
    "models/cents.sql": "select {{ helper.cents('1.005') }} as m",
    "models/grown.sql": """
{{ config(materialized='incremental', unique_key='id') }}
select id, {{ money('amount') }} as m from {{ source('raw', 'orders') }}
{% if is_incremental() %} where id > (select max(id) from {{ this }}) * {{ late() }} {% endif %}
""",
    "models/asking.sql": """
{# how many #}
{% if execute %}{% set n = run_query('select ' ~ late()) %}{% endif %}
select {{ var('asked') }} as id
""",
    "models/hooked.sql": "{{ config(post_hook='{{ stamp() }}') }} select 1 as id",
    "models/target.sql": "select '{{ target.name }}' as t",
    "models/tagged.sql": "{{ config(tags=['a']) }} select {{ config.get('tags') | length }} as n",
    "models/headed.sql": "{% call set_sql_header(config) %}set variable z = 1;{% endcall %} select 1 as id",
    "models/inner.sql": "{{ config(materialized='ephemeral') }} select id from {{ ref('hooked') }}",
    "models/outer.sql": "select id from {{ ref('inner') }}",
    "models/loose.sql": "select 1 as id",
    "models/kept.sql": "{{ config(contract={'enforced': true}) }} select 1 as id",
    "models/python.py": "import pricing\n\n\ndef model(dbt, session):\n    return dbt.ref('hooked').df()\n",
    "lib/pricing.py": "from rounding import up\n",
    "lib/rounding.py": "def up(x):\n    return x\n",
    "models/schema.yml": """
sources: [{name: raw, tables: [{name: orders}]}]
models:
  - name: loose
    description: the first
    columns: [{name: id, data_type: integer, data_tests: [unique]}]
  - name: kept
    columns: [{name: id, data_type: integer}]
""",
    "snapshots/history.sql": """
{% snapshot history %}{{ config(unique_key='id', strategy='check', check_cols=['price'], target_schema='main') }}
select id, price from {{ ref('numbers') }}{% endsnapshot %}
""",
}  # fmt: skip

NAMES: str = (
    "asking big bytext cents child colour grown headed history hooked kept loose money numbers outer packed plain python "
    "scoped star tagged target threshold ticket"
)


@dataclass(frozen=True, slots=True)
class Case:
    """Edits of files (old and new text; no old text: a file more; a new path for `moved`), variables and environment
    variables, and the nodes whose fingerprints they change."""

    why: str
    edits: tuple[tuple[str, str, str], ...] = ()
    changes: str = ""
    moved: tuple[str, str] | None = None
    variables: Mapping[str, object] = field(default_factory=dict[str, object])
    environ: Mapping[str, str] = field(default_factory=dict[str, str])


def edit(why: str, path: str, old: str, new: str, changes: str = "") -> Case:
    return Case(why, ((path, old, new),), changes)


NAMING = """
{% macro generate_alias_name(custom_alias_name=none, node=none) %}{{ return(custom_alias_name or node.name) }}{% endmacro %}
"""
MAKING = """
{% macro duckdb__create_table_as(temporary, relation, sql, language='sql') %}create table {{ relation }} as {{ sql }}
{% endmacro %}
"""
SEEDING = (
    "{% materialization seed, adapter='duckdb' %}{{ return({'relations': []}) }}{% endmaterialization %}"
)
KEPT = "name: kept\n    columns: [{name: id, data_type: "
REPORT = "exposures: [{name: report, type: dashboard, owner: {name: ada}, depends_on: [ref('plain')]}]"
P = "models/plain.sql"
S = "models/schema.yml"
ID = "name: id, data_type: integer"
TURNED = "{data_tests: [unique], data_type: integer, name: id}"
WISH = "{{ config(meta={'sluice': {'rebuild': 2}}) }} select"
GRANTS = "name: kept\n    config: {grants: {select: [ada]}, persist_docs: {relation: true}}"
BELOW_PLAIN = "plain star"
BELOW_HOOKED = "hooked outer python"

TEXT = [
    edit("nothing", P, "select", "select"),
    edit("a comment", P, "select id", "select /* the key */ id"),
    edit("a Jinja comment", P, "select id", "select {# the key #} id"),
    edit("blanks and lines", P, "select id, amount", "select\n    id,\n    amount"),
    edit("keyword case", P, "select id", "SELECT id"),
    edit("Jinja blanks", P, "{{ source('raw', 'orders') }}", "{{source( 'raw','orders' )}}"),
    edit("a variable in the text for its value", "models/threshold.sql", "{{ var('threshold') }}", "1"),
    edit("a macro for its text", "models/money.sql", "{{ money('1.005') }}", "round(1.005, 2)"),
    edit("a description", S, "the first", "the very first"),
    edit("a column's description", S, ID, "description: key, " + ID),
    edit("another order in the YAML", S, "{" + ID + ", data_tests: [unique]}", TURNED),
    edit("a test more", S, "[unique]", "[unique, not_null]"),
    edit("tags", S, "name: kept", "name: kept\n    config: {tags: [nightly]}"),
    edit("meta and group", S, "name: kept", "name: kept\n    config: {meta: {owner: ada}, group: null}"),
    edit("docs and access", S, "name: kept", "name: kept\n    docs: {show: false}\n    access: protected"),
    edit("grants and persist_docs", S, "name: kept", GRANTS),
    edit("a default said aloud", "models/loose.sql", "select", "{{ config(on_schema_change='ignore') }} select"),
    edit("a contract that is not enforced", S, "data_type: integer, data_tests", "data_type: bigint, data_tests"),
    edit("an analysis", "analyses/x.sql", "", "select 1"),
    edit("an exposure", "models/more.yml", "", REPORT),
    Case("a moved file", moved=("models/loose.sql", "models/deep/down/loose.sql")),
    Case("a moved file that asks its macros", moved=("models/asking.sql", "models/deep/asking.sql")),
    edit("a column more", P, "day from", "day, 1 as one from", BELOW_PLAIN),
    edit("a column that some do not read", P, "day from", "day + 1 as day from", BELOW_PLAIN),
    edit("a column that one reads", P, "qty, day", "qty + 1 as qty, day", BELOW_PLAIN + " child"),
    edit("the order of columns", P, "id, amount, qty, day", "day, id, amount, qty", BELOW_PLAIN),
    edit("a column less that nobody reads by name", P, "qty, day from", "qty from", BELOW_PLAIN),
    edit("another limit", P, "> 0", "> 1", BELOW_PLAIN + " bytext child"),
    edit("a name's case: it is the column's", P, "select id", "select ID", BELOW_PLAIN + " bytext child"),
    edit("a string's blanks", "models/colour.sql", "as colour", "|| ' a' as colour", "colour"),
    edit("a node's alias", "models/loose.sql", "select", "{{ config(alias='other') }} select"),
    edit("config", "models/loose.sql", "select", "{{ config(materialized='view') }} select", "loose"),
    edit("config nobody knows", "models/loose.sql", "select", "{{ config(sorted='id') }} select", "loose"),
    edit("a wish to build it again", "models/loose.sql", "select", WISH, "loose"),
    edit("its contract of pandera", "models/loose.sql", "select", "{{ config(meta={'sluice': {'contract': 'c:C'}}) }} select"),
    edit("a contract that is enforced", S, KEPT + "integer", KEPT + "bigint", "kept"),
    edit("a unique key", "models/grown.sql", "unique_key='id'", "unique_key='m'", "grown"),
    edit("an ephemeral model's", "models/inner.sql", "select id", "select id + 1 as id", "outer"),
    edit("an ephemeral model's comment", "models/inner.sql", "select id", "select /* x */ id"),
    edit("a snapshot's strategy", "snapshots/history.sql", "['price']", "['id']", "history"),
    edit("the source's name", S, "{name: orders}", "{name: orders, identifier: orders_2}", "plain star grown bytext child"),
    edit("quoting of the source", S, "{name: orders}", "{name: orders, quoting: {identifier: false}}", "plain star grown"),
    edit("a text that asks: its code", "models/asking.sql", "as id", "as idd", "asking"),
    edit("a text that asks: a Jinja comment", "models/asking.sql", "how many", "how many there are"),
    edit("an incremental model: formatting", "models/grown.sql", "select id, ", "select  id, /* and */ "),
    edit("an incremental model: what it does the second time", "models/grown.sql", "where id > (", "where id >= (", "grown"),
    edit("a disabled model", "models/off.sql", "", "{{ config(enabled=false) }} select 1 as id"),
]  # fmt: skip

AROUND = [
    Case("a variable that nobody uses", variables={"idle": 2}),
    Case("a variable", variables={"threshold": 2}, changes="threshold"),
    edit("a variable in dbt_project.yml", "dbt_project.yml", "threshold: 1", "threshold: 2", "threshold"),
    edit("a scoped variable", "dbt_project.yml", "scoped: 1", "scoped: 2", "scoped"),
    Case("a variable in a hook's macro", variables={"hooked": 2}, changes=BELOW_HOOKED),
    Case("a variable in a text that asks", variables={"asked": 2}, changes="asking"),
    Case("a variable in macros that are called late", variables={"late": 2}, changes="asking grown"),
    edit("a variable of a package", "dbt_packages/helper/dbt_project.yml", "places: 2", "places: 3", "packed"),
    Case("a variable in a package's macro", variables={"digits": 3}, changes="cents"),
    Case("an environment variable that nobody reads", environ={"SHOP_OTHER": "x"}),
    Case("an environment variable", environ={"SHOP_COLOUR": "red"}, changes="colour"),
    Case("one set to nothing", environ={"SHOP_COLOUR": ""}, changes="colour"),
    Case("configuration from the environment", environ={"SHOP_KIND": "view"}, changes="ticket"),
    Case("the same configuration from the environment", environ={"SHOP_KIND": "table"}),
    edit("a macro that nobody calls", "macros/money.sql", "unused() %}1", "unused() %}2"),
    edit("a macro's comment", "macros/money.sql", "round(", "{# half up #}round("),
    edit("a macro called by a macro", "macros/money.sql", ", 2)", ", 3)", "money grown"),
    edit("a package's macro, dispatched to", "dbt_packages/helper/macros/cents.sql", "round(", "floor(", "cents"),
    edit("a macro called late only", "macros/late.sql", "{{ var('late') }}", "0 + {{ var('late') }}", "asking grown"),
    edit("a macro in a hook", "macros/stamp.sql", "select", "select 0 +", BELOW_HOOKED),
    edit("a hook", "models/hooked.sql", "{{ stamp() }}", "{{ stamp() }};", BELOW_HOOKED),
    edit("a dispatched macro overridden", "macros/more.sql", "", "{% macro duckdb__cents(column) %}1{% endmacro %}", "cents"),
    edit("a naming macro with the same names", "macros/more.sql", "", NAMING),
    edit("a macro of dbt's that nobody comes to", "macros/more.sql", "", "{% macro duckdb__datediff(a, b, c) %}1{% endmacro %}"),
    edit("how dbt makes a table, overridden", "macros/more.sql", "", MAKING, "ALL BUT big numbers"),
    edit("a materialization overridden", "macros/more.sql", "", SEEDING, "big numbers history"),
    edit("what the sql header says", "models/headed.sql", "z = 1", "z = 2", "headed"),
    edit("a hook before all: one schema more", "dbt_project.yml", "audit\"]", "audit\", \"create schema if not exists more\"]"),
    edit("a hook before all", "dbt_project.yml", "audit\"]", "audit\", \"set search_path = 'audit'\"]", "ALL BUT"),
    edit("the time zone", "profiles.yml", "TimeZone: UTC", "TimeZone: CET", "ALL BUT"),
    edit("how much memory", "profiles.yml", "memory_limit: 1GB", "memory_limit: 2GB"),
    edit("threads", "profiles.yml", "threads: 1", "threads: 4"),
    edit("a seed's bytes", "seeds/numbers.csv", "2.5", "2.6", "numbers history"),
    edit("the bytes of a seed over 1 MiB", "seeds/big.csv", "7.5", "7.6", "big"),
    edit("tags that a text reads", "models/tagged.sql", "['a']", "['a', 'b']", "tagged"),
    edit("a Python model's comment", "models/python.py", "    return", "    # all of it\n    return"),
    edit("a Python model's docstring", "models/python.py", "    return", "    \"\"\"All of it.\"\"\"\n    return"),
    edit("a Python model", "models/python.py", ".df()", "", "python"),
    edit("a Python model's package", "models/python.py", "import pricing", "import duckdb\nimport pricing", "python"),
    edit("a module of a module", "lib/rounding.py", "return x", "return x + 1", "python"),
    edit("a module's comment", "lib/rounding.py", "return x", "return x  # as it is"),
    edit("a module nobody imports", "lib/other.py", "", "x = 1\n"),
    edit("a semantic model, whose timestamp is new each time", "models/more.yml", "", "metrics: []"),
]  # fmt: skip


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The project in a folder, compiled once."""
    folder = tmp_path_factory.mktemp("mart")
    mart = Shop(folder / "project", folder / "state", FILES)
    mart.reset()
    mart.read(compiled=True)
    return mart


def prints(project: Project) -> dict[str, str]:
    return {node.short: node.fingerprint for node in project.nodes.values()}


@pytest.fixture(scope="module")
def before(mart: Shop) -> dict[str, str]:
    """The fingerprints of the project as it was at first."""
    found = prints(mart.read(compiled=True))
    assert set(found) == set(NAMES.split())
    return found


@pytest.fixture
def restored(mart: Shop) -> Generator[Shop]:
    """The project, put back afterwards."""
    yield mart
    mart.reset()


def expected(case: Case) -> set[str]:
    words = case.changes.split()
    return set(NAMES.split()) - set(words[2:]) if words[:2] == ["ALL", "BUT"] else set(words)


def together(cases: list[Case]) -> Iterator[tuple[Case, ...]]:
    """Yield groups of cases that can be tried at once, since each takes a second or more: they touch different files and
    change different nodes; those that change nothing are among themselves."""
    groups: list[list[Case]] = []
    for case in cases:
        fits = (group for group in groups if all(apart(case, other) for other in group))
        group = next(fits, None)
        if group is None:
            groups.append(group := [])
        group.append(case)
    yield from map(tuple, groups)


def apart(one: Case, two: Case) -> bool:
    files = touched(one) & touched(two)
    same_kind = bool(one.changes) == bool(two.changes)
    given = (one.variables.keys() & two.variables.keys()) | (one.environ.keys() & two.environ.keys())
    return same_kind and not files and not given and not expected(one) & expected(two)


def touched(case: Case) -> set[str]:
    return {*(case.moved or ()), *(path for path, _, _ in case.edits)}


def name(group: tuple[Case, ...]) -> str:
    return " + ".join(case.why for case in group)


@pytest.mark.parametrize("group", list(together([*TEXT, *AROUND])), ids=name)
def test_what_changes_and_what_does_not(
    restored: Shop, before: dict[str, str], group: tuple[Case, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    variables: dict[str, object] = {}
    for case in group:
        apply(restored, case)
        variables |= case.variables
        for variable, value in case.environ.items():
            monkeypatch.setenv(variable, value)
    after = prints(restored.read(variables, compiled=True))
    changed = {node for node in after if after[node] != before.get(node)}
    assert changed == {node for case in group for node in expected(case)}


def apply(mart: Shop, case: Case) -> None:
    for path, old, new in case.edits:
        text = FILES.get(path, "")
        assert old in text
        mart.write(path, text.replace(old, new, 1) if text else new)
    if case.moved:
        mart.write(case.moved[1], FILES[case.moved[0]])
        (mart.folder / case.moved[0]).unlink()
