"""A warehouse looked through and cleared up: the inventory, the collector's transaction, public views made again."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.domain.displaced_names import Displaced, Replacement
from prefect_sluice.domain.errors import EnvironmentMoved, QueryFailed, Refused, WarehouseDamaged
from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.warehouse.duckdb import served_state
from prefect_sluice.warehouse.duckdb.adopt import query_of
from prefect_sluice.warehouse.duckdb.served_state import ServedState
from prefect_sluice.warehouse.inventory import Collection, Inventory, PublicRelation
from tests.warehouse.scenes import NOW, Scene, run_sql, written

A, B, V = Name("main", "a"), Name("main", "b"), Name("main", "v")


def stored(scene: Scene) -> list[str]:
    """Return what stands in the store."""
    return sorted(item.address.identifier for item in scene.warehouse.inventory().physical)


def collection(scene: Scene, *drops: Name, run: str = "r1", numbers: tuple[int, ...] = (1,)) -> Collection:
    """Return a collection planned for what is served now."""
    base = scene.warehouse.generation("prod").number
    return Collection(run, NOW, drops, tuple(("prod", number) for number in numbers), {"prod": base})


def test_before_the_first_release_there_is_nothing(scene: Scene) -> None:
    assert scene.warehouse.inventory() == Inventory()
    assert not scene.file.exists()


def test_the_inventory_has_all_there_is(scene: Scene) -> None:
    first = scene.publish({A: "select range as n from range(5000)"})
    sql = f"select n from {written(first.pointers[0].address)}"
    second = scene.warehouse.publish(scene.publication({B: "select 1 as n"}, views={V: sql}))
    scene.publish({A: "select 2 as n"}, environment="prod")
    run_sql(
        scene.file,
        "create schema hand; create view hand.w(x) as select n from main.b; create table hand.t as select 1",
    )
    found = scene.warehouse.inventory(measured=True)
    assert [(item.environment, item.number) for item in found.generations] == [
        ("prod", 3), ("prod", 2), ("prod", 1),
    ]  # fmt: skip
    assert found.current("prod") == 3
    assert found.environments == ("prod",)
    spans = {(s.pointer.name, s.since, s.until) for s in found.spans}
    assert spans == {(A, 1, 3), (A, 3, None), (B, 2, None), (V, 2, None)}
    sizes = {item.address: item for item in found.physical}
    big = sizes[first.pointers[0].address]
    assert (big.rows, big.is_view) == (5000, False)
    assert big.size is not None
    assert 0 < big.size < found.disk.size
    view = sizes[second.by_name()[V].address]
    assert (view.is_view, view.size) == (True, 0)
    assert scene.warehouse.linker.references(view.sql) is not None
    outside = {item.name: item for item in found.public}
    assert {A, B, V, Name("hand", "w"), Name("hand", "t")} == set(outside)
    assert outside[Name("hand", "t")] == PublicRelation(Name("hand", "t"), False)
    assert outside[Name("hand", "w")].sql.lower().startswith("select")


def test_what_is_collected_is_gone_and_its_generation_marked(scene: Scene) -> None:
    first = scene.publish({A: "select 1 as n", B: "select 1 as n"})
    scene.publish({A: "select 2 as n"})
    wanted = collection(scene, first.by_name()[A].address)
    scene.warehouse.collect(wanted)
    scene.warehouse.collect(wanted)
    assert first.by_name()[A].address.identifier not in stored(scene)
    marks = {item.number: item.collected_at for item in scene.warehouse.history("prod")}
    assert marks == {2: None, 1: NOW}
    assert scene.warehouse.generation("prod", 1).collected_at == NOW
    assert scene.warehouse.generation("prod").collected_at is None
    assert [pointer.name for pointer in scene.warehouse.kept("prod")] == [B, A]
    assert scene.values(A, B) == [2, 1]
    assert scene.warehouse.inventory().runs == {"r1"}
    third = scene.publish({A: "select 3 as n"})
    assert (third.number, scene.values(A, B)) == (3, [3, 1])


def test_pointers_that_lead_nowhere_are_read_only_where_somebody_asks_for_their_generation(
    scene: Scene,
) -> None:
    past = [scene.publish({A: f"select {number} as n"}) for number in range(6)]
    scene.publish({B: "select 1 as n"})
    gone = tuple(generation.by_name()[A].address for generation in past[:3])
    scene.warehouse.collect(collection(scene, *gone, numbers=(1, 2, 3)))
    run_sql(scene.file, f"drop table {written(past[4].by_name()[A].address)}")  # by hand, not by us

    state = duckdb_state(scene)
    assert [(span.pointer.name, span.since) for span in state.spans] == [(A, 4), (A, 5), (A, 6), (B, 7)]
    with scene.warehouse.reader() as reader:
        for asked in (scene.warehouse, reader):
            assert [asked.generation("prod", one.number).pointers for one in past] == [
                one.pointers for one in past
            ]
            assert [pointer.address for pointer in asked.kept("prod")] == [
                past[3].by_name()[A].address,
                past[5].by_name()[A].address,
                asked.generation("prod").by_name()[B].address,
            ]
    assert len(scene.warehouse.inventory().spans) == 7


def duckdb_state(scene: Scene) -> ServedState:
    """Return what each command reads of the file."""
    with duckdb.connect(str(scene.file), read_only=True) as connection:
        return served_state.read(connection)


def test_what_serves_is_never_collected(scene: Scene) -> None:
    live = scene.publish({A: "select 1 as n"})
    with pytest.raises(Refused, match="is served, so it is not collected"):
        scene.warehouse.collect(collection(scene, live.pointers[0].address))
    with pytest.raises(Refused, match="is served, so it is not collected"):
        scene.warehouse.collect(collection(scene, A))
    assert scene.values(A) == [1]
    assert scene.warehouse.inventory().runs == frozenset()


def test_a_warehouse_that_moved_is_planned_anew(scene: Scene) -> None:
    first = scene.publish({A: "select 1 as n"})
    scene.publish({A: "select 2 as n"})
    wanted = collection(scene, first.pointers[0].address)
    scene.publish({A: "select 3 as n"})
    with pytest.raises(EnvironmentMoved):
        scene.warehouse.collect(wanted)
    assert len(stored(scene)) == 3


def test_an_old_name_that_is_over_goes_and_what_somebody_put_there_stays(scene: Scene) -> None:
    address = scene.publish({A: "select 1 as n"}).pointers[0].address
    asked = scene.publication({})
    old = [Pointer(name, address, "renamed.2026-01-01.main.a", NodeKind.VIEW, "", "") for name in (B, V)]
    after = replace(asked.generation, pointers=(*asked.generation.pointers, *old))
    scene.warehouse.publish(replace(asked, generation=after))
    assert scene.values(A, B, V) == [1, 1, 1]
    run_sql(scene.file, "create or replace view main.v as select 666 as n")
    over = (("prod", B), ("prod", V))
    scene.warehouse.collect(replace(collection(scene, numbers=()), over=over))
    assert {item.name for item in scene.warehouse.inventory().public} == {A, V}
    assert scene.values(A, V) == [1, 666]
    assert [item.name for item in scene.warehouse.generation("prod").pointers] == [A]


def test_the_room_is_used_again(scene: Scene) -> None:
    # The one that goes lies below the one that stays: a file ends after its last block in use.
    first = scene.publish({A: "select range as n, hash(range) as h from range(100000)"})
    scene.publish({A: "select 1 as n"})
    before = scene.warehouse.inventory(measured=True)
    gone = next(item for item in before.physical if item.address == first.pointers[0].address)
    scene.warehouse.collect(collection(scene, gone.address))
    after = scene.warehouse.inventory()
    freed = after.disk.free - before.disk.free + before.disk.size - after.disk.size
    assert gone.size is not None
    assert freed == pytest.approx(gone.size, rel=0.2)
    scene.publish({B: "select range as n, hash(range) as h from range(100000)"})
    assert scene.warehouse.inventory().disk.size <= before.disk.size * 1.2


def test_public_views_are_made_again(scene: Scene) -> None:
    live = scene.publish({A: "select 1 as n", B: "select 2 as n"})
    addresses = {name: pointer.address for name, pointer in live.by_name().items()}
    run_sql(scene.file, "drop view main.a", "create or replace view main.b as select 666 as n")
    assert scene.warehouse.displaced("prod") == (
        Displaced(A, addresses[A], Replacement.NOTHING),
        Displaced(B, addresses[B], Replacement.VIEW),
    )
    assert scene.warehouse.mend("prod", addresses) == {A: None, B: None}
    assert scene.values(A, B) == [1, 2]
    assert scene.warehouse.displaced("prod") == ()
    assert scene.warehouse.mend("prod", addresses) == {A: None, B: None}
    assert scene.warehouse.mend("prod", {A: addresses[B]}) == {}, "no pointer leads there"
    assert scene.warehouse.mend("dev", addresses) == {}


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("create index i on main.A (n)",),
        ("create table main.kept (n int)", "insert into main.kept from main.A"),
    ],
    ids=["plain", "indexed", "beside others"],
)
def test_a_table_that_stands_there_is_set_aside_and_never_dropped(
    scene: Scene, more: tuple[str, ...]
) -> None:
    live = scene.publish({A: "select 1 as n"})
    names = {A: live.pointers[0].address}
    table = "create table main.A (n int)"
    run_sql(scene.file, "drop view main.a", table, "insert into main.A values (666)", *more)
    assert scene.warehouse.displaced("prod") == (Displaced(A, names[A], Replacement.TABLE),)
    assert scene.warehouse.mend("prod", names) == {A: Name("main", "A__set_aside")}
    assert scene.values(A, Name("main", "a__set_aside")) == [1, 666]
    run_sql(scene.file, "drop view main.a", "create table main.a as select 667 as n")
    assert scene.warehouse.mend("prod", names) == {A: Name("main", "a__set_aside_2")}
    assert scene.values(A, Name("main", "a__set_aside"), Name("main", "a__set_aside_2")) == [1, 666, 667]
    assert scene.warehouse.displaced("prod") == ()


def test_all_names_are_taken_back_or_none(scene: Scene) -> None:
    """A table that another refers to by a foreign key can be neither renamed with its index nor dropped."""
    live = scene.publish({A: "select 1 as n", B: "select 2 as n"})
    addresses = {name: pointer.address for name, pointer in live.by_name().items()}
    run_sql(
        scene.file,
        "drop view main.a",
        "drop view main.b",
        "create table main.b as select 667 as n",
        "create table main.a (n int primary key)",
        "create index i on main.a (n)",
        "create table main.child (n int references main.a (n))",
        "insert into main.a values (666)",
    )
    with pytest.raises(QueryFailed, match="no view was made"):
        scene.warehouse.mend("prod", {B: addresses[B], A: addresses[A]})
    assert scene.values(A, B) == [666, 667]
    assert len(scene.warehouse.displaced("prod")) == 2


@pytest.mark.parametrize("name", ["a b", 'q"q', "Select", "x.y"])
def test_a_name_that_is_quoted_shows_what_was_published(scene: Scene, name: str) -> None:
    scene.publish({Name("main", name): "select 1 as n", V: "select 2 as n"})
    assert scene.warehouse.displaced("prod") == ()
    assert scene.warehouse.displaced("dev") == ()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("create table main.a as select 666 as n", "a table"),
        ("create view main.a as select 666 as n", "another view"),
    ],
)
@pytest.mark.parametrize("wanted", [{A: "select 2 as n"}, {B: "select 2 as n"}])
def test_nothing_is_published_over_what_somebody_put_there(
    scene: Scene, wanted: dict[Name, str], statement: str, told: str
) -> None:
    scene.publish({A: "select 1 as n"})
    run_sql(scene.file, "drop view main.a", statement)
    with pytest.raises(Refused, match=rf"not serve what was published: {told} stands at main.a; .* --repair"):
        scene.publish(wanted)
    assert (scene.values(A), scene.warehouse.generation("prod").number) == ([666], 1)


def test_tables_of_sluice_altered_by_hand_are_told_as_such(scene: Scene) -> None:
    scene.publish({A: "select 1 as n"})
    run_sql(scene.file, "alter table sluice.generation drop column cause")
    for ask in (
        lambda: scene.warehouse.generation("prod"),
        lambda: scene.warehouse.history("prod"),
        lambda: scene.warehouse.inventory(),
    ):
        with pytest.raises(WarehouseDamaged, match=r"what Sluice keeps there was altered .*sluice doctor"):
            ask()


@pytest.mark.parametrize(
    ("statement", "query"),
    [
        ("CREATE VIEW s.v AS SELECT 1;", "SELECT 1"),
        ('CREATE VIEW s."v AS 1" AS SELECT * FROM s.t;', "SELECT * FROM s.t"),
        ('CREATE VIEW "a.b"."it""s" (x, y) AS SELECT 1, 2;', "select * from (SELECT 1, 2) as v(x, y)"),
        ("something else", ""),
    ],
)
def test_the_query_of_a_view(statement: str, query: str) -> None:
    assert query_of(statement) == query


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_the_query_of_a_view_with_any_name(name: str) -> None:
    spelled = '"' + name.replace('"', '""') + '"'
    assert query_of(f"CREATE VIEW {spelled}.{spelled} AS SELECT a AS b;") == "SELECT a AS b"
