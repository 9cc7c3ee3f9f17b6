"""`lint` on small dbt projects: what it finds, what it cannot tell, what it does not do twice."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.former_text import Former, FormerText
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.release import Change
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import Gate, ReleaseView, Subject, ToolsView, ask_gate, views
from prefect_sluice.gates.lint.gate import Lint, Settings
from tests.gates.keeping import Kept

CONFIG = "[sqlfluff]\ndialect = duckdb\nrules = LT01, CP01\n"
DBT_CONFIG = CONFIG + "templater = dbt\n"
CLEAN = "select a from t\n"
SPACED = "select a from  t\n"


def write(project: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")


def node(path: str, kind: NodeKind = NodeKind.TABLE, language: str = "sql") -> Node:
    stem = Path(path).stem
    return Node(f"model.shop.{stem}", kind, Name("shop", stem), path, language, ("shop", stem), "0" * 8)


def ask(gate: Gate, project: Path, *nodes: Node, memory: Memory | None = None) -> GateReport:
    known = {one.unique_id: one for one in nodes}
    return ask_gate(
        gate, Subject(ReleaseView(project, known, (), rewritten=tuple(known)), tools=ToolsView(memory=memory))
    )


def lint(
    project: Path,
    files: Mapping[str, str],
    *,
    config: str = CONFIG,
    gate: Gate | None = None,
    memory: Memory | None = None,
) -> GateReport:
    write(project, {".sqlfluff": config, **files})
    models = [node(path) for path in files if path.startswith("models/") and path.endswith(".sql")]
    return ask(gate or Lint(), project, *models, memory=memory)


def as_they_were(*paths: str) -> Former:
    """Tell that these files are as they were, and all others new."""
    return lambda asked: {path: FormerText() for path in asked if path in paths}


def only(report: GateReport) -> Finding:
    (finding,) = report.findings
    return finding


def test_a_violation_is_a_finding_with_rule_place_and_reason(tmp_path: Path) -> None:
    finding = only(lint(tmp_path, {"models/marts/x.sql": f"-- a comment\n{SPACED}"}))
    assert (finding.gate, finding.check, finding.verdict) == ("lint", "LT01 layout.spacing", Verdict.FAILED)
    assert (finding.subject, finding.location) == ("model.shop.x", "models/marts/x.sql:2")
    assert "single space" in finding.summary


def test_each_violation_is_told_and_a_clean_file_is_said_to_be_clean(tmp_path: Path) -> None:
    report = lint(tmp_path, {"models/b.sql": "select  a FROM  t\n", "models/a.sql": CLEAN})
    assert [(f.location, f.check) for f in report.findings] == [
        ("models/a.sql", "sqlfluff"),
        ("models/b.sql:1", "LT01 layout.spacing"),
        ("models/b.sql:1", "CP01 capitalisation.keywords"),
        ("models/b.sql:1", "LT01 layout.spacing"),
    ]
    assert report.findings[0].verdict is Verdict.PASSED
    assert report.verdict is Verdict.FAILED


def test_what_the_project_only_warns_of_warns(tmp_path: Path) -> None:
    report = lint(tmp_path, {"models/x.sql": SPACED}, config=f"{CONFIG}warnings = LT01\n")
    assert only(report).verdict is Verdict.WARNED


def test_a_rule_at_which_sqlfluff_itself_fails_warns(tmp_path: Path) -> None:
    """A public project says so: the number is a text for it, and a newer sqlfluff than its author's falls over that."""
    config = (
        "[sqlfluff]\ndialect = duckdb\nrules = LT05\n[sqlfluff:rules]\nmax_line_length = 88  # as sqlfmt\n"
    )
    finding = only(lint(tmp_path, {"models/x.sql": CLEAN}, config=config))
    assert (finding.check, finding.verdict) == ("LT05 layout.long_lines", Verdict.WARNED)
    assert finding.summary == (
        "not asked, because sqlfluff failed at this rule: '<=' not supported between instances of 'str' and 'int'"
    )


def test_noqa_is_the_projects_own_word(tmp_path: Path) -> None:
    assert lint(tmp_path, {"models/x.sql": "select a from  t  -- noqa: LT01\n"}).verdict is Verdict.PASSED


