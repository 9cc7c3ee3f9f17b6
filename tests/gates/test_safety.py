"""The gate `safety`: what hooks, operations, macros and Python models do beside their queries."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from prefect_sluice.domain.declarations import CodeText, Declarations
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.release import Change
from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.gates import run
from prefect_sluice.gates.base import DeclarationsView, Gate, ReleaseView, Subject, ToolsView, ask_gate, views
from prefect_sluice.gates.safety.gate import Safety, Settings
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.plan_notes import NotesBefore
from tests.gates.keeping import Kept
from tests.gates.views import but

PASSED, WARNED, INCONCLUSIVE, FAILED = Verdict.PASSED, Verdict.WARNED, Verdict.INCONCLUSIVE, Verdict.FAILED
ORDERS, TOTALS = "model.shop.orders", "model.shop.totals"


def node(uid: str, language: str = "sql", path: str = "models/x.sql") -> Node:
    return Node(uid, NodeKind.TABLE, Name("marts", uid.rpartition(".")[2]), path, language, (), "f")


def plan(release: str = "r2", base: str = "r1") -> Plan:
    return Plan("dev", Cause.RELEASE, release, 1, base, (), (), (), NotesBefore({}, {}))


def hook(text: str, kind: str = "post-hook") -> CodeText:
    return CodeText(f"{ORDERS}.{kind}", kind, text, ORDERS, "models/orders.sql")


def macro(text: str, *, runs: str = "beside", package: str = "") -> CodeText:
    return CodeText("macro.shop.m", "macro", text, path="macros/m.sql", package=package, runs=runs)


def subject(*code: CodeText, folder: Path = Path("nowhere"), nodes: tuple[Node, ...] = ()) -> Subject:
    """Return a release of which an earlier one, without any of the code, serves."""
    there = (node(ORDERS), node(TOTALS), *nodes)
    kept = Kept()
    kept.keep("writes.1 dev r1", [])
    return Subject(
        ReleaseView(
            folder, {one.unique_id: one for one in there}, (), catalog="shop", environment="dev", plan=plan()
        ),
        declarations=DeclarationsView(now=Declarations(code=code)),
        tools=ToolsView(memory=kept),
    )


def told(given: Subject) -> list[Finding]:
    """Return the findings but for the one that says how much was looked at."""
    *findings, looked = ask_gate(Safety(), given).findings
    assert (looked.check, looked.verdict) == ("looked-at", PASSED)
    return findings


def test_is_a_gate() -> None:
    gate: Gate = Safety()
    assert (gate.id, views(gate)) == ("safety", ("release", "declarations", "tools"))


@pytest.mark.parametrize(
    "text",
    [
        "analyze",
        "delete from {{ this }} where id < 0",
        "insert into {{ ref('orders') }} select 1",
        "update marts.orders set id = 1",
        "update shop.marts.ORDERS set id = 1",
        'delete from "shop"."marts"."orders"',
        "create index i on {{ this }} (id)",
        "{% for role in var('roles') %}grant select on {{ this }} to {{ role }};{% endfor %}",
        "create schema if not exists audit",
        "{{ log('drop schema x') }}",
        "alter table {{ this }} add primary key (id)",
    ],
)
def test_what_an_ordinary_project_does_passes(text: str) -> None:
    assert told(subject(hook(text))) == []


@pytest.mark.parametrize(
    ("text", "verdict", "check", "said"),
    [
        ("insert into audit.log select 1", FAILED, "writes-elsewhere", "audit.log is outside"),
        ("create table audit.log as select 1", FAILED, "writes-elsewhere", "audit.log is outside"),
        ("insert into other.marts.log select 1", FAILED, "writes-elsewhere", "in another database"),
        ("insert into {{ source('raw', 'x') }} select 1", FAILED, "writes-elsewhere", "is a source"),
        (
            "delete from {{ ref('totals') }}",
            FAILED,
            "changes-another",
            "{{ ref('totals') }} is another model",
        ),
        ("delete from marts.totals", FAILED, "changes-another", "marts.totals is another model"),
        ("drop table {{ target.schema }}.totals", FAILED, "changes-another", "another model"),
        ("insert into marts.log select 1", WARNED, "writes-beside", "marts.log is no model"),
        ("insert into {{ target.schema }}.log select 1", WARNED, "writes-beside", "is no model"),
        ("insert into log select 1", WARNED, "writes-beside", "log is no model"),
        ("insert into {{ var('log') }} select 1", INCONCLUSIVE, "not-known", "not known before it runs"),
        ("insert into x values ('open", INCONCLUSIVE, "not-known", "cannot be taken apart"),
        ("insert into {% if %}", INCONCLUSIVE, "not-known", "cannot be taken apart"),
        ("copy {{ this }} to 's3://bucket/x.parquet'", FAILED, "copies-out", "no gate has judged it"),
        ("export database 'out'", FAILED, "copies-out", "no gate has judged it"),
        ("attach 'x.db' as x", FAILED, "attaches", "in no release"),
        ("attach 'x.db' as x (read_only)", WARNED, "attaches", "nobody sees"),
        ("drop schema audit cascade", FAILED, "drops-schema", "stays"),
        ("set global threads = 1", WARNED, "settings", "has it not"),
        ("install httpfs", WARNED, "extensions", "has it not"),
        ("create persistent secret s (type s3)", FAILED, "secrets", "for good"),
        ("select http_post('https://example.org')", FAILED, "calls-out", "released or not"),
    ],
)
def test_what_a_hook_may_not_do(text: str, verdict: Verdict, check: str, said: str) -> None:
    [finding] = told(subject(hook(text)))
    assert (finding.verdict, finding.check, finding.subject) == (verdict, check, ORDERS)
    assert said in finding.summary
    assert finding.fix


def test_both_branches_are_looked_at() -> None:
    text = "{% if x %}insert into a.b select 1{% else %}drop schema c{% endif %}"
    assert [finding.check for finding in told(subject(hook(text)))] == ["writes-elsewhere", "drops-schema"]


def test_a_macro_is_looked_at_as_far_as_it_is_called() -> None:
    writes = "{% macro m(x) %}{% do run_query('insert into audit.log select 1') %}{% endmacro %}"
    given = "{% macro m(x) %}create table {{ x }} as select 1{% endmacro %}"
    assert [finding.subject for finding in told(subject(macro(writes, runs="query")))] == ["macro.shop.m"]
    assert told(subject(macro(given, runs="query"))) == []
    assert [finding.verdict for finding in told(subject(macro(given)))] == [INCONCLUSIVE]
    assert "no hooks" in ask_gate(Safety(), subject(macro(writes, runs=""))).not_applicable


def test_a_package_is_told_of_once_and_only_warned_of() -> None:
    text = "{% macro m(x) %}drop schema a; copy x to 'y'; drop table {{ x }}{% endmacro %}"
    [finding] = told(subject(macro(text, package="elsewhere")))
    assert (finding.verdict, finding.check) == (WARNED, "package")
    assert finding.summary == (
        "package elsewhere does 3 things beside the models' queries, some of it outside the warehouse"
    )
    assert finding.evidence
    assert finding.evidence.total == 3


def test_what_serves_already_is_listed_and_no_more() -> None:
    given = subject(hook("insert into audit.log select 1"))
    assert [finding.verdict for finding in told(given)] == [FAILED]
    other = hook("insert into audit.log select 2 -- with other values")
    later = but(given, plan=plan("r3", base="r2"), now=Declarations(code=(other,)))
    [finding] = ask_gate(Safety(), later).findings
    assert finding.verdict is PASSED
    assert finding.summary == "1 hook, operation, macro or Python model looked at, and nothing new in them " \
        "leads outside the candidate; 1 known from before"  # fmt: skip
    assert finding.evidence
    more = but(later, now=Declarations(code=(other, hook("drop schema x", "pre-hook"))))
    assert [finding.check for finding in told(more)] == ["drops-schema"]


@pytest.mark.parametrize("known", [False, True])
def test_the_first_time_it_warns_unless_something_leaves(known: bool) -> None:
    code = (hook("insert into audit.log select 1"), hook("insert into {{ x }} select 1", "pre-hook"))
    given = but(subject(*code), plan=plan(base="r1" if known else ""), memory=Kept())
    assert [finding.verdict for finding in told(given)] == [WARNED, WARNED]
    leaving = but(given, now=Declarations(code=(hook("copy {{ this }} to '/x.csv'"),)))
    assert [finding.verdict for finding in told(leaving)] == [FAILED]


@pytest.mark.parametrize(
    ("place", "verdict"),
    [
        ("x.csv", WARNED),
        ("../data/{{ this.name }}.parquet", WARNED),
        ("../../x.csv", FAILED),
        ("linked/x.csv", FAILED),
        ("~/x.csv", FAILED),
        ("s3://bucket/x.csv", FAILED),
        ("C:/x.csv", FAILED),
        ("{{ var('out') }}/x.csv", FAILED),
    ],
)
def test_a_file_that_is_put_aside_does_not_hold_a_first_release(
    tmp_path: Path, place: str, verdict: Verdict
) -> None:
    """A new one does: what is put aside is not where its author wants it."""
    (tmp_path / "dbt").mkdir()
    (tmp_path / "dbt" / "linked").symlink_to(tmp_path.parent)
    change = Change("c", "t", "dbt", "Ada", datetime(2026, 1, 1, tzinfo=UTC), "s")
    given = but(subject(hook(f"copy {{{{ this }}}} to '{place}'"), folder=tmp_path / "dbt"), change=change)
    assert [finding.verdict for finding in told(given)] == [FAILED]
    first = but(given, plan=plan(base=""), memory=Kept())
    assert [finding.verdict for finding in told(first)] == [verdict]


def test_what_is_meant_is_let_pass_by_model_and_check() -> None:
    own = Settings.model_validate(
        {
            "except": [
                {"node": "orders", "check": "writes-*", "reason": "read by us alone", "until": "2026-12-24"}
            ]
        }
    )
    code = (hook("insert into audit.log select 1"), hook("drop schema audit", "pre-hook"))
    report = run(Safety(), subject(*code), {"safety": own}, today=date(2026, 12, 24))
    assert [finding.verdict for finding in report.findings] == [WARNED, FAILED, PASSED]


def test_without_a_memory_it_warns() -> None:
    given = but(subject(hook("insert into audit.log select 1")), memory=None, plan=None)
    assert [finding.verdict for finding in told(given)] == [WARNED]


def test_it_says_where(tmp_path: Path) -> None:
    files = {
        "models/orders.sql": "{{ config(\n  post_hook='insert into audit.log select 1'\n) }}\nselect 1 as id",
        "macros/m.sql": "{# insert into audit.log #}\n\n{% macro m() %}\n  insert into\n    audit.log\n{% endmacro %}",
        "dbt_project.yml": "name: shop\non-run-end:\n  - drop schema audit\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    operation = CodeText(
        "operation.shop.shop-on-run-end-0", "on-run-end", "drop schema audit", path="./dbt_project.yml"
    )
    code = (hook("insert into audit.log select 1"), macro(files["macros/m.sql"][29:]), operation)
    places = [finding.location for finding in told(subject(*code, folder=tmp_path))]
    assert places == ["models/orders.sql:2", "macros/m.sql:4", "dbt_project.yml:3"]


def test_python_models_with_their_modules_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "helpers.py").write_text("import requests\n")
    (tmp_path / "models/seats.py").write_text(
        "import helpers\n\ndef model(dbt, session):\n    session.sql('insert into audit.log select 1')\n"
        "    session.execute('create or replace temp table t as select 1')\n"
        "    open('/tmp/x', 'w')\n    return dbt.ref('orders')\n"
    )
    seats = node("model.shop.seats", "python", "models/seats.py")
    found = told(subject(folder=tmp_path, nodes=(seats,)))
    assert [(finding.verdict, finding.location) for finding in found] == [
        (FAILED, "models/seats.py:4"),
        (WARNED, "models/seats.py:6"),
        (WARNED, "helpers.py:1"),
    ]


def test_a_project_without_any_of_it_is_not_judged() -> None:
    assert "no hooks" in ask_gate(Safety(), subject()).not_applicable


def test_what_another_environment_has_is_not_known_here() -> None:
    """A hook may stand under one target only: what dev's release does is no excuse for prod's."""
    given = subject(hook("copy orders to 'out.csv'"))
    assert given.tools.memory is not None
    ask_gate(Safety(), but(given, plan=plan(release="r1", base="r0")))
    prod = but(given, environment="prod")
    given.tools.memory.keep("writes.1 prod r1", [])
    assert told(prod) != []
