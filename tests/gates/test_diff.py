"""The gate `diff` and the comparison under it, against a comparison of the same rows in Python."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_sluice.config import GateSettings as Own
from prefect_sluice.diff.compare import compare
from prefect_sluice.diff.relation import (
    Cell,
    ChangedColumn,
    ChangedRow,
    NameCaseChange,
    RelationDiff,
    TypeChange,
)
from prefect_sluice.diff.text import render_text
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.verdict import Evidence, Finding, Verdict
from prefect_sluice.gates.base import CandidateView, Gate, ReleaseView, Subject, ask_gate, views
from prefect_sluice.gates.catalog import checked
from prefect_sluice.gates.diff.gate import Diff, Settings
from prefect_sluice.warehouse.base import Column
from tests.gates.duck import DuckReader

PASSED, WARNED, FAILED, ERRORED = Verdict.PASSED, Verdict.WARNED, Verdict.FAILED, Verdict.ERRORED
LIVE = """VALUES (1, 'AA', 0.5::DOUBLE), (2, 'UA', NULL), (3, 'DL', 'nan'::DOUBLE), (4, NULL, -1.5::DOUBLE)"""


def reader(before: str, after: str) -> DuckReader:
    """Return a reader of `before` and `after`, made from two queries."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE before AS {before}")
    connection.execute(f"CREATE TABLE after AS {after}")
    return DuckReader(connection)


def named(values: str, *columns: str) -> str:
    return f"SELECT * FROM ({values}) AS t({', '.join(columns or ('id', 'carrier', 'share'))})"


def differ(before: str, after: str, *key: str) -> RelationDiff:
    return compare(reader(before, after), "before", "after", key, "t")


# --- the comparison ---


def test_identical_is_one_query_per_side() -> None:
    duck = reader(named(LIVE), f"SELECT * FROM ({named(LIVE)}) ORDER BY id DESC")
    diff = compare(duck, "before", "after", ("id",), "t")
    assert diff.identical
    assert diff.headline == "identical, 4 rows"
    assert len(duck.asked) == 2


def test_a_changed_relation_by_key() -> None:
    after = "VALUES (1, 'AA', 0.75::DOUBLE), (2, NULL, NULL), (3, 'DL', 'nan'::DOUBLE), (5, 'B6', 0)"
    diff = differ(named(LIVE), named(after), "id")
    assert (diff.rows_before, diff.rows_after) == (4, 4)
    assert (diff.rows_changed, diff.rows_added, diff.rows_removed) == (2, 1, 1)
    assert diff.columns_changed == (ChangedColumn("carrier", 1), ChangedColumn("share", 1))
    assert diff.changed == (
        ChangedRow(("1",), (Cell("share", "0.5", "0.75"),)),
        ChangedRow(("2",), (Cell("carrier", "UA", None),)),
    )
    assert diff.added == Evidence(("id", "carrier", "share"), (("5", "B6", "0.0"),), 1)
    assert diff.removed == Evidence(("id", "carrier", "share"), (("4", None, "-1.5"),), 1)
    assert diff.headline == "2 of 4 rows changed (50.0 %), 2 columns; +1 -1 rows"


def test_without_a_key_rows_are_counted() -> None:
    diff = differ("SELECT unnest([1, 1, 1, 2]) AS a", "SELECT unnest([1, 1, 3, NULL, NULL]) AS a")
    assert diff.rows_changed is None
    assert (diff.rows_removed, diff.rows_added) == (2, 3)
    assert diff.removed == Evidence(("a",), (("1",), ("2",)), 2)
    assert diff.added is not None
    assert Counter(diff.added.rows) == Counter([("3",), (None,), (None,)])
    assert diff.columns_changed == (ChangedColumn("a", None),)
    assert diff.changed_share == 0.5


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("VALUES (1, 1)", "VALUES (1, 1), (1, 2)", "key id is not unique after: 1 row too many"),
        ("VALUES (1, 1), (1, 2)", "VALUES (1, 1)", "key id is not unique before: 1 row too many"),
        ("VALUES (1, 1)", "VALUES (1, 2), (NULL, 2)", "key id is NULL in 1 row after"),
    ],
)
def test_a_key_that_is_none_is_not_used(before: str, after: str, problem: str) -> None:
    diff = differ(named(before, "id", "n"), named(after, "id", "n"), "id")
    assert (diff.key, diff.key_problem, diff.rows_changed) == ((), problem, None)