def test_sql_that_does_not_parse_fails(tmp_path: Path) -> None:
    finding = only(lint(tmp_path, {"models/x.sql": "select a from from where\n"}))
    assert (finding.verdict, finding.check) == (Verdict.FAILED, "PRS parsing")


def test_only_what_was_edited_is_linted(tmp_path: Path) -> None:
    write(tmp_path, {".sqlfluff": CONFIG, "models/x.sql": CLEAN, "models/y.sql": SPACED})
    nodes = {one.unique_id: one for one in (node("models/x.sql"), node("models/y.sql"))}
    report = ask_gate(
        Lint(), Subject(ReleaseView(tmp_path, nodes, tuple(nodes), rewritten=("model.shop.x",)))
    )
    assert only(report).location == "models/x.sql"


@pytest.mark.parametrize(
    "other",
    [
        node("models/m.py", language="python"),
        node("seeds/s.csv", NodeKind.SEED),
        node("snapshots/s.yml", NodeKind.SNAPSHOT),
    ],
    ids=["python", "seed", "snapshot in YAML"],
)
def test_what_is_no_sql_file_is_not_looked_at(tmp_path: Path, other: Node) -> None:
    write(tmp_path, {".sqlfluff": CONFIG, other.path: "not SQL"})
    assert ask(Lint(), tmp_path, other).not_applicable == "no SQL model was edited"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("setup.cfg", "[sqlfluff]\ndialect = duckdb\nrules = LT01\n"),
        ("tox.ini", "[sqlfluff]\ndialect = duckdb\nrules = LT01\n"),
        ("pyproject.toml", '[tool.sqlfluff.core]\ndialect = "duckdb"\nrules = "LT01"\n'),
        ("models/.sqlfluff", CONFIG),
    ],
)
def test_settings_are_found_where_sqlfluff_finds_them(tmp_path: Path, file: str, text: str) -> None:
    write(tmp_path, {file: text, "models/x.sql": SPACED})
    assert only(ask(Lint(), tmp_path, node("models/x.sql"))).check == "LT01 layout.spacing"


@pytest.mark.parametrize("project", [".", "transform"])
def test_a_checkout_in_somebodys_working_tree_knows_its_own_settings_only(
    tmp_path: Path, project: str
) -> None:
    top = tmp_path / ".sluice" / "checkouts" / "one"
    write(tmp_path, {".git/HEAD": "", ".sqlfluff": "[sqlfluff]\nexclude_rules = LT01\n"})
    write(top, {".sqlfluff": CONFIG, f"{project}/models/x.sql": SPACED})
    change = Change("c", "t", project, "Ada", datetime(2026, 1, 1, tzinfo=UTC), "s")
    one = node("models/x.sql")
    given = Subject(
        ReleaseView(top / project, {one.unique_id: one}, (), rewritten=(one.unique_id,), change=change)
    )
    assert only(ask_gate(Lint(), given)).check == "LT01 layout.spacing"


