"""Which version a source has, and what stands in a side database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.config import SourceVersion
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.old_names import OldName
from prefect_sluice.planning import source_versions
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason
from prefect_sluice.planning.source_policy import DeclaredLoading, SourcePolicy
from prefect_sluice.planning.source_versions import before_build, by_content, stubs, versions
from prefect_sluice.sql.write_targets import Targets
from prefect_sluice.warehouse.base import Stub
from prefect_sluice.warehouse.served import ServedRelation
from tests.gates.duck import DuckReader

RAW = Name("raw", "orders")


def node(**reads: tuple[object, ...]) -> Node:
    made = Node("model.shop.a", NodeKind.TABLE, Name("main", "a"), "a.sql", "sql", ("shop", "a"), "f")
    return replace(made, **reads)  # pyright: ignore[reportArgumentType]  # the cases give the fields


def version(sql: str, folder: Path) -> str:
    """Return the version of raw.orders when it holds what `sql` gives."""
    with duckdb.connect() as connection:
        connection.execute("create schema raw")
        connection.execute(f"create table raw.orders as {sql}")
        return versions({"a": node(sources=(RAW,))}, DuckReader(connection), folder, "?")["raw.orders"]


SAME = "from (values (1, 'x'), (2, null)) t(id, name)"


@pytest.mark.parametrize(
    "sql",
    [
        "from (values (1, 'x')) t(id, name)",
        "from (values (1, 'x'), (2, null), (2, null)) t(id, name)",
        "from (values (1, 'x'), (2, '')) t(id, name)",
        "from (values (2, 'x'), (1, null)) t(id, name)",
        "from (values (1, 'x'), (2, null)) t(id, label)",
        "from (values (1::bigint, 'x'), (2, null)) t(id, name)",
        "from (values ('x', 1), (null, 2)) t(name, id)",
        "from (values (1, 'x'), (1, 'x'), (1, 'x'), (2, null)) t(id, name)",
        "select * from (values (1, 'x'), (2, null)) t(id, name) where false",
    ],
)
def test_another_content_is_another_version(sql: str, tmp_path: Path) -> None:
    assert version(sql, tmp_path) != version(SAME, tmp_path)


def test_the_order_of_rows_does_not_count(tmp_path: Path) -> None:
    assert version("from (values (2, null), (1, 'x')) t(id, name)", tmp_path) == version(SAME, tmp_path)
    assert version(SAME, tmp_path) == version(SAME, tmp_path)


@pytest.mark.parametrize("column", ["source", "t", "orders", "raw", "row", "the whole row 2"])
def test_a_column_may_have_any_name(column: str, tmp_path: Path) -> None:
    """As an alias of the table, its name would mean the column alone, and the others would not count."""
    one = version(f'select 1 as "{column}", 2 as other', tmp_path)
    assert one != version(f'select 1 as "{column}", 3 as other', tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select [] as v", "select null::int[] as v"),
        ("select [null] as v", "select [0] as v"),
        ("select {'a': 1, 'b': 2} as v", "select {'a': 2, 'b': 1} as v"),
        ("from (values (1, 2), (3, 4)) t(a, b)", "from (values (1, 4), (3, 2)) t(a, b)"),
        ("from (values (1, 2), (3, 4)) t(a, b)", "from (values (3, 2), (1, 4)) t(a, b)"),
    ],
)
def test_values_that_look_alike(one: str, other: str, tmp_path: Path) -> None:
    assert version(one, tmp_path) != version(other, tmp_path)


def test_what_cannot_be_looked_at_has_the_unknown_version(tmp_path: Path) -> None:
    looked = node(
        sources=(Name("raw", "gone"),),
        files=("https://example.com/x.csv", "missing.csv"),
        elsewhere=('"other"."main"."x"', "read_csv()"),
    )
    with duckdb.connect() as connection:
        found = versions({"a": looked}, DuckReader(connection), tmp_path, "?")
    assert set(found) == set(source_versions.texts(looked))
    assert set(found.values()) == {"?"}


def file_versions(folder: Path, path: str) -> str:
    with duckdb.connect() as connection:
        found = versions({"a": node(files=(path,))}, DuckReader(connection), folder, "?")
    return found[f"file:{path}"]


def test_the_version_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id\n1\n")
    first = file_versions(tmp_path, "x.csv")
    assert (
        first == file_versions(tmp_path, "x.csv") == file_versions(tmp_path / "..", f"{tmp_path.name}/x.csv")
    )
    assert first == file_versions(tmp_path, str(tmp_path / "x.csv"))
    (tmp_path / "x.csv").write_text("id\n2\n")
    assert file_versions(tmp_path, "x.csv") not in {first, "?"}


@pytest.mark.parametrize(
    "pattern", ["data/*.csv", "data/[xy].csv", "data/?.csv", "**/*.csv", "{folder}/data/*.csv"]
)
def test_the_version_of_a_pattern_is_that_of_all_its_files(tmp_path: Path, pattern: str) -> None:
    pattern = pattern.format(folder=tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text("id\n1\n")
    first = file_versions(tmp_path, pattern)
    assert first != "?"
    (tmp_path / "data" / "y.csv").write_text("id\n1\n")
    second = file_versions(tmp_path, pattern)
    (tmp_path / "data" / "y.csv").write_text("id\n2\n")
    assert len({first, second, file_versions(tmp_path, pattern)}) == 3


# ---- stubs ---------------------------------------------------------------------------------------------


def pointer(identifier: str, kind: NodeKind, unique_id: str = "") -> Pointer:
    name = Name("main", identifier)
    return Pointer(
        name, Name("store", f"{identifier}__1"), unique_id or f"model.shop.{identifier}", kind, "f", "i"
    )


def live(*pointers: Pointer) -> Generation:
    return Generation("prod", 1, "r", "p", 1, Cause.RELEASE, 1, datetime(2026, 3, 1, tzinfo=UTC), pointers)


def test_what_is_live_stands_under_its_public_name() -> None:
    table, view = pointer("t", NodeKind.TABLE), pointer("v", NodeKind.VIEW)
    expected = (Stub(table.name, table.address), Stub(view.name, view.address, is_view=True))
    assert stubs(live(table, view), (), ["model.shop.t"], Targets()) == expected


@pytest.mark.parametrize("kind", [NodeKind.INCREMENTAL, NodeKind.SNAPSHOT])
def test_what_keeps_history_is_cloned_or_not_there(kind: NodeKind) -> None:
    history = pointer("h", kind)
    assert stubs(live(history), (), (), Targets()) == (Stub(history.name, history.address, clone=True),)
    assert stubs(live(history), (), [history.node], Targets()) == (), (
        "or dbt would add to what it is to build anew"
    )


def test_what_hooks_write_to_is_cloned() -> None:
    log = pointer("log", NodeKind.TABLE, "hook.main.log")
    assert stubs(live(log), (), (), Targets()) == (Stub(log.name, log.address, clone=True),)


def test_relations_of_others_stand_there_too() -> None:
    ours = pointer("a", NodeKind.TABLE)
    found = (
        ServedRelation(ours.name, True),
        ServedRelation(RAW, False),
        ServedRelation(Name("raw", "clean"), True),
    )
    made = stubs(
        live(ours), found, (), Targets(words="insert into RAW.Orders values (1); from raw.clean".lower())
    )
    assert made[1:] == (
        Stub(RAW, RAW, clone=True),
        Stub(Name("raw", "clean"), Name("raw", "clean"), is_view=True),
    )


def test_of_pointers_with_the_same_content_the_last_counts() -> None:
    first, second = pointer("a", NodeKind.TABLE), pointer("a", NodeKind.VIEW)
    assert by_content([first, second]) == {("main.a", "f", "i"): second}


def test_an_old_name_is_not_there_and_what_takes_it_finds_its_history() -> None:
    """`b` is renamed back to `a`, whose old name still stands as a view: dbt must find the rows there, not that view."""
    b = pointer("b", NodeKind.INCREMENTAL)
    a = Name("main", "a")
    steps = (
        Step(Action.CARRY, "model.shop.a", a, NodeKind.INCREMENTAL, Reason(Because.MOVED), "f", "i", b),
        Step(Action.REMOVE, b.node, b.name, b.kind, Reason(Because.GONE), pointer=b),
    )
    plan = Plan("prod", Cause.RELEASE, "r2", 1, "r", steps, (), (), NotesBefore({}, {}))
    old, ended = OldName(b.name, a, "+30"), OldName(a, b.name, "2026-12-31")
    plan = replace(plan, old_names=(old,), ended=(ended,))
    found = (ServedRelation(a, True), ServedRelation(b.name, True))
    assert before_build(live(b), plan, found, Targets()) == (Stub(a, b.address, clone=True),)


@pytest.mark.parametrize(
    ("setting", "declared"),
    [
        (SourceVersion(version="rows", column="loaded"), DeclaredLoading()),
        (SourceVersion(version="loaded_at"), DeclaredLoading(field="loaded")),
        (SourceVersion(version="loaded_at"), DeclaredLoading(query="select max(loaded) from {{ this }}")),
    ],
)
def test_a_column_of_a_relation_in_another_database_is_asked_there(
    setting: SourceVersion, declared: DeclaredLoading, tmp_path: Path
) -> None:
    other, name = tmp_path / "other.duckdb", "other.main.loads"
    with duckdb.connect(str(other)) as connection:
        connection.execute("create table loads as select 1 as loaded")
    text = 'at:"other"."main"."loads"'
    way = SourcePolicy({name: setting}, {name: declared}).way(text)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{other}'")

        def asked() -> str:
            nodes = {"a": node(elsewhere=(text.removeprefix("at:"),))}
            return versions(nodes, DuckReader(connection), tmp_path, "?", ways={text: way})[text]

        first = asked()
        connection.execute("insert into other.main.loads values (7)")
        assert asked() != first
        assert "7" in asked()
