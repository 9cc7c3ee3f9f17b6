"""The gate `diff` and what the commit said it would change."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.gates.base import CandidateView, DeclarationsView, ReleaseView, Subject, ask_gate
from prefect_sluice.gates.diff.gate import Diff, Settings
from prefect_sluice.planning.expectations import CommitDeclarations, from_message
from tests.gates.duck import DuckReader

PASSED, WARNED, FAILED, INCONCLUSIVE = (
    Verdict.PASSED,
    Verdict.WARNED,
    Verdict.FAILED,
    Verdict.INCONCLUSIVE,
)
BEFORE = "SELECT range AS id, 0 AS n, 0 AS m FROM range(100)"
AFTER = "SELECT range AS id, (range < 3)::INTEGER AS n, (range < 10)::INTEGER AS m FROM range(100)"
GONE = f"{BEFORE} WHERE range < 98"


def node(name: str, key: tuple[str, ...] = ("id",)) -> Node:
    return Node(f"model.shop.{name}", NodeKind.TABLE, Name("main", name), "", "sql", (), "f", unique_key=key)


def said(*lines: str) -> CommitDeclarations:
    return from_message("1a2b3c4", "\n".join(["Change it", "", *lines]))


def findings(
    after: str,
    *lines: str,
    before: str = BEFORE,
    cause: Cause = Cause.RELEASE,
    moved: tuple[str, ...] = (),
    key: tuple[str, ...] = ("id",),
    same_code: bool = False,
    **limits: float,
) -> tuple[Finding, ...]:
    duck = DuckReader(duckdb.connect())
    duck.connection.execute(f"CREATE TABLE before AS {before}")
    duck.connection.execute(f"CREATE TABLE after AS {after}")
    t, new, same = node("t", key), node("new"), node("same")
    subject = Subject(
        ReleaseView(
            Path(),
            {each.unique_id: each for each in (t, new, same)},
            (t.unique_id, new.unique_id),
            cause=cause,
            environment="dev",
        ),
        candidate=CandidateView(
            reader=duck,
            relations={t.unique_id: "after", new.unique_id: "after"},
            live={t.unique_id: "before"},
            moved={t.unique_id: moved} if moved else {},
            same_code=frozenset({t.unique_id} if same_code else ()),
        ),
        declarations=DeclarationsView(expected=lambda: said(*lines)),
    )
    return ask_gate(Diff(Settings(**limits)), subject).findings  # pyright: ignore[reportArgumentType]


CASES: dict[str, tuple[str, tuple[str, ...], Verdict, str]] = {
    "nothing declared": (AFTER, (), PASSED, "t: 10 of 100 rows changed (10.0 %), 2 columns"),
    "all declared": (AFTER, ("Expect: t.n up to 3%", "Expect: t.m up to 10%"), PASSED, "2 columns"),
    "all, by a pattern": (AFTER, ("Expect: t.*",), PASSED, "2 columns"),
    "a column not declared": (AFTER, ("Expect: t.n up to 3%",), FAILED, "not declared: m 10.0 %"),
    "more than declared": (
        AFTER,
        ("Expect: t.n", "Expect: t.m up to 5%"),
        FAILED,
        "not declared: m 10.0 %, expected up to 5.0 %",
    ),
    "the widest of two counts": (AFTER, ("Expect: t.* up to 1%", "Expect: *.? up to 10%"), PASSED, ""),
    "rows are not columns": (GONE, ("Expect: t.*",), FAILED, "not declared: rows 2.0 %"),
    "rows declared": (GONE, ("Expect: t rows up to 2%",), PASSED, "+0 -2 rows"),
    "more rows than declared": (GONE, ("Expect: t rows up to 1%",), FAILED, "rows 2.0 %, expected up to 1.0 %"),
    "only something else declared": (AFTER, ("Expect: same.n",), FAILED, "not declared: n 3.0 %; m 10.0 %"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_declared_once_something_is(case: str) -> None:
    after, lines, verdict, summary = CASES[case]
    finding = findings(after, *lines)[0]
    assert finding.verdict is verdict, finding
    assert summary in finding.summary


def test_it_shows_what_was_explained_and_by_what() -> None:
    finding = findings(AFTER, "Expect: t.n up to 3% (as asked)")[0]
    [table] = [each for each in finding.more if each.title == "expected changes"]
    assert table.rows == (
        ("m", "0.1", None, "no", None, None),
        ("n", "0.03", "3.0 %", "yes", "as asked", "commit 1a2b3c4:3"),
    )
    assert (finding.observed, finding.limit) == (0.1, 0.0)
    assert finding.fix.endswith("Expect: t.m up to 10%")


def test_what_it_says_to_write_explains_it() -> None:
    before = 'SELECT range AS id, 0 AS "a b", 0 AS n FROM range(999)'
    after = 'SELECT range AS id, (range < 7)::INTEGER AS "a b", 0 AS n FROM range(998)'
    fix = findings(after, "Expect: same.n", before=before)[0].fix
    said = fix.partition("commit message, a line each: ")[2].split("; ")
    assert said == ['Expect: t."a b" up to 0.8%', "Expect: t rows up to 0.2%"]
    assert findings(after, *said, before=before)[0].verdict is PASSED


def test_many_columns_are_told_in_one_line() -> None:
    columns = ", ".join(f"{{}} AS c{number}" for number in range(5))
    before = f"SELECT range AS id, {columns.replace('{}', '0')} FROM range(100)"
    after = f"SELECT range AS id, {columns.replace('{}', '(range < 7)::INTEGER')} FROM range(98)"
    fix = findings(after, "Expect: same.n", before=before)[0].fix
    said = fix.partition("commit message, a line each: ")[2].split("; ")
    assert said == ["Expect: t.* up to 7%", "Expect: t rows up to 2%"]
    assert findings(after, *said, before=before)[0].verdict is PASSED


def test_a_limit_makes_it_strict_always_or_never() -> None:
    assert findings(AFTER, max_unexplained_share=0.05)[0].verdict is FAILED
    assert findings(AFTER, max_unexplained_share=0.1)[0].verdict is PASSED
    assert findings(AFTER, "Expect: t.n", max_unexplained_share=1)[0].verdict is PASSED


def test_a_refresh_is_data_only() -> None:
    found = findings(AFTER, cause=Cause.REFRESH, max_unexplained_share=0, moved=("raw.flights",))[0]
    assert found.verdict is PASSED
    assert "raw.flights" not in found.summary
    assert findings(AFTER, cause=Cause.REFRESH, max_changed_share=0.05)[0].verdict is FAILED


def test_new_data_is_not_blamed_on_the_rule() -> None:
    finding = findings(AFTER, "Expect: t.n", moved=("raw.flights",))[0]
    assert finding.verdict is INCONCLUSIVE
    assert "raw.flights moved since what serves was built: it holds new data as well" in finding.summary
    assert finding.fix.startswith("serve the new data with the old code first (sluice refresh --env dev)")
    told = findings(AFTER, moved=("raw.flights",))[0]
    assert told.verdict is PASSED
    assert "holds new data as well" in told.summary
    same = findings(BEFORE, moved=("raw.flights",))[0]
    assert same.summary == "t: identical, 100 rows"


def test_what_the_same_code_made_of_new_data_needs_no_declaration() -> None:
    finding = findings(AFTER, "Expect: t.n", moved=("raw.flights",), same_code=True)[0]
    assert finding.verdict is PASSED
    assert "raw.flights moved since what serves was built: new data, by the same code" in finding.summary
    assert findings(AFTER, "Expect: t.n", same_code=True, max_changed_share=0.05)[0].verdict is FAILED


def test_all_rows_gone_is_a_no_whatever_moved() -> None:
    finding = findings(f"{BEFORE} LIMIT 0", "Expect: t.n", moved=("raw.flights",))[0]
    assert finding.verdict is FAILED
    assert "all 100 rows gone; raw.flights moved" in finding.summary
    assert "not declared: rows 100.0 %" in finding.summary


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        (("Expect: t.m up to 10%", "Expect: t.n up to 10%"), PASSED),
        (("Expect: t.m up to 9%", "Expect: t.n up to 9%"), FAILED),
        (("Expect: t.m",), FAILED),
    ],
)
def test_without_a_key_as_many_as_may_have_changed_did(lines: tuple[str, ...], verdict: Verdict) -> None:
    assert findings(AFTER, *lines, key=())[0].verdict is verdict


def test_values_exchanged_between_rows_without_a_key_are_rows() -> None:
    before, after = "VALUES (1, 2), (2, 1)", "VALUES (1, 1), (2, 2)"
    assert findings(after, "Expect: t.*", before=before, key=())[0].verdict is FAILED
    assert findings(after, "Expect: t rows", before=before, key=())[0].verdict is PASSED


UNTRUE = {
    "Expect: t.m": "expected t.m: nothing of it changed",
    "Expect: t rows up to 3%": "expected t rows up to 3 %: nothing of it changed",
    "Expect: t.nn": "expected t.nn: there is no such column; did you mean 'n'?",
    "Expect: sane.n": "expected sane.n: there is no such relation; did you mean 'same'?",
    "Expect: same.n": "expected same.n: the release does not change it",
    "Expect: new.n": "expected new.n: it is new, or could not be compared",
}


@pytest.mark.parametrize("line", UNTRUE)
def test_what_was_expected_and_did_not_happen_is_told(line: str) -> None:
    after = "SELECT range AS id, (range < 3)::INTEGER AS n, 0 AS m FROM range(100)"
    first, second = findings(after, line, "Expect: t.n")
    assert first.verdict is PASSED
    assert (second.verdict, second.summary, second.location) == (WARNED, UNTRUE[line], "commit 1a2b3c4:3")


def test_what_cannot_be_read_holds_the_release() -> None:
    _, second = findings(AFTER, "Expect: t")
    assert second.verdict is INCONCLUSIVE
    assert second.summary.startswith("commit 1a2b3c4:3: 'Expect: t' cannot be read: write it as")