def test_settings_at_the_repositorys_root_count_and_those_above_do_not(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write(tmp_path, {".sqlfluff": CONFIG, "repository/analytics/models/x.sql": SPACED})
    report = ask(Lint(), repository / "analytics", node("models/x.sql"))
    assert report.not_applicable == "the project has no .sqlfluff"
    write(repository, {".git/HEAD": "ref: refs/heads/main\n", "pyproject.toml": "[project]\nname = 'x'\n"})
    report = ask(Lint(), repository / "analytics", node("models/x.sql"))
    assert report.not_applicable == "the project has no .sqlfluff"
    write(repository, {".sqlfluff": CONFIG})
    assert only(ask(Lint(), repository / "analytics", node("models/x.sql"))).verdict is Verdict.FAILED


def test_the_nearest_settings_win(tmp_path: Path) -> None:
    files = {
        "models/x.sql": SPACED,
        "models/old/y.sql": SPACED,
        "models/old/.sqlfluff": "[sqlfluff]\nrules = CP01\n",
    }
    assert [f.verdict for f in lint(tmp_path, files).findings] == [Verdict.PASSED, Verdict.FAILED]


def test_files_that_the_project_excludes_are_left_out(tmp_path: Path) -> None:
    files = {".sqlfluffignore": "models/old/\n", "models/old/y.sql": SPACED}
    assert "excludes" in lint(tmp_path, files).not_applicable
    assert only(lint(tmp_path, files | {"models/x.sql": CLEAN})).location == "models/x.sql"


JINJA = (
    "{{ config(materialized='table') }}\n"
    "select {{ cents('a') }}, '{{ var('currency', 'EUR') }}', '{{ env_var('CITY', 'Wien') }}'\n"
    "from {{ ref('orders') }}\n"
    "{% if is_incremental() and target.name == 'prod' and execute %}where a > 1{% endif %}\n"
)


def test_the_dbt_templater_is_replaced_by_one_that_needs_no_dbt(tmp_path: Path) -> None:
    macros = {"dbt_project.yml": "name: shop\nmacro-paths: [own]\n", "own/m.sql": CENTS}
    report = lint(tmp_path, {**macros, "models/x.sql": JINJA}, config=DBT_CONFIG)
    assert [(f.verdict, f.summary) for f in report.findings] == [(Verdict.PASSED, "no violations")]


CENTS = "{% macro cents(column) %}{{ column }} / 100{% endmacro %}\n"


ODD = """\
{{ config(materialized='incremental', unique_key='id') }}
{%- set names = dbt_utils.get_column_values(ref('shop', 'orders', v=2), 'name', default=['a']) %}
{%- set found = run_query('select 1') %}
{%- set relation = adapter.get_relation(this.database, this.schema, this.identifier) %}
{% call statement('x', fetch_result=True) %}select 1{% endcall %}
select
    {{ dbt_utils._key(['a', 'b']) }} as k,
    {{ dbt.dateadd('day', 1, 'at') }} as tomorrow,
    {{ dbt.type_string() }} as kind,
    cast(a as {{ api.Column.translate_type('string') }}) as a,
    {{ days() }} as days,
    '{{ var("cities")[0] }}' as city,
    {{ var("elsewhere") }} as elsewhere,
    {%- for name in names %}
    {{ adapter.quote(name) }} as {{ name }},
    {%- endfor %}
    {%- for column in adapter.get_columns_in_relation(this) %}
    {{ column.name }},
    {%- endfor %}
    '{{ run_started_at.strftime("%Y-%m-%d") }}' as at,
    '{{ modules.datetime.date(2020, 1, 1) }}' as back_then,
    '{{ config.get("unique_key") }}' as key
from {{ source('raw', 'orders') }}
inner join {{ ref('orders', v=2) }} on orders.id = orders_v2.id
{% if relation is not none and found %}where false{% endif -%}
{% if is_incremental() and target.type == 'duckdb' %}
where orders.at > (select max(x.at) from {{ this }} as x)
{%- endif %}
"""
ODD_PROJECT = {
    "dbt_project.yml": "name: shop\nvars: {cities: [Wien], dbt_utils: {sep: '-'}}\n",
    "macros/m.sql": "{# {% macro days() %}{% endmacro %} #}{% macro days() %}{{ adapter.dispatch('days')() }}{% endmacro %}\n"
    "{% macro default__days() %}{{ return(var('given') * 2) }}{% endmacro %}\n"
    "{% test odd(model) %}select 1{% endtest %}\n",
    "dbt_packages/utils/dbt_project.yml": "name: dbt_utils\nvars: {sep: '|'}\n",
    "dbt_packages/utils/macros/k.sql": "{% macro _key(fields) -%}\n"
    "{{ return(adapter.dispatch('_key', 'dbt_utils')(fields)) }}\n{%- endmacro %}\n"
    "{% macro default___key(fields) -%}\nmd5({{ fields | join(\" || '\" ~ var('sep') ~ \"' || \") }})\n{%- endmacro %}\n"
    "{% macro get_column_values(table, column, default=none) %}\n{% if not execute %}{{ return(default) }}{% endif %}\n"
    "{{ return(run_query('x').columns[0].values()) }}\n{% endmacro %}\n",
}


def test_what_dbt_gives_a_template_is_given_without_dbt(tmp_path: Path) -> None:
    write(
        tmp_path,
        {**ODD_PROJECT, ".sqlfluff": "[sqlfluff]\ndialect = duckdb\ntemplater = dbt\nrules = RF01,PRS\n"},
    )
    write(tmp_path, {"models/x.sql": ODD})
    asked = node("models/x.sql")
    report = ask_gate(
        Lint(),
        Subject(
            ReleaseView(tmp_path, {asked.unique_id: asked}, (), rewritten=(asked.unique_id,)),
            tools=ToolsView(vars={"given": 2}),
        ),
    )
    assert [(f.verdict, f.summary) for f in report.findings] == [(Verdict.PASSED, "no violations")]


PACKAGE = {
    "dbt_project.yml": "name: shop\n",
    "dbt_packages/utils/dbt_project.yml": "name: utils\n",
    "dbt_packages/utils/macros/all_of.sql": """\
{% macro all_of(from, except=[]) -%}
    {%- if not (from is mapping and from.get('metadata', {}).get('type', '').endswith('Relation')) -%}
        {{ not_a_relation() }}
    {%- endif -%}
    {%- if from.is_cte and from.name.startswith(api.Relation.add_ephemeral_prefix('')) -%}
        {{ ephemeral() }}
    {%- endif -%}
    {%- if not execute -%}{% do return('*') %}{%- endif -%}
    {{ return(adapter.get_columns_in_relation(from) | map(attribute='quoted') | join(', ')) }}
{%- endmacro %}
""",
}
"""A package that asks as dbt_utils does whether it was given a relation, and which one."""


@pytest.mark.parametrize(
    "expression",
    [
        "{{ utils.all_of(from=ref('item'), except=['price']) }}",
        "{{ utils.all_of(source('raw', 'item')) }}",
        "{{ utils.all_of(this) }}",
        "{{ utils.all_of(api.Relation.create(schema='raw', identifier='item')) }}",
        "a as {{ api.Relation.add_ephemeral_prefix('item') }}",
        "a as {{ ref('item').incorporate(path={'identifier': 'b'}).identifier }}",
        "{{ ref('item').is_cte }} as a",
        "cast(a as {{ api.Column.numeric_type('numeric', 28, 6) }}) as a",
        "{{ api.Column.create('a', 'integer').quoted }} as a",
        "{{ ref('item').information_schema('tables').render() | length }} as a",
        "{{ dbt.current_timestamp() }} as a",
        "{{ dbt.safe_cast('a', api.Column.translate_type('string')) }} as a",
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "ansi"])
@pytest.mark.parametrize("templater", ["jinja", "dbt", "dbt-cloud"])
def test_what_packages_ask_of_a_relation_is_answered(
    tmp_path: Path, expression: str, dialect: str, templater: str
) -> None:
    config = f"[sqlfluff]\ndialect = {dialect}\ntemplater = {templater}\nrules = CP01\n"
    text = f"select {expression} from {{{{ ref('item') }}}}\n"
    report = lint(tmp_path, {**PACKAGE, "models/x.sql": text}, config=config)
    assert [(f.verdict, f.summary) for f in report.findings] == [(Verdict.PASSED, "no violations")]


def test_macros_are_dispatched_by_the_warehouse_and_not_by_the_dialect_of_the_linter(tmp_path: Path) -> None:
    macros = (
        "{% macro now() %}{{ adapter.dispatch('now')() }}{% endmacro %}\n"
        "{% macro default__now() %}from from{% endmacro %}\n"
        "{% macro ansi__now() %}from from{% endmacro %}\n"
        "{% macro duckdb__now() %}a{% endmacro %}\n"
    )
    files = {
        "dbt_project.yml": "name: shop\n",
        "macros/m.sql": macros,
        "models/x.sql": "select {{ now() }} from t\n",
    }
    report = lint(tmp_path, files, config="[sqlfluff]\ndialect = ansi\nrules = CP01\n")
    assert only(report).verdict is Verdict.PASSED


def test_what_only_dbt_can_render_is_not_linted_and_nothing_else_is_said_of_it(tmp_path: Path) -> None:
    kept = Kept()
    for _ in range(2):  # the second answer is one that was kept
        report = lint(
            tmp_path, {"models/x.sql": "select  {{ elsewhere.star() }}\n"}, config=DBT_CONFIG, memory=kept
        )
        finding = only(report)
        assert (finding.verdict, finding.check) == (Verdict.WARNED, "rendering")
        assert finding.location == "models/x.sql"
        assert finding.summary.startswith(
            "not linted, because its template could not be rendered without dbt: "
        )
        assert "elsewhere" in finding.summary


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("with a as ({% if execute %}select 1 as b{% endif %})\n\nselect b from a\n", "execute"),
        ("select 1 as a from ({% for c in run_query('x') %}select 1{% endfor %})\n", "run_query"),
        ("{% for n in graph.nodes.values() %}select 1{% endfor %}from\n", "graph"),
        ("select {% for c in adapter.get_columns_in_relation(ref('a')) %}{{ c.name }}{% endfor %} from from a\n", "adapter"),
        ("select * from {{ load_relation(this) }} where\n", "load_relation"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_since_the_warehouse_was_not_asked_is_not_linted(
    tmp_path: Path, text: str, asks: str
) -> None:
    """What `dbt_utils.union_relations` gives, and all of its kind. Without such a question it is broken SQL."""
    finding = only(lint(tmp_path, {"models/x.sql": text}, config=DBT_CONFIG))
    assert (finding.verdict, finding.check) == (Verdict.WARNED, "rendering")
    assert f"known only with the warehouse: it asks for {asks}" in finding.summary


def test_a_snapshot_block_is_looked_into(tmp_path: Path) -> None:
    text = "{% snapshot history -%}\n    select a from  t\n{%- endsnapshot %}\n"
    write(
        tmp_path, {".sqlfluff": "[sqlfluff]\ndialect = duckdb\nrules = LT01, LT02\n", "snapshots/s.sql": text}
    )
    finding = only(ask(Lint(), tmp_path, node("snapshots/s.sql", NodeKind.SNAPSHOT)))
    assert (finding.check, finding.location) == ("LT01 layout.spacing", "snapshots/s.sql:2")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("[sqlfluff]\ndialect = duckbd\n", "Unknown dialect"),
        ("[sqlfluff]\ntemplater = nothing\n", "nothing"),
        ("dialect = duckdb\n", "section"),
        (
            "[sqlfluff]\ndialect = duckdb\n[sqlfluff:rules:layout.long_lines]\nignore_comment_lines = 7\n",
            "ignore_",
        ),
    ],
)
def test_settings_that_cannot_be_used_are_an_error_not_a_pass(tmp_path: Path, config: str, told: str) -> None:
    finding = only(lint(tmp_path, {"models/x.sql": CLEAN}, config=config))
    assert finding.verdict is Verdict.ERRORED
    assert told in finding.summary


