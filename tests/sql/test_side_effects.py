"""What statements do beside reading."""

from __future__ import annotations

import duckdb
import pytest

from prefect_sluice.sql.side_effects import ANY, REF, THIS, EffectType, StatementWrite, writes

W = EffectType.WRITES


def seen(sql: str) -> tuple[StatementWrite, ...]:
    found = writes(sql, "duckdb")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("sql", "target"),
    [
        ("insert into audit.log select 1", ("audit", "log")),
        ("INSERT OR REPLACE INTO log VALUES (1)", ("log",)),
        ('insert into "a b"."größe ""x"" " values (1)', ("a b", 'größe "x" ')),
        ("with x as (select 1) insert into log select * from x", ("log",)),
        ("delete from other.orders where id = 1", ("other", "orders")),
        ("merge into t using s on (t.id = s.id) when matched then delete", ("t",)),
        ("update db.main.t set a = 1", ("db", "main", "t")),
        ("update t as x set a = 1", ("t",)),
        (f"update {ANY}", (ANY,)),
        ("truncate table t", ("t",)),
        ("truncate t", ("t",)),
        ("create table if not exists x.t as select 1", ("x", "t")),
        ("create or replace view x.v as select 1", ("x", "v")),
        ("drop table if exists t", ("t",)),
        ("alter table x.t add column a int", ("x", "t")),
        ("copy t from 'in.csv'", ("t",)),
        (f"delete from {THIS}", (THIS,)),
        (f"insert into {REF}orders select 1", (f"{REF}orders",)),
        (f"insert into {ANY}.log select 1", (ANY, "log")),
        (f"drop {ANY} if exists {ANY}", (ANY,)),
        ("insert into", ()),
        ("-- a note; insert into nothing\ninsert/* x */into log select ';'", ("log",)),
    ],
)
def test_what_is_written_to(sql: str, target: tuple[str, ...]) -> None:
    [write] = seen(sql)
    assert (write.does, write.target) == (W, target)


@pytest.mark.parametrize(
    ("sql", "does", "place"),
    [
        (
            "copy (select 'x' as to) to 's3://b/x.parquet' (format parquet)",
            EffectType.COPIES_OUT,
            "'s3://b/x.parquet'",
        ),
        (f"copy {THIS} to 'out.csv'", EffectType.COPIES_OUT, "'out.csv'"),
        ("export database 'folder'", EffectType.COPIES_OUT, "'folder'"),
        ("attach 'other.duckdb' as other", EffectType.ATTACHES, "'other.duckdb'"),
        ("attach if not exists 'x.db' as x (read_only)", EffectType.READS_ELSEWHERE, "'x.db'"),
        ("drop schema if exists other cascade", EffectType.DROPS_SCHEMA, "other"),
        ("set global memory_limit = '1GB'", EffectType.SETS, "memory_limit"),
        ("pragma threads = 2", EffectType.SETS, "threads"),
        ("install httpfs", EffectType.INSTALLS, "httpfs"),
        ("force install spatial from community", EffectType.INSTALLS, "install"),
        ("load httpfs", EffectType.INSTALLS, "httpfs"),
        ("create persistent secret s (type s3)", EffectType.KEEPS_SECRET, ""),
        ("use other", EffectType.MOVES, "use other"),
        ("detach database if exists other", EffectType.MOVES, "detach database"),
        ("select http_post('https://example.org', 'x')", EffectType.CALLS, "http_post"),
    ],
)
def test_what_leads_out(sql: str, does: EffectType, place: str) -> None:
    [write] = seen(sql)
    assert (write.does, write.place) == (does, place)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "select 1",
        "select * from t where note = 'insert into x; copy y to ''z'''",
        'select "load", t.copy, t.update from t',
        "analyze",
        "vacuum; checkpoint",
        f"grant select on {THIS} to role reader",
        f"create index i on {THIS} (id)",
        "create schema if not exists x",
        "create temp table x as select 1",
        "create or replace temporary view v as select 1",
        "create macro f(x) as x + 1",
        "create secret s (type s3)",
        "set timezone = 'UTC'",
        "comment on table t is 'x'",
        "attach ':memory:' as scratch",
        "delete",
        "copy",
        "update",
        "load",
        "load the data first",
        "use dbt_utils instead of this",
        "update your profile",
        "attach the file",
        "copy it by hand",
    ],
)
def test_what_is_harmless(sql: str) -> None:
    assert writes(sql, "duckdb") == ()


def test_several_statements_are_all_seen() -> None:
    found = seen("insert into a select 1; select 2; copy b to 'c';\n delete from d")
    assert [(write.does, write.target, write.place) for write in found] == [
        (W, ("a",), ""),
        (EffectType.COPIES_OUT, (), "'c'"),
        (W, ("d",), ""),
    ]
    assert found[0].said == "insert into a select 1"


def test_what_cannot_be_taken_apart_is_not_known() -> None:
    assert writes("insert into x values ('open", "duckdb") is None
    assert writes("select 'open", "duckdb") == ()


def test_what_is_said_is_cut_and_shows_expressions() -> None:
    [write] = seen(f"insert into {THIS}  select {', '.join('abcdefghijkl')}")
    assert write.said == "insert into {{ this }} select a, b, c, d, e, …"


@pytest.mark.parametrize(
    "keyword", ["insert into x.t select 1", "create table x.u as select 1", "copy x.t to '{}'"]
)
def test_what_it_calls_a_write_is_one_to_duckdb(keyword: str, tmp_path: object) -> None:
    """A read-only database refuses what writes to it; COPY TO writes beside it."""
    connection = duckdb.connect()
    connection.execute(f"attach '{tmp_path}/d.duckdb' as x; create table x.t as select 1 as a; detach x")
    connection.execute(f"attach '{tmp_path}/d.duckdb' as x (read_only)")
    sql = keyword.format(f"{tmp_path}/out.csv")
    assert writes(sql, "duckdb")
    if not sql.startswith("copy"):
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            connection.execute(sql)