def test_a_key_of_several_columns() -> None:
    diff = differ("SELECT 1 AS a, 'x' AS b, 1 AS n", "SELECT 1 AS a, 'x' AS b, 2 AS n", "a", "B")
    assert diff.key == ("a", "b")
    assert diff.changed == (ChangedRow(("1", "x"), (Cell("n", "1", "2"),)),)


def test_a_key_that_is_no_column_is_not_used() -> None:
    diff = differ("SELECT 1 AS a", "SELECT 2 AS a", "a || 'x'")
    assert diff.key_problem == "key column a || 'x' is not on both sides"
    assert (diff.rows_added, diff.rows_removed) == (1, 1)


def test_columns_that_come_go_and_change_type() -> None:
    diff = differ("SELECT 1 AS id, 2 AS n, 'x' AS gone", "SELECT 1 AS id, '2' AS n, 3 AS new", "id")
    assert diff.columns_added == (Column("new", "INTEGER"),)
    assert diff.columns_removed == (Column("gone", "VARCHAR"),)
    assert diff.columns_retyped == (TypeChange("n", "INTEGER", "VARCHAR"),)
    assert diff.same_rows
    assert not diff.identical
    assert (diff.is_breaking, diff.other_columns) == (True, ("column n is VARCHAR, was INTEGER",))


def test_retyped_columns_are_compared_as_text_keys_too() -> None:
    diff = differ(
        "SELECT range AS id, range AS n FROM range(3)",
        "SELECT range::VARCHAR AS id, 1 AS n FROM range(3)",
        "id",
    )
    assert (diff.key, diff.rows_changed, diff.rows_added) == (("id",), 2, 0)


TYPES = [
    ("INTEGER", "BIGINT", ["0", "1", "-7"], ["0", "2", "-7"], 1),
    ("BIGINT", "INTEGER", ["0", "1", "-7"], ["0", "2", "-7"], 1),
    ("INTEGER", "DOUBLE", ["1", "2", "3"], ["1.0", "2.5", "3.0"], 1),
    ("DOUBLE", "INTEGER", ["1.0", "2.5", "-0.0"], ["1", "3", "0"], 1),
    # Beyond 2^53 a DOUBLE is not every whole number: an id that became another one is seen.
    ("BIGINT", "DOUBLE", ["9007199254740993", "5", "7"], ["9007199254740993", "5", "7"], 1),
    ("DECIMAL(10,2)", "DOUBLE", ["1.50", "2.00", "0.10"], ["1.5", "2", "0.1"], 0),
    ("DECIMAL(38,10)", "DOUBLE", ["1.5", "2.25", "3"], ["1.5", "2.25", "4"], 1),
    ("DECIMAL(10,2)", "DECIMAL(12,4)", ["1.50", "2.00", "3.10"], ["1.5000", "2.0001", "3.1"], 1),
    ("DECIMAL(9,4)", "DECIMAL(10,2)", ["1.5", "2.0001", "3"], ["1.5", "2.00", "3"], 1),
    ("FLOAT", "DOUBLE", ["0.5", "nan", "'inf'"], ["0.5", "nan", "'inf'"], 0),
    ("FLOAT", "BIGINT", ["2.0", "nan", "'inf'"], ["2", "3", "4"], 2),
    ("DATE", "TIMESTAMP", ["2026-01-01", "2026-01-02", "2026-01-03"], ["2026-01-01", "2026-01-02 00:00:01", "2026-01-03"], 1),
    ("TIMESTAMP", "DATE", ["2026-01-01", "2026-01-02 12:00:00", "2026-01-03"], ["2026-01-01", "2026-01-02", "2026-01-03"], 1),
    ("ENUM('a', 'b')", "VARCHAR", ["a", "b", "a"], ["a", "b", "c"], 1),
    ("INTEGER", "VARCHAR", ["1", "2", "3"], ["1", "02", "3"], 1),
    ("VARCHAR", "INTEGER", ["1", "2", "x"], ["1", "2", "3"], 1),
    ("UTINYINT", "SMALLINT", ["255", "0", "1"], ["255", "0", "-1"], 1),
    ("HUGEINT", "DECIMAL(38,0)", ["170141183460469231731", "0", "1"], ["170141183460469231731", "0", "2"], 1),
    ("INTEGER[]", "BIGINT[]", ["[1, 2]", "[]", "[3]"], ["[1, 2]", "[]", "[4]"], 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "old", "new", "changed"), TYPES, ids=[f"{a} to {b}" for a, b, *_ in TYPES]
)
def test_values_of_a_changed_type_are_compared_by_their_value(
    before: str, after: str, old: list[str], new: list[str], changed: int
) -> None:
    def rows(kind: str, values: list[str]) -> str:
        texts = [value.strip("'").replace("'", "''") for value in values]
        return " UNION ALL ".join(
            f"SELECT {n} AS id, CAST('{text}' AS {kind}) AS v" for n, text in enumerate(texts)
        )

    diff = differ(rows(before, old), rows(after, new), "id")
    assert [each.name for each in diff.columns_retyped] == ["v"]
    assert (diff.rows_changed, diff.rows_added, diff.rows_removed) == (changed, 0, 0)
    unkeyed = differ(rows(before, old), rows(after, new))
    assert (unkeyed.rows_added, unkeyed.rows_removed) == (changed, changed)