@pytest.mark.parametrize(
    ("new", "config", "verdicts"),
    [
        ((), CONFIG, {"inherited": Verdict.WARNED}),
        (("models/y.sql",), CONFIG, {"inherited": Verdict.WARNED, "LT01 layout.spacing": Verdict.FAILED}),
        ((), "dialect = duckdb\n", {"sqlfluff": Verdict.WARNED}),
        (("models/y.sql",), "dialect = duckdb\n", {"sqlfluff": Verdict.ERRORED}),
        ((".sqlfluff",), "dialect = duckdb\n", {"sqlfluff": Verdict.ERRORED}),
    ],
)
def test_what_was_there_before_a_first_release_warns_and_what_is_new_is_held_to_the_rules(
    tmp_path: Path, new: tuple[str, ...], config: str, verdicts: dict[str, Verdict]
) -> None:
    files = {"models/x.sql": SPACED, "models/y.sql": SPACED}
    write(tmp_path, {".sqlfluff": config, **files})
    known = {one.unique_id: one for one in map(node, files)}
    touched = (".sqlfluff", *files)
    old = [path for path in touched if path not in new]
    given = Subject(
        ReleaseView(tmp_path, known, (), rewritten=tuple(known), touched=touched, former=as_they_were(*old))
    )
    assert {item.check: item.verdict for item in ask_gate(Lint(), given).findings} == verdicts


