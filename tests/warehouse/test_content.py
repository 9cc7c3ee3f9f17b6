"""Content digests: any edit of any value of any type is seen, the order of rows is not, and each publish keeps them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.content import RelationContent, RereadRelation
from prefect_sluice.warehouse.duckdb import content_digests

ADDRESS = Name("main", "t")

EDITS = [
    ("int", "1", "2"),
    ("int", "NULL", "0"),
    ("bigint", "9007199254740993", "9007199254740992"),
    ("hugeint", "1", "-1"),
    ("boolean", "true", "false"),
    ("boolean", "NULL", "false"),
    ("decimal(18, 4)", "1.0001", "1.0002"),
    ("double", "0.0", "'-0.0'"),
    ("double[]", "['0.0']", "['-0.0']"),
    ("double", "'nan'", "'inf'"),
    ("double", "'nan'", "NULL"),
    ("double", "0.1", "0.1 + 1e-17 * 2"),
    ("float", "1.0", "1.0000001"),
    ("varchar", "'a'", "'A'"),
    ("varchar", "''", "NULL"),
    ("varchar", "'a'", "'a '"),
    ("blob", "'\\x00'::blob", "'\\x00\\x00'::blob"),
    ("date", "'2026-01-01'", "'2026-01-02'"),
    ("timestamp", "'2026-01-01 00:00:00'", "'2026-01-01 00:00:00.000001'"),
    ("timestamptz", "'2026-01-01 00:00:00+00'", "'2026-01-01 00:00:00+01'"),
    ("time", "'12:00:00'", "'12:00:01'"),
    ("timetz", "'12:00:00+00'", "'13:00:00+01'"),
    ("interval", "interval 30 days", "interval 1 month"),
    ("uuid", "'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"),
    ("bit", "'01'", "'001'"),
    ("enum('a', 'b')", "'a'", "'b'"),
    ("int[]", "[]", "[NULL]"),
    ("int[]", "[]", "NULL"),
    ("int[2]", "[1, 2]", "[2, 1]"),
    ("varchar[]", "['NULL']", "[NULL]"),
    ("struct(a int)", "{'a': NULL}", "NULL"),
    ("struct(a int, b int)", "{'a': 1, 'b': 2}", "{'a': 2, 'b': 1}"),
    ("map(varchar, int)", "map {'a': 1}", "map {'a': 2}"),
    ("union(n int, s varchar)", "union_value(n := 1)", "union_value(s := '1')"),
    ("json", "'{\"a\": 1}'", "'{\"a\": 2}'"),
]


def content(connection: duckdb.DuckDBPyConnection, relation: str = '"main"."t"') -> RelationContent:
    (found,) = content_digests.of_tables(connection, [(relation, ADDRESS)])
    return found


@pytest.mark.parametrize(("kind", "before", "after"), EDITS)
def test_an_edited_value_changes_the_digest(kind: str, before: str, after: str) -> None:
    with duckdb.connect() as connection:
        for last in (
            "",
            ", 7 as z",
        ):  # as the last column, which DuckDB's own hash is linear in, and as another
            digests = set[str]()
            for value in (before, after, before):
                connection.execute(
                    f"create or replace table t as select 1 as k, cast({value} as {kind}) as v{last}"
                )
                digests.add(content(connection).digest)
            assert len(digests) == 2


def test_a_collation_hides_no_edit() -> None:
    with duckdb.connect() as connection:
        connection.execute("create table t (v varchar collate nocase); insert into t values ('a')")
        first = content(connection)
        connection.execute("update t set v = 'A'")
        assert content(connection) != first


def test_rows_count_as_often_as_they_are_there_in_any_order() -> None:
    with duckdb.connect() as connection:
        connection.execute("create table t as select range as a, range % 3 as b from range(1000)")
        first = content(connection)
        connection.execute("create or replace table t as from t order by b desc, a desc")
        assert content(connection) == first
        connection.execute("insert into t select 5, 2")
        assert content(connection) != first
        connection.execute("create or replace table t as select range as a, range % 3 as b from range(1000)")
        connection.execute("update t set b = case a when 0 then 1 when 1 then 0 else b end where a < 2")
        assert content(connection).digest != first.digest, "values exchanged between two rows"


def test_a_column_renamed_or_of_another_type_changes_it_and_no_rows_have_one() -> None:
    with duckdb.connect() as connection:
        seen = set[str]()
        for query in (
            "select 1::int as a",
            "select 1::bigint as a",
            "select 1::int as b",
            "select 1::int as a where false",
        ):
            connection.execute(f"create or replace table t as {query}")
            seen.add(content(connection).digest)
        assert len(seen) == 4


def test_the_zone_of_a_session_changes_nothing() -> None:
    with duckdb.connect() as connection:
        connection.execute("create table t as select [timestamptz '2026-01-01 00:00:00+00'] as a, now() as b")
        found = set[RelationContent]()
        for zone in ("Asia/Tokyo", "America/New_York"):
            connection.execute(f"set timezone = '{zone}'")
            found.add(content(connection))
        assert len(found) == 1


def test_what_is_kept_is_compared_by_turns_and_another_engines_digest_is_not() -> None:
    with duckdb.connect() as connection:
        names = [Name("main", name) for name in ("a", "b", "c", "gone", "v")]
        for name in names[:4]:
            connection.execute(f"create table {name.identifier} as select 1 as x")
        connection.execute("create view v as select 2 as x")
        tables = [(f'"{name.identifier}"', name) for name in names[:4] if name.identifier != "b"]
        older = RelationContent(names[1], "hash-1 duckdb 0.9.0", 1, "d")
        held = (
            *content_digests.of_tables(connection, tables),
            *content_digests.of_views(connection, names[4:]),
            older,
        )
        content_digests.write(connection, held)
        content_digests.write(connection, held)
        connection.execute("update a set x = 2; drop table gone; create or replace view v as select 3 as x")
        found = {item.address.identifier: item for item in content_digests.reread(connection, names, None)}
        assert {name: (item.is_told, item.is_edited) for name, item in found.items()} == {
            "a": (True, True), "b": (False, False), "c": (True, False), "gone": (False, False), "v": (True, True),
        }  # fmt: skip
        assert "0.9.0" in found["b"].words
        some = content_digests.reread(connection, names, timedelta(0))
        assert [item.address for item in some] == names[:1]
        content_digests.forget(connection, names[:1])
        assert content_digests.reread(connection, names[:1], None)[0].was is None


@pytest.mark.parametrize(
    "edit",
    [
        "create or replace view v(x) as select 3",
        "drop table t; create view t(x) as select 1",
        "drop table t; create view T as select 1 as x",
        "drop table t; create table T as select 3 as x",
        "drop view v; create view V as select 3 as x",
    ],
)
def test_what_is_made_anew_in_other_words_or_letters_is_an_edit(edit: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("create table t as select 1 as x; create view v as select 2 as x")
        table, view = Name("main", "t"), Name("main", "v")
        held = (
            *content_digests.of_tables(connection, [("t", table)]),
            *content_digests.of_views(connection, [view]),
        )
        content_digests.write(connection, held)
        assert all(item.holds for item in content_digests.reread(connection, [table, view], None))
        connection.execute(edit)
        assert sum(item.is_edited for item in content_digests.reread(connection, [table, view], None)) == 1


@pytest.mark.parametrize(
    ("was", "now", "holds", "edited"),
    [
        (("1.4", 3, "d"), ("1.5", 3, "d"), True, False),  # no two ways come to the same number by chance
        (("1.4", 3, "d"), ("1.5", 3, "e"), False, False),
        (("1.4", 3, "d"), ("1.5", 4, "e"), False, True),
        (("1.5", 3, "d"), ("1.5", 3, "e"), False, True),
        (("1.4", 0, "d"), ("query 1.5", 0, "e"), False, True),  # a view in place of a table
        (None, ("1.5", 3, "d"), False, False),
        (("1.5", 3, "d"), None, False, False),
    ],
)
def test_digests_of_two_engines_are_compared_as_far_as_they_say_something(
    was: tuple[str, int, str] | None, now: tuple[str, int, str] | None, holds: bool, edited: bool
) -> None:
    found = RereadRelation(
        ADDRESS,
        RelationContent(ADDRESS, *was) if was else None,
        RelationContent(ADDRESS, *now) if now else None,
    )
    assert (found.holds, found.is_edited, found.is_told) == (holds, edited, holds or edited)
    assert str(ADDRESS) in found.words


VIEWED = [
    "cast(a as date)",
    "a::timestamp at time zone 'UTC'",
    "case when a is null then 1 else 2 end",
    "try_cast(a as decimal(9, 2))",
    "a::date + interval 1 day",
    "a in (1, 2)",
    "a between 1 and 2",
    "not (a > 1)",
    "a // 2",
    "[a, 1]",
    "{'x': a}",
    "a::varchar[]",
    "list_transform([a], x -> x + 1)",
    "row_number() over (partition by a order by a desc nulls last)",
    "sum(a) filter (where a > 1) over ()",
    "a::enum('x', 'y')",
    '"a" as "A b"',
    "'it''s'",
    "(select max(a) from s.t)",
    "a::varchar like '%x%'",
    "date '2026-01-01'",
    "1e3",
    "a is not null",
]


@pytest.mark.parametrize("expression", VIEWED)
def test_a_view_has_one_digest_in_the_session_that_made_it_and_in_those_that_read_it(
    expression: str, tmp_path: Path
) -> None:
    file, name = tmp_path / "w.duckdb", Name("s", "a view AS it is")
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema s; create table s.t (a int)")
        connection.execute(f'create view s."a view AS it is" as select {expression} from s.t')
        made = content_digests.of_views(connection, [name])
    with duckdb.connect(str(file), read_only=True) as connection:
        read = content_digests.of_views(connection, [name])
    assert made == read
    assert len(made) == 1
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            f'create or replace view s."a view AS it is" as select {expression} from s.t where a > 7'
        )
        assert content_digests.of_views(connection, [name]) != made