def test_names_are_what_the_engine_takes_them_for_and_another_spelling_is_told() -> None:
    diff = differ('SELECT 1 AS "Id", 2 AS n', "SELECT 1 AS id, 2 AS N", "ID")
    assert (diff.rows_changed, diff.columns_added, diff.columns_removed) == (0, (), ())
    assert diff.columns_respelled == (NameCaseChange("Id", "id"), NameCaseChange("n", "N"))
    assert not diff.identical
    assert diff.other_columns == ("column Id is spelled id", "column n is spelled N")
    assert diff.headline == "same 1 row; respelled columns: id, N"
    assert "  columns spelled otherwise: Id -> id, n -> N" in render_text(diff).splitlines()


def test_names_that_need_quotes() -> None:
    diff = differ(
        'SELECT 1 AS "a b", 1 AS "q""q", 1 AS größe', 'SELECT 1 AS "a b", 2 AS "q""q", 1 AS größe', "a b"
    )
    assert diff.changed == (ChangedRow(("1",), (Cell('q"q', "1", "2"),)),)


@pytest.mark.parametrize("key", [(), ("h",), ("k0", "how")])
def test_names_that_the_queries_use_too(key: tuple[str, ...]) -> None:
    columns = ["h", "k0", "v0", "t0", "v1", "n", "how", "copy", "surplus", "s", "m", "b", "a", "moved"]
    before = ", ".join(f"range + {n} AS {name}" for n, name in enumerate(columns))
    after = before.replace("+ 2 AS v0", "* 2 AS v0")
    duck = DuckReader(duckdb.connect())
    for name, what in (("b", before), ("a", after), ("moved", before)):
        duck.connection.execute(f"CREATE TABLE {name} AS SELECT {what} FROM range(3)")
    diff = compare(duck, "b", "a", key, "t")
    assert (diff.rows_changed, diff.rows_added) == ((2, 0) if key else (None, 2))
    assert diff.columns_changed == (ChangedColumn("v0", 2 if key else None),)
    assert compare(duck, "b", "moved", key, "t").identical


def test_no_column_in_common() -> None:
    diff = differ("SELECT 1 AS a UNION ALL SELECT 2", "SELECT 1 AS b")
    assert (diff.rows_removed, diff.rows_added, diff.rows_changed) == (2, 1, None)
    assert not diff.identical


