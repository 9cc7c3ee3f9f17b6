"""The gate `parity`: what differs between two environments, and what that means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from prefect_sluice.domain.build_conditions import (
    ConditionDifference,
    Conditions,
    ConditionsBefore,
    differences,
    setting_text,
)
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.verdict import GateReport, Verdict
from prefect_sluice.gates.base import Gate, ReleaseView, Subject, ToolsView, ask_gate
from prefect_sluice.gates.parity.gate import Parity, Settings
from prefect_sluice.runtime import documents
from prefect_sluice.warehouse.duckdb.session import engine

PASSED, WARNED, FAILED, INCONCLUSIVE = Verdict.PASSED, Verdict.WARNED, Verdict.FAILED, Verdict.INCONCLUSIVE
ORDERS = "model.shop.orders"
SAME: Mapping[str, Mapping[str, str]] = {
    "tools": {"duckdb": "1.5.5", "python": "3.11"},
    "settings": {"timezone": "UTC"},
    "sources": {"raw.orders": "there", "raw.orders.id": "INTEGER", "raw.orders.größe": "VARCHAR"},
}


def node() -> Node:
    return Node(
        ORDERS,
        NodeKind.TABLE,
        Name("main", "orders"),
        "models/orders.sql",
        "sql",
        (),
        "f",
        sources=(Name("prod_raw", "Orders"),),
    )


def facts(**changed: Mapping[str, str]) -> Conditions:
    return Conditions({**SAME, **changed}, relations={"raw.orders": "prod_raw.orders"})


def ask(before: Conditions, here: Conditions, *, notes: tuple[str, ...] = (), **said: object) -> GateReport:
    gate: Gate = Parity(Settings.model_validate(said))
    proven = ConditionsBefore("dev", before, here, notes)
    return ask_gate(
        gate,
        Subject(
            ReleaseView(Path(), {ORDERS: node()}, (), environment="prod"),
            tools=ToolsView(conditions=lambda: proven),
        ),
    )


def bad(report: GateReport) -> list[tuple[Verdict, str]]:
    return [(one.verdict, one.check) for one in report.findings if one.verdict is not PASSED]


def test_the_same_passes_group_by_group() -> None:
    report = ask(facts(), facts())
    assert (report.verdict, [one.check for one in report.findings]) == (
        PASSED,
        ["tools", "settings", "sources"],
    )
    assert report.findings[2].observed == 3


def test_nothing_to_compare_with_is_said() -> None:
    gate: Gate = Parity()
    asked = Subject(
        ReleaseView(Path(), {}, ()),
        tools=ToolsView(conditions=lambda: "no environment comes before this one"),
    )
    assert ask_gate(gate, asked).not_applicable == "no environment comes before this one"
    assert ask_gate(gate, Subject(ReleaseView(Path(), {}, ()))).not_applicable


def test_a_difference_warns_with_what_each_side_has() -> None:
    report = ask(facts(), facts(settings={"timezone": "Europe/Berlin", "default_collation": "DE"}))
    assert bad(report) == [(WARNED, "settings.default_collation"), (WARNED, "settings.timezone")]
    assert [one.summary for one in report.findings if one.verdict is WARNED] == [
        "settings.default_collation is DE in prod, and is not in dev",
        "settings.timezone is Europe/Berlin in prod, and UTC in dev",
    ]


@pytest.mark.parametrize(
    ("group", "here", "verdict", "check"),
    [
        ("tools", {"duckdb": "2.0.0", "python": "3.11"}, FAILED, "tools.duckdb"),
        ("tools", {"duckdb": "1.6.0", "python": "3.11"}, WARNED, "tools.duckdb"),
        ("tools", {"duckdb": "1.5.5", "python": "4.0"}, WARNED, "tools.python"),
        ("sources", {}, FAILED, "sources.raw.orders"),
        ("sources", {"raw.orders": "there", "raw.orders.id": "INTEGER"}, WARNED, "sources.raw.orders.größe"),
        (
            "sources",
            {**SAME["sources"], "raw.orders.id": "BIGINT"},
            WARNED,
            "sources.raw.orders.id",
        ),
        ("sources", {**SAME["sources"], "raw.x": "there", "raw.x.a": "INTEGER"}, WARNED, "sources.raw.x"),
    ],
)  # fmt: skip
def test_what_cannot_be_good_fails_by_itself(
    group: str, here: Mapping[str, str], verdict: Verdict, check: str
) -> None:
    report = ask(facts(), facts(**{group: here}))
    assert bad(report) == [(verdict, check)]


def test_a_source_names_the_models_that_read_it() -> None:
    [found] = [one for one in ask(facts(), facts(sources={})).findings if one.verdict is FAILED]
    assert found.subject == ORDERS
    assert found.summary == "sources.raw.orders is not in prod, and is there in dev"
    column = {"raw.orders": "there", "raw.orders.id": "INTEGER"}
    [found] = [one for one in ask(facts(), facts(sources=column)).findings if one.verdict is WARNED]
    assert found.subject == ORDERS


def test_known_differences_pass_and_are_told_and_strict_holds_the_others() -> None:
    here = facts(settings={"timezone": "Europe/Berlin"}, sources={})
    known = {"settings.*": "a laptop", "sources.raw.orders": "it comes on Monday"}
    report = ask(facts(), here, known=known, strict=True)
    assert report.verdict is PASSED
    assert report.findings[1].summary.endswith("(known: a laptop)")
    report = ask(facts(), here, known={"sources.*": "x"}, strict=True)
    assert bad(report) == [(FAILED, "settings.timezone")]


def test_what_could_not_be_told_never_passes() -> None:
    dark = Conditions({**SAME}, unknown={"sources": "process 7 holds it"})
    for report in (ask(dark, facts()), ask(facts(), dark)):
        assert bad(report) == [(INCONCLUSIVE, "sources")]
    assert (
        ask(facts(), dark).findings[2].summary
        == "columns of the sources in prod are not known: process 7 holds it"
    )


def test_a_note_warns() -> None:
    assert bad(ask(facts(), facts(), notes=("sources as of yesterday",))) == [(WARNED, "as of then")]


def test_many_differences_are_told_together() -> None:
    many = {"raw.orders": "there", **{f"raw.orders.c{n:03}": "INTEGER" for n in range(200)}}
    report = ask(facts(), facts(sources=many))
    last = [one for one in report.findings if one.verdict is WARNED][-1]
    assert (len(report.findings), last.observed) == (2 + 20 + 1, 182)
    assert last.evidence is not None
    assert (len(last.evidence.rows), last.evidence.columns) == (100, ("what", "dev", "prod"))


def test_conditions_are_what_was_kept() -> None:
    kept = Conditions(SAME, {"vars": "no"}, {"raw.orders": "raw.orders"})
    assert documents.read(Conditions, documents.document(kept)) == kept
    assert list(differences(kept, kept)) == []
    other = Conditions({"vars": {"x": "1"}, "env": {"Y": "1"}})
    assert ConditionDifference("env", "Y", "-", "1") in differences(kept, other)
    assert not [item for item in differences(kept, other) if item.group == "vars"]


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("REGION", "eu-central-1", False),
        ("s3_secret_access_key", "abc", True),
        ("plugins.0.config.password", "abc", True),
        ("WAREHOUSE", "postgres://ada:lovelace@db/x", True),
        ("text", "x" * 100, False),
    ],
)
def test_what_may_be_a_secret_is_not_shown(name: str, value: str, *, hidden: bool) -> None:
    shown = setting_text(name, value)
    assert (value not in shown) is (hidden or len(value) > 60)
    assert (setting_text(name, value) == shown, setting_text(name, value + "!") == shown) == (True, False)


def test_settings_are_compared_as_the_engine_has_them() -> None:
    assert engine({"TimeZone": "etc/utc"}).settings == engine({"timezone": "UTC"}).settings
    assert engine({"TimeZone": "Europe/Berlin"}).settings["timezone"] == "Europe/Berlin"
    assert (
        engine({"default_collation": "nocase", "no_such": "1", 'a"b': "';"}).settings["default_collation"]
        == "nocase"
    )