def test_the_warehouses_dialect_is_taken_where_the_project_names_none(tmp_path: Path) -> None:
    report = lint(tmp_path, {"models/x.sql": "from t select a\n"}, config="[sqlfluff]\nrules = LT01\n")
    assert only(report).verdict is Verdict.PASSED


def test_a_file_over_the_projects_limit_is_not_taken_for_good(tmp_path: Path) -> None:
    finding = only(
        lint(tmp_path, {"models/x.sql": CLEAN}, config=f"{CONFIG}large_file_skip_byte_limit = 10\n")
    )
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "16 bytes" in finding.summary


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {".sqlfluff": CONFIG})
    assert only(ask(Lint(), tmp_path, node("models/gone.sql"))).verdict is Verdict.ERRORED


def test_without_sqlfluff_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlfluff", None)
    finding = only(lint(tmp_path, {"models/x.sql": CLEAN}))
    assert finding.verdict is Verdict.ERRORED
    assert finding.summary.endswith("install prefect-sluice[lint]")


# ---- the cache -----------------------------------------------------------------------------------------


def test_a_file_is_linted_once_wherever_its_checkout_stands(tmp_path: Path) -> None:
    memory = Kept()
    files = {"macros/m.sql": CENTS, "models/x.sql": SPACED, "models/y.sql": CLEAN}
    first = lint(tmp_path / "one", files, config=DBT_CONFIG, memory=memory)
    assert len(memory.written) == 2
    assert lint(tmp_path / "two", files, config=DBT_CONFIG, memory=memory) == first
    assert len(memory.written) == 2


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("models/x.sql", "select b from t\n"),
        (".sqlfluff", CONFIG.replace("LT01", "LT02")),
        ("macros/m.sql", CENTS),
    ],
    ids=["text", "settings", "macros"],
)
def test_whatever_decides_the_answer_is_part_of_its_key(tmp_path: Path, file: str, text: str) -> None:
    memory = Kept()
    write(tmp_path, {"macros/m.sql": "", "models/x.sql": CLEAN, ".sqlfluff": DBT_CONFIG})
    ask(Lint(), tmp_path, node("models/x.sql"), memory=memory)
    write(tmp_path, {file: text})
    ask(Lint(), tmp_path, node("models/x.sql"), memory=memory)
    assert len(memory) == 2