def test_only_key_columns() -> None:
    diff = differ("SELECT unnest([1, 2]) AS a", "SELECT unnest([2, 3]) AS a", "a")
    assert (diff.rows_removed, diff.rows_added, diff.rows_changed) == (1, 1, 0)


@pytest.mark.parametrize("key", [(), ("id",)])
def test_zero_rows_on_either_side(key: tuple[str, ...]) -> None:
    full, empty = named(LIVE), f"{named(LIVE)} LIMIT 0"
    assert differ(empty, empty, *key).identical
    assert differ(full, empty, *key).rows_removed == 4
    grown = differ(empty, full, *key)
    assert (grown.rows_added, grown.changed_share) == (4, 0.0)


VALUES = [
    ("1::INTEGER", "NULL::INTEGER"),
    ("''", "NULL::VARCHAR"),
    ("'NULL'", "NULL::VARCHAR"),
    ("'nan'::DOUBLE", "NULL::DOUBLE"),
    ("'nan'::DOUBLE", "'inf'::DOUBLE"),
    ("0.30000001::DOUBLE", "0.3::DOUBLE"),
    ("[]::INTEGER[]", "NULL::INTEGER[]"),
    ("[]::INTEGER[]", "[NULL]::INTEGER[]"),
    ("[[1], [2]]", "[[1, 2]]"),
    ("['a, b']", "['a', 'b']"),
    ("['NULL']", "[NULL]::VARCHAR[]"),
    ("{'a': NULL::INTEGER}", "NULL::STRUCT(a INTEGER)"),
    ("{'a': 1, 'b': [1]}", "{'a': 1, 'b': [2]}"),
    ("MAP {'a': 1}", "MAP {'a': NULL::INTEGER}"),
    ("TRUE", "FALSE"),
    ("'\\xAA'::BLOB", "'\\xAB'::BLOB"),
    ("170141183460469231731687303715884105727::HUGEINT", "1::HUGEINT"),
    ("'{\"a\": 1}'::JSON", "'{\"a\": 2}'::JSON"),
    ("TIMESTAMPTZ '2026-01-01 00:00:00+00'", "TIMESTAMPTZ '2026-01-01 00:00:00+01'"),
    ("'a'::ENUM('a', 'b')", "'b'::ENUM('a', 'b')"),
]


@pytest.mark.parametrize(("one", "two"), VALUES, ids=range(len(VALUES)))
def test_every_value_is_told_from_another_and_is_like_itself(one: str, two: str) -> None:
    a, b = f"SELECT 1 AS id, {one} AS v", f"SELECT 1 AS id, {two} AS v"
    for same in (a, b):
        assert differ(same, same).identical
    assert differ(a, b, "id").columns_changed == (ChangedColumn("v", 1),)
    assert (differ(a, b).rows_added, differ(a, b).rows_removed) == (1, 1)


def test_zero_is_zero_whatever_its_sign() -> None:
    assert differ("SELECT 1 AS id, 0.0::DOUBLE AS v", "SELECT 1 AS id, -0.0::DOUBLE AS v", "id").identical


def test_values_exchanged_between_rows_are_seen() -> None:
    """Each column alone holds what it held, so that only the rows' hashes can tell."""
    before = "SELECT range AS id, range % 2 AS n FROM range(2000)"
    after = "SELECT range AS id, 1 - range % 2 AS n FROM range(2000)"
    assert differ(before, after, "id").rows_changed == 2000
    assert differ(before, after).rows_added == 2000
    assert differ(f"{before} WHERE range < 2", f"{after} WHERE range < 2").columns_changed == ()


def test_sums_of_many_hashes_do_not_overflow() -> None:
    assert differ("SELECT 'x' AS a FROM range(200000)", "SELECT 'x' AS a FROM range(200001)").rows_added == 1


# --- an oracle in Python ---

Value: TypeAlias = "int | str | float | None"
RowValues: TypeAlias = "tuple[Value, ...]"

_values = st.tuples(
    st.sampled_from([None, "", "a", "ä", "NULL"]),
    st.sampled_from([None, 0.0, 1.5, -1.5, math.nan, math.inf]),
    st.sampled_from([None, 0, 1]),
)
_keyed = st.dictionaries(st.integers(0, 6), _values, max_size=7)
_rows = st.lists(_values, max_size=8)