@pytest.mark.parametrize("damage", [None, [], {"violations": [{"code": 1}], "skipped": ""}])
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage: Json) -> None:
    memory = Kept()
    first = lint(tmp_path / "project", {"models/x.sql": SPACED}, memory=memory)
    ((key, good),) = memory.items()
    memory[key] = damage
    assert ask(Lint(), tmp_path / "project", node("models/x.sql"), memory=memory) == first
    assert memory[key] == good


def test_an_answer_that_broke_is_not_kept(tmp_path: Path) -> None:
    memory = Kept()
    lint(tmp_path, {"models/x.sql": CLEAN}, config="[sqlfluff]\ndialect = latin\n", memory=memory)
    assert memory == {}


# ---- how it behaves ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_answer_as_one_does(tmp_path: Path) -> None:
    files = {"models/a.sql": SPACED, "models/b.sql": CLEAN, "models/c.sql": "select a from from\n"}
    assert lint(tmp_path, files, gate=Lint(Settings(processes=2))) == lint(tmp_path, files)


def test_it_prints_nothing_and_leaves_no_handler_and_no_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("sqlfluff")
    before = (list(logger.handlers), logger.propagate, logger.level)
    project = tmp_path / "project"
    # A wrong noqa and an ignored file both make sqlfluff log a warning.
    files = {
        "models/x.sql": "select a from t  -- noqa: disable=NOPE\n",
        "models/y.sql": CLEAN,
        ".sqlfluffignore": "models/y.sql\n",
    }
    lint(project, files)
    assert capfd.readouterr() == ("", "")
    assert (logger.handlers, logger.propagate, logger.level) == before
    left = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert left == {*files, ".sqlfluff"}