def _table(name: str, rows: Sequence[RowValues], duck: DuckReader) -> None:
    duck.connection.execute(f"CREATE OR REPLACE TABLE {name} (id INTEGER, a VARCHAR, b DOUBLE, c INTEGER)")
    for row in rows:
        duck.connection.execute(f"INSERT INTO {name} VALUES (?, ?, ?, ?)", row)


def _plain(row: RowValues) -> RowValues:
    """Make NaN equal to itself, as it is in a table."""
    return tuple("a NaN" if isinstance(value, float) and math.isnan(value) else value for value in row)


@settings(max_examples=60)
@given(before=_keyed, after=_keyed)
def test_by_key_it_finds_what_python_finds(
    before: Mapping[int, RowValues], after: Mapping[int, RowValues]
) -> None:
    duck = DuckReader(duckdb.connect())
    for name, rows in (("before", before), ("after", after)):
        _table(name, [(key, *row) for key, row in rows.items()], duck)
    diff = compare(duck, "before", "after", ("id",), "t")
    both = [(_plain(before[key]), _plain(after[key])) for key in before.keys() & after.keys()]
    per_column = {name: sum(one[n] != two[n] for one, two in both) for n, name in enumerate("abc")}
    assert (diff.rows_added, diff.rows_removed) == (
        len(after.keys() - before.keys()),
        len(before.keys() - after.keys()),
    )
    assert diff.rows_changed == sum(one != two for one, two in both)
    assert {each.name: each.rows for each in diff.columns_changed} == {
        k: n for k, n in per_column.items() if n
    }
    assert sum(len(row.cells) for row in diff.changed) == sum(per_column.values())
    assert len(diff.added.rows if diff.added else ()) == diff.rows_added
    json.dumps(diff.as_json(), allow_nan=False)
    assert len(render_text(diff).splitlines()) <= 25


@settings(max_examples=60)
@given(before=_rows, after=_rows)
def test_without_a_key_it_counts_what_python_counts(
    before: Sequence[RowValues], after: Sequence[RowValues]
) -> None:
    duck = DuckReader(duckdb.connect())
    for name, rows in (("before", before), ("after", after)):
        _table(name, [(7, *row) for row in rows], duck)
    diff = compare(duck, "before", "after", (), "t")
    ours, theirs = Counter(map(_plain, before)), Counter(map(_plain, after))
    assert (diff.rows_removed, diff.rows_added) == ((ours - theirs).total(), (theirs - ours).total())
    shown = Counter(diff.removed.rows if diff.removed else ())
    assert shown.total() == diff.rows_removed
    assert diff.identical == (ours == theirs)


# --- the gate ---


def judge(
    duck: DuckReader,
    gate: Diff | None = None,
    *,
    key: tuple[str, ...] = ("id",),
    kind: NodeKind = NodeKind.TABLE,
) -> Finding:
    node = Node("model.flights.t", kind, Name("main", "t"), "", "sql", (), "f1", unique_key=key)
    known = {node.unique_id: node}
    after, before = {node.unique_id: "after"}, {node.unique_id: "before"}
    subject = Subject(
        ReleaseView(Path(), known, tuple(known)),
        candidate=CandidateView(reader=duck, relations=after, live=before),
    )
    report = ask_gate(gate or Diff(), subject)
    [finding] = report.findings
    assert finding.subject == node.unique_id
    return finding


def test_is_a_gate() -> None:
    gate: Gate = Diff()
    assert (gate.id, views(gate)) == ("diff", ("release", "candidate", "declarations", "tools"))


GATED: dict[str, tuple[str, str, Diff, Verdict, str]] = {
    "identical": (named(LIVE), named(LIVE), Diff(), PASSED, "t: identical, 4 rows"),
    "changed": (
        "SELECT range AS id, 0 AS n FROM range(16)",
        "SELECT range AS id, (range < 3)::INTEGER AS n FROM range(17)",
        Diff(),
        PASSED,
        "t: 3 of 16 rows changed (18.8 %), 1 column; +1 -0 rows",
    ),
    "column gone": (
        "SELECT 1 AS id, 2 AS x",
        "SELECT 1 AS id",
        Diff(),
        WARNED,
        "t: same 1 row; dropped column: x; breaking for readers",
    ),
    "column retyped": (
        "SELECT 1 AS id",
        "SELECT 1::BIGINT AS id",
        Diff(),
        WARNED,
        "id is BIGINT, was INTEGER",
    ),
    "column new": ("SELECT 1 AS id", "SELECT 1 AS id, 2 AS x", Diff(), PASSED, "same 1 row; new column: x"),
    "all gone": (named(LIVE), f"{named(LIVE)} LIMIT 0", Diff(), FAILED, "all 4 rows gone"),
    "first rows": (f"{named(LIVE)} LIMIT 0", named(LIVE), Diff(), PASSED, "+4 -0 rows"),
    "nothing to compare": (
        f"{named(LIVE)} LIMIT 0",
        f"{named(LIVE)} LIMIT 0",
        Diff(),
        WARNED,
        "t: identical, 0 rows; no rows on either side to compare",
    ),
    "too many changed": (
        "SELECT range AS id, 0 AS n FROM range(4)",
        "SELECT range AS id, 1 AS n FROM range(4)",
        Diff(Settings(max_changed_share=0.5)),
        FAILED,
        "more than 50.0 % of the rows changed",
    ),
    "too many removed": (
        "SELECT range AS id FROM range(4)",
        "SELECT range AS id FROM range(1)",
        Diff(Settings(max_removed_share=0.5, max_changed_share=0.5)),
        FAILED,
        "more than 50.0 % of the rows removed",
    ),
    "at the limit": (
        "SELECT range AS id, 0 AS n FROM range(4)",
        "SELECT range AS id, (range < 2)::INTEGER AS n FROM range(4)",
        Diff(Settings(max_changed_share=0.5, max_removed_share=0)),
        PASSED,
        "(50.0 %)",
    ),
    "no such key": (
        "SELECT 1 AS id, 0 AS n",
        "SELECT unnest([1, 1]) AS id, 0 AS n",
        Diff(),
        WARNED,
        "key id is not unique after: 1 row too many, so compared without a key",
    ),
    "key of its own": (
        "SELECT 1 AS id, 5 AS n, 0 AS v",
        "SELECT 1 AS id, 5 AS n, 1 AS v",
        Diff(Settings(keys={"model.flights.t": ("n",)})),
        PASSED,
        "1 of 1 row changed (100.0 %), 1 column",
    ),
}


@pytest.mark.parametrize("case", GATED)
def test_what_the_gate_says(case: str) -> None:
    before, after, gate, verdict, summary = GATED[case]
    finding = judge(reader(before, after), gate)
    assert finding.verdict is verdict, finding
    assert summary in finding.summary


def test_a_broken_limit_shows_both_numbers() -> None:
    before, after, gate, *_ = GATED["too many removed"]
    finding = judge(reader(before, after), gate)
    assert (finding.observed, finding.limit) == (0.75, 0.5)
    before, after, gate, *_ = GATED["too many changed"]
    finding = judge(reader(before, after), gate)
    assert (finding.observed, finding.limit) == (1.0, 0.5)


def test_evidence_is_the_changed_values() -> None:
    finding = judge(reader("SELECT 1 AS id, 0 AS n", "SELECT 1 AS id, NULL::INTEGER AS n"))
    assert finding.evidence == Evidence(("id", "column", "before", "after"), (("1", "n", "0", None),), 1)


def test_a_snapshot_is_told_apart_by_its_validity_too() -> None:
    before = "SELECT 1 AS id, unnest([1, 2]) AS dbt_valid_from, 0 AS n"
    finding = judge(reader(before, before.replace("0 AS n", "1 AS n")), kind=NodeKind.SNAPSHOT)
    assert "2 of 2 rows changed" in finding.summary