def test_neither_the_working_folder_nor_the_home_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, {".sqlfluff": "[sqlfluff]\nexclude_rules = LT01\n", ".sqlfluffignore": "*.sql\n"})
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(elsewhere))
    report = lint(tmp_path / "project", {"models/x.sql": SPACED})
    assert only(report).check == "LT01 layout.spacing"
    assert Path(os.curdir).resolve() == elsewhere.resolve()


def test_settings_that_changed_in_place_are_seen(tmp_path: Path) -> None:
    assert lint(tmp_path, {"models/x.sql": SPACED}).verdict is Verdict.FAILED
    assert (
        lint(tmp_path, {"models/x.sql": SPACED}, config=CONFIG.replace("LT01, ", "")).verdict
        is Verdict.PASSED
    )


def test_sqlfluffs_rust_parser_is_installed_and_used() -> None:
    from sqlfluff.core import FluffConfig
    from sqlfluff.core.parser.rust_parser import RustParser

    assert RustParser is not None, "prefect-sluice[lint] asks for sqlfluff[rs]"
    assert FluffConfig(overrides={"dialect": "duckdb"}).get("use_rust_parser") == "auto"


def test_a_file_that_is_not_utf8_is_an_error_that_says_where(tmp_path: Path) -> None:
    write(tmp_path, {".sqlfluff": CONFIG, "models/x.sql": CLEAN})
    (tmp_path / "models/x.sql").write_bytes(b"-- one\nselect '\xe9' as a\n")
    finding = only(ask(Lint(), tmp_path, node("models/x.sql")))
    assert (finding.verdict, finding.summary) == (
        Verdict.ERRORED,
        "the file is not UTF-8: byte 0xe9 in line 2",
    )


@pytest.mark.parametrize("config", [b"[sqlfluff]\ndialect = \xe9\n", b"[sqlfluff\n"])
def test_settings_that_are_no_text_are_an_error(tmp_path: Path, config: bytes) -> None:
    write(tmp_path, {"models/x.sql": CLEAN})
    (tmp_path / ".sqlfluff").write_bytes(config)
    assert only(ask(Lint(), tmp_path, node("models/x.sql"))).verdict is Verdict.ERRORED


def test_what_the_settings_give_stands_above_what_dbt_gives(tmp_path: Path) -> None:
    macros = "[sqlfluff:templater:jinja:macros]\nours = {% macro cents(c) %}1  as a{% endmacro %}\n"
    files = {"macros/m.sql": CENTS, "models/x.sql": "select {{ cents('a') }} from t\n"}
    assert only(lint(tmp_path, files, config=DBT_CONFIG)).verdict is Verdict.PASSED
    broken = macros.replace("1  as a", "from from")
    assert only(lint(tmp_path, files, config=DBT_CONFIG + broken)).check == "PRS parsing"


@pytest.mark.slow
def test_a_script_that_lints_is_not_run_again_by_the_process_that_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A script without a guard: what multiprocessing starts anew would run it again.
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from prefect_sluice.gates.base import ReleaseView, ToolsView\n"
        "from prefect_sluice.gates.lint.gate import Lint, Settings\n"
        "from tests.gates.test_lint import CONFIG, SPACED, node, write\n"
        f"project = Path({str(tmp_path / 'project')!r})\n"
        "write(project, {'.sqlfluff': CONFIG, 'models/a.sql': SPACED, 'models/b.sql': SPACED + ' '})\n"
        "nodes = {one.unique_id: one for one in (node('models/a.sql'), node('models/b.sql'))}\n"
        "release = ReleaseView(project, nodes, (), rewritten=tuple(nodes))\n"
        "report = Lint(Settings(processes=2)).check(release, ToolsView())\n"
        "print(report.verdict.name)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "FAILED"


def test_it_is_a_gate_for_sources() -> None:
    gate: Gate = Lint()
    assert (gate.id, views(gate)) == ("lint", ("release", "tools"))