def test_a_relation_that_cannot_be_read_is_an_error() -> None:
    duck = reader("SELECT 1 AS id", "SELECT 1 AS id")
    duck.connection.execute("DROP TABLE after")
    finding = judge(duck)
    assert finding.verdict is ERRORED
    assert "cannot be compared: Catalog Error" in finding.summary
    duck = reader("SELECT 1 AS id", "SELECT 1 AS id")
    duck.dialect = "oracle"
    assert "engine 'oracle' is not known" in judge(duck).summary


def test_a_new_relation_has_nothing_to_be_compared_with() -> None:
    node = Node("model.flights.t", NodeKind.TABLE, Name("main", "t"), "", "sql", (), "f1")
    known = {node.unique_id: node}
    report = ask_gate(
        Diff(),
        Subject(
            ReleaseView(Path(), known, tuple(known)),
            candidate=CandidateView(relations={node.unique_id: "after"}),
        ),
    )
    assert report.not_applicable == "nothing is served yet to compare with"


def test_a_changed_relation_without_candidate_is_an_error() -> None:
    node = Node("model.flights.t", NodeKind.TABLE, Name("main", "t"), "", "sql", (), "f1")
    known = {node.unique_id: node}
    report = ask_gate(
        Diff(),
        Subject(
            ReleaseView(Path(), known, tuple(known)), candidate=CandidateView(live={node.unique_id: "before"})
        ),
    )
    assert report.verdict is ERRORED


@pytest.mark.parametrize("limit", [-0.1, 5, float("nan")])
def test_a_limit_is_a_share(limit: float) -> None:
    with pytest.raises(ConfigInvalid, match=r"sluice.yml: gates\.diff\.max_removed_share"):
        checked({"diff": Own.model_validate({"max_removed_share": limit})}, "sluice.yml")


# --- as text ---


def test_as_text() -> None:
    before = "SELECT range AS id, 'AA' AS carrier, 0.5::DOUBLE AS share, 1 AS old FROM range(16)"
    after = (
        "SELECT range AS id, CASE WHEN range < 2 THEN 'UA' ELSE 'AA' END AS carrier,"
        " CASE WHEN range = 1 THEN NULL ELSE 0.5::DOUBLE END AS share, 2 AS new FROM range(17)"
    )
    assert render_text(differ(before, after, "id")) == (
        "t: 2 of 16 rows changed (12.5 %), 2 columns; +1 -0 rows; new column: new; dropped column: old\n"
        "  rows 16 -> 17, compared by id\n"
        "  columns added: new INTEGER\n"
        "  columns removed: old\n"
        "  column   rows  share   nulls  distinct  min  max      mean\n"
        "  carrier  2     12.5 %  0      1 → 2     AA   AA → UA\n"
        "  share    1     6.2 %   0 → 1  1         0.5  0.5      0.5\n"
        "  id                     0      16 → 17   0    15 → 16  7.5 → 8\n"
        "  new                    0      1         2    2        2\n"
        "  old                    0      1         1    1        1\n"
        "  id  column   before  after\n"
        "  0   carrier  AA      UA\n"
        "  1   carrier  AA      UA\n"
        "  1   share    0.5     NULL\n"
        "  + id 16, carrier AA, share 0.5, new 2"
    )


def test_text_is_short_whatever_changed() -> None:
    columns = ", ".join(f"{{0}} + {n} AS {'a' * 40}{n}" for n in range(40))
    before = f"SELECT range AS id, {columns.format(0)} FROM range(500)"
    after = f"SELECT range + 100 AS id, 'x' AS n, {columns.format(1)}, 'a\nb' AS m FROM range(500)"
    lines = render_text(differ(before, after, "id")).splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 120
    assert "  and 37 more columns" in lines
    keyless = render_text(differ("SELECT 1 AS a, 1 AS b", "SELECT 2 AS a, 1 AS b"))
    assert keyless.splitlines()[1:4] == [
        "  rows 1 -> 1, compared as whole rows, without a key",
        "  column  rows  nulls  distinct  min    max    mean",
        "  a       ?     0      1         1 → 2  1 → 2  1 → 2",
    ]
