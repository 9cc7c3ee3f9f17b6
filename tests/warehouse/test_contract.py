"""What every warehouse promises: reading, building off to the side, and publishing in one piece."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from prefect_sluice.domain.digests import digest_file
from prefect_sluice.domain.errors import BadInput, EnvironmentMoved, LeaseLost, QueryFailed, Refused
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.warehouse.base import (
    Column,
    IncomingTable,
    LinkedView,
    Publication,
    SideLinks,
    Stub,
    quoted,
)
from prefect_sluice.warehouse.duckdb.database_file import LIVE
from tests.warehouse.scenes import STORE, Scene, pointer, run_sql, written

A, B, C = Name("main", "a"), Name("main", "b"), Name("mart", "c")
ODD = (
    Name("main", 'it\'s "so"'),
    Name("my schema", "Größe; drop"),
    Name("Main Mart", "select"),
    Name("main", "a.b"),
)


# ---- reading -------------------------------------------------------------------------------------------


def test_before_the_first_release_there_is_nothing(scene: Scene) -> None:
    empty = scene.warehouse.generation("prod")
    assert (empty.number, empty.pointers, empty.release) == (0, (), "")
    assert scene.warehouse.generation("prod", 0) == empty
    assert scene.warehouse.history("prod") == ()
    assert scene.warehouse.kept("prod") == ()
    assert scene.warehouse.relations() == ()


def test_a_reader_of_no_warehouse_is_told_what_to_do(scene: Scene) -> None:
    with (
        pytest.raises(BadInput, match=r"there is no warehouse yet; .*sluice release"),
        scene.warehouse.reader(),
    ):
        pytest.fail("it was opened")
    assert not scene.file.exists()


def test_a_generation_that_never_was(scene: Scene) -> None:
    with pytest.raises(BadInput, match=r"environment 'prod' has no generation 7; .*sluice history"):
        scene.warehouse.generation("prod", 7)
    scene.publish({A: "select 1 as v"})
    with pytest.raises(BadInput, match="has no generation 7"):
        scene.warehouse.generation("prod", 7)
    with pytest.raises(BadInput, match="'staging' has no generation 1"):
        scene.warehouse.generation("staging", 1)


def test_a_generation_comes_back_as_it_was_written(scene: Scene) -> None:
    first = scene.publish({A: "select 1 as v", C: "select 2 as v"})
    second = scene.publish({A: "select 3 as v"})
    assert scene.warehouse.generation("prod") == second
    assert scene.warehouse.generation("prod", 1) == first
    assert scene.warehouse.generation("prod", 2) == second
    assert scene.warehouse.history("prod") == (replace(second, pointers=()), replace(first, pointers=()))


def test_kept_are_the_pointers_whose_relation_is_still_there(scene: Scene) -> None:
    first = scene.publish({A: "select 1 as v", B: "select 2 as v"})
    second = scene.publish({A: "select 3 as v"})
    expected = [*first.pointers, second.by_name()[A]]
    assert sorted(scene.warehouse.kept("prod"), key=str) == sorted(expected, key=str)
    assert scene.warehouse.kept("prod")[-1] == second.by_name()[A]
    run_sql(scene.file, f"drop table {written(first.by_name()[A].address)}")
    assert first.by_name()[A] not in scene.warehouse.kept("prod")


def test_the_newest_generation_of_each_relation_is_told(scene: Scene) -> None:
    first = scene.publish({A: "select 1 as v", B: "select 2 as v"})
    second = scene.publish({A: "select 3 as v"})
    was, other, now = (
        pointer.address for pointer in (first.by_name()[A], first.by_name()[B], second.by_name()[A])
    )
    assert scene.warehouse.last_generations("prod") == {was: 1, other: 2, now: 2}
    assert scene.warehouse.last_generations("staging") == {}


def test_relations_are_those_outside_our_own_schemas(scene: Scene) -> None:
    scene.publish({A: "select 1 as v"})
    run_sql(scene.file, "create schema raw", "create table raw.orders as select 1 as id")
    found = {(item.name, item.is_view) for item in scene.warehouse.relations()}
    assert found == {(A, True), (Name("raw", "orders"), False)}


def test_a_reader_sees_one_state_and_answers_in_our_words(scene: Scene) -> None:
    scene.publish(
        {A: "select 1 as id, 'x' as name, null::date as day union all select 2, 'y', date '2026-03-01'"}
    )
    with scene.warehouse.reader() as reader:
        assert reader.columns(written(A)) == (
            Column("id", "INTEGER"),
            Column("name", "VARCHAR"),
            Column("day", "DATE"),
        )
        answer = reader.query(f"select name from {written(A)} order by id")
        assert (answer.columns, answer.rows) == (("name",), (("x",), ("y",)))
        with pytest.raises(QueryFailed, match="nowhere") as caught:
            reader.query("select * from nowhere")
        assert caught.value.sql == "select * from nowhere"
        assert "\n" not in str(caught.value)
        with pytest.raises(QueryFailed):
            reader.columns("nowhere")
        with pytest.raises(QueryFailed):
            reader.query("create table x as select 1")


# ---- building off to the side --------------------------------------------------------------------------


def test_a_query_that_fails_on_a_row_leaves_the_next_one_alone(scene: Scene) -> None:
    scene.publish({A: "select 1 as v"})
    side = scene.build({A: "select 1 as v"})
    with scene.warehouse.reader() as live, scene.warehouse.candidate(side) as candidate:
        for reader in (live, candidate):
            with pytest.raises(QueryFailed, match="Could not convert string 'x1'"):
                reader.query("select ('x' || v)::int from main.a")
            assert reader.query("select v from main.a").rows == ((1,),)


def test_a_side_database_stands_in_for_the_served_one(scene: Scene) -> None:
    live = scene.publish({A: "select 1 as v", C: "select 2 as v"})
    side = scene.side()
    stubs = [Stub(A, live.by_name()[A].address), Stub(C, live.by_name()[C].address, clone=True)]
    assert scene.warehouse.prepare(side, stubs) == ()
    with scene.warehouse.candidate(side) as reader:
        assert reader.query(f"select v from {written(A)}").rows == ((1,),)
        assert reader.query(f"select v from {quoted(scene.warehouse.catalog, 'mart', 'c')}").rows == ((2,),)
        assert reader.query(f"select v from {reader.at(Name('mart', 'c'), of='live')}").rows == ((2,),)
    assert side.file is not None
    assert side.file.stem == scene.file.stem


def test_a_clone_can_be_written_to_and_leaves_the_original_alone(scene: Scene) -> None:
    live = scene.publish({A: "select 1 as v"})
    side = scene.side()
    scene.warehouse.prepare(side, [Stub(A, live.by_name()[A].address, clone=True)])
    run_sql(side, "insert into main.a values (5)")
    with scene.warehouse.candidate(side) as reader:
        assert reader.query("select v from main.a order by v").rows == ((1,), (5,))
    assert scene.values(A) == [1]


def test_relations_are_taken_from_a_sealed_file_in_place_of_their_stubs(scene: Scene) -> None:
    live = scene.publish({A: "select 1 as v", C: "select 2 as v"})
    old = scene.build({A: "select 7 as v", C: "select 8 as v"})
    scene.warehouse.seal(old, SideLinks((), (), ()))
    side = scene.side()
    scene.warehouse.prepare(
        side, [Stub(A, live.by_name()[A].address), Stub(C, live.by_name()[C].address, clone=True)]
    )
    new = Name("fresh", "b")
    for _ in range(2):
        scene.warehouse.take(side, old, [IncomingTable(A, A), IncomingTable(C, C), IncomingTable(A, new)])
    with scene.warehouse.candidate(side) as reader:
        for name, value in ((A, 7), (C, 8), (new, 7)):
            relation = quoted(scene.warehouse.catalog, name.schema, name.identifier)
            assert reader.query(f"select v from {relation}").rows == ((value,),)
    assert scene.values(A, C) == [1, 2]
    with pytest.raises(QueryFailed):
        scene.warehouse.take(side, old, [IncomingTable(Name("main", "nowhere"), A)])


def test_preparing_again_starts_afresh(scene: Scene) -> None:
    side = scene.build({A: "select 1 as v"})
    assert scene.warehouse.prepare(side, ()) == ()
    with scene.warehouse.candidate(side) as reader, pytest.raises(QueryFailed):
        reader.query("from main.a")


def test_a_view_that_no_longer_works_is_named(scene: Scene) -> None:
    run_sql(scene.file, "create table t as select 1 as x", "create view v as select x from t", "drop table t")
    side = scene.side()
    stubs = [Stub(item.name, item.name) for item in scene.warehouse.relations()]
    assert scene.warehouse.prepare(side, stubs) == (Name("main", "v"),)


def test_a_view_may_read_one_that_is_placed_after_it(scene: Scene) -> None:
    """Views that dbt made name their database, which in the side database means the side database."""
    statements = ("create table z as select 1 as x", "create view shop.main.y as select x from shop.main.z")
    run_sql(scene.file, *statements, "create view shop.main.b as select x from shop.main.y")
    side = scene.side()
    stubs = [Stub(item.name, item.name) for item in scene.warehouse.relations()]
    assert scene.warehouse.prepare(side, stubs) == ()
    with scene.warehouse.candidate(side) as reader:
        assert reader.query("select x from main.b").rows == ((1,),)


def test_a_candidate_without_anything_served_is_read_all_the_same(scene: Scene) -> None:
    side = scene.build({A: "select 1 as v"})
    with scene.warehouse.candidate(side) as reader:
        assert reader.query("select v from main.a").rows == ((1,),)


def address(identifier: str) -> Name:
    return Name(STORE, f"{identifier}__1")


def sealed_views(scene: Scene, built: str, linked: str, *before: str) -> tuple[Name, ...]:
    """Return what is broken when the view that dbt built as `built` is linked as `linked`."""
    side = scene.build({A: "select 1 as v, 2 as w"})
    run_sql(side, *before, f"create view main.b as {built}")
    view = (LinkedView(address("b"), linked), B)
    return scene.warehouse.seal(side, SideLinks((IncomingTable(A, address("a")),), (), (view,))).broken


@pytest.mark.parametrize(
    ("linked", "is_broken"),
    [
        ("select v from sluice_store.a__1", False),
        ("select w as v from sluice_store.a__1", False),
        ("select nothing from sluice_store.a__1", True),
        ("select v from sluice_store.gone", True),
        ("select v, w from sluice_store.a__1", True),
        ("select v as x from sluice_store.a__1", True),
        ("select v::varchar as v from sluice_store.a__1", True),
        ("this is no query", True),
    ],
)
def test_a_view_that_does_not_give_what_dbt_built_is_named(
    scene: Scene, linked: str, is_broken: bool
) -> None:
    assert sealed_views(scene, "select v from main.a", linked) == ((address("b"),) if is_broken else ())


def test_a_view_that_needs_what_is_only_in_the_side_database_is_broken(scene: Scene) -> None:
    """A hook made a macro and a type there: where the view will be served, there are none."""
    macro = "create macro double(x) as 2 * x"
    broken = sealed_views(
        scene, "select double(v) as v from main.a", "select double(v) as v from sluice_store.a__1", macro
    )
    assert broken == (address("b"),)
    kind = "create type size as enum ('s', 'm')"
    broken = sealed_views(
        scene, "select 's'::size as v from main.a", "select 's'::size as v from sluice_store.a__1", kind
    )
    assert broken == (address("b"),)


def test_a_view_over_a_broken_one_reads_what_dbt_built(scene: Scene) -> None:
    side = scene.build({A: "select 1 as v"})
    run_sql(side, "create view main.b as select v from main.a", "create view mart_c as select v from main.b")
    views = (
        (LinkedView(address("b"), "select wrong from sluice_store.a__1"), B),
        (LinkedView(address("c"), "select v from sluice_store.b__1"), Name("main", "mart_c")),
    )
    assert scene.warehouse.seal(side, SideLinks((IncomingTable(A, address("a")),), (), views)).broken == (
        address("b"),
    )


def test_a_view_of_which_no_row_can_be_read_is_named(scene: Scene) -> None:
    """It has the columns that dbt built: only a look at its rows says what Monitor would say once it is served."""
    side = scene.build({A: "select 1 as v"})
    run_sql(side, "create view main.b as select ('x' || v)::int as v from main.a")
    views = ((LinkedView(address("b"), "select ('x' || v)::int as v from sluice_store.a__1"), B),)
    sealed = scene.warehouse.seal(side, SideLinks((IncomingTable(A, address("a")),), (), views))
    assert (sealed.broken, list(sealed.unread)) == ((), [address("b")])
    assert "Could not convert string 'x1'" in sealed.unread[address("b")]


def test_a_view_may_read_what_is_live(scene: Scene) -> None:
    live = scene.publish({A: "select 1 as v"}).by_name()[A]
    side = scene.side()
    scene.warehouse.prepare(side, [Stub(A, live.address)])
    attach = f"attach '{scene.file}' as {LIVE} (read_only)"
    run_sql(side, attach, "create view main.b as select v + 1 as v from main.a")
    sql = f"select v + 1 as v from {written(live.address)}"
    assert (
        scene.warehouse.seal(
            side, SideLinks((), (live.address,), ((LinkedView(address("b"), sql), B),))
        ).broken
        == ()
    )


def test_a_relation_that_was_dropped_behind_our_back_is_named(scene: Scene) -> None:
    address = scene.publish({A: "select 1 as v"}).by_name()[A].address
    side = scene.build({B: "select 2 as v"})
    run_sql(scene.file, f"drop table {written(address)}")
    with pytest.raises(Refused, match=rf"{address} is to be served again, and is not in the store any more"):
        scene.warehouse.seal(side, SideLinks((), (address,), ()))


def test_what_is_a_view_and_will_be_a_table_is_among_the_sealed_bytes(scene: Scene) -> None:
    side = scene.build({A: "select 1 as v"})
    run_sql(side, "create view main.b as select v + 1 as v from main.a")
    sealed = scene.warehouse.seal(
        side, SideLinks((IncomingTable(A, address("a")), IncomingTable(B, address("b"))), (), ())
    )
    assert (sealed.broken, sealed.pinned) == ((), (address("b"),))
    with scene.warehouse.candidate(side) as reader:
        assert reader.query("select v from sluice_store.b__1").rows == ((2,),)


def test_a_broken_view_is_pinned_as_dbt_built_it(scene: Scene) -> None:
    side = scene.build({A: "select 1 as v"})
    run_sql(side, "create view main.b as select v + 1 as v from main.a")
    views = ((LinkedView(address("b"), "select 'x' as v"), B),)
    sealed = scene.warehouse.seal(side, SideLinks((IncomingTable(A, address("a")),), (), views))
    assert (sealed.broken, sealed.pinned) == ((address("b"),), (address("b"),))
    with scene.warehouse.candidate(side) as reader:
        assert reader.query("select v from sluice_store.b__1").rows == ((2,),)


def test_what_is_sealed_is_all_in_the_file(scene: Scene) -> None:
    side = scene.build({A: "select 1 as v"})
    sealed = scene.warehouse.seal(side, SideLinks((IncomingTable(A, address("a")),), (), ()))
    assert side.file is not None
    assert sealed.digest == digest_file(side.file)
    assert list(side.file.parent.iterdir()) == [side.file], "a journal would not be in the digest"
    with scene.warehouse.candidate(side) as reader:
        reader.query("from main.a")
    assert scene.warehouse.verify(side, sealed.digest), "reading changed it"


def test_a_candidate_is_known_by_what_is_written_down_of_its_place(scene: Scene) -> None:
    side = scene.build({A: "select 1 as v"})
    assert scene.warehouse.place(side.at) == side
    assert scene.warehouse.side("some") == scene.warehouse.side("some") != scene.warehouse.side("other")
    with scene.warehouse.candidate(scene.warehouse.place(side.at)) as reader:
        assert reader.query("from main.a").rows == ((1,),)


def test_what_is_kept_is_what_was_sealed_and_leaves_its_place_free(scene: Scene) -> None:
    side = scene.build({A: "select 1 as v"})
    sealed = scene.warehouse.seal(side, SideLinks((IncomingTable(A, address("a")),), (), ()))
    kept = scene.warehouse.keep(side, "candidates/p1")
    assert kept == scene.warehouse.place(kept.at) != side
    assert scene.warehouse.verify(kept, sealed.digest)
    assert not scene.warehouse.verify(side, sealed.digest), "it was moved"
    scene.warehouse.prepare(side, ())
    scene.warehouse.keep(side, "candidates/p2")
    with scene.warehouse.candidate(kept) as reader:
        assert reader.query("from main.a").rows == ((1,),)


def test_a_candidate_that_was_written_to_is_not_what_was_sealed(scene: Scene) -> None:
    side = scene.build({A: "select 1 as v"})
    sealed = scene.warehouse.seal(side, SideLinks((IncomingTable(A, address("a")),), (), ()))
    run_sql(side, "insert into main.a values (2)")
    assert not scene.warehouse.verify(side, sealed.digest)
    assert not scene.warehouse.verify(scene.warehouse.place("nowhere/shop.duckdb"), sealed.digest)


# ---- publishing ----------------------------------------------------------------------------------------


def test_a_publication_brings_tables_and_views(scene: Scene) -> None:
    publication = scene.publication({A: "select 1 as v"})
    live = publication.generation.by_name()[A].address
    views = {B: f"select v + 1 as v from {written(live)}"}
    more = scene.publication({}, views=views)
    generation = replace(
        publication.generation, pointers=(*publication.generation.pointers, *more.generation.pointers)
    )
    assert (
        scene.warehouse.publish(replace(publication, generation=generation, views=more.views)) == generation
    )
    assert scene.values(A, B) == [1, 2]


def test_publishing_does_all_or_nothing(scene: Scene) -> None:
    scene.publish({A: "select 1 as v", B: "select 1 as v"})
    publication = scene.publication({A: "select 2 as v", B: "select 2 as v"})
    broken = LinkedView(Name(STORE, "c__x"), "select nothing from nowhere")
    with pytest.raises(QueryFailed, match=r"nothing was published: .*nowhere"):
        scene.warehouse.publish(replace(publication, views=(broken,)))
    assert scene.warehouse.generation("prod").number == 1
    assert scene.values(A, B) == [1, 1]
    new = publication.generation.by_name()[A].address.identifier
    assert scene.read(f"select * from information_schema.tables where table_name = '{new}'").rows == ()
    assert scene.warehouse.publish(publication).number == 2
    assert scene.values(A, B) == [2, 2]


def test_a_candidate_that_is_not_there_publishes_nothing(scene: Scene) -> None:
    publication = scene.publication({A: "select 1 as v"})
    with pytest.raises(BadInput, match="gone"):
        scene.warehouse.publish(replace(publication, candidate=scene.warehouse.place("gone/shop.duckdb")))
    assert scene.warehouse.generation("prod").number == 0


def test_a_promotion_is_published_once(scene: Scene) -> None:
    publication = scene.publication({A: "select 1 as v"})
    written_once = scene.warehouse.publish(publication)
    later = replace(publication, generation=replace(publication.generation, token=9, number=5))
    assert scene.warehouse.publish(publication) == written_once
    assert scene.warehouse.publish(later) == written_once
    assert len(scene.warehouse.history("prod")) == 1


def test_an_environment_that_moved_is_not_written_over(scene: Scene) -> None:
    late = scene.publication({A: "select 1 as v"})
    scene.publish({A: "select 2 as v"})
    with pytest.raises(EnvironmentMoved) as caught:
        scene.warehouse.publish(late)
    assert (caught.value.environment, caught.value.expected, caught.value.actual) == ("prod", 0, 1)
    assert scene.values(A) == [2]


def test_who_lost_the_lease_does_not_write(scene: Scene) -> None:
    scene.publish({A: "select 1 as v"}, token=5)
    with pytest.raises(LeaseLost):
        scene.publish({A: "select 2 as v"}, token=4)
    assert scene.values(A) == [1]
    scene.publish({A: "select 3 as v"}, token=5)
    assert scene.values(A) == [3]


def test_names_that_are_not_ours_are_refused_with_the_list(scene: Scene) -> None:
    run_sql(scene.file, "create table a as select 7 as v", "create view B as select 8 as v")
    with pytest.raises(Refused, match=r"did not make: main.a, main.b; rename or drop"):
        scene.publish({A: "select 1 as v", B: "select 1 as v"})
    assert scene.values(A, B) == [7, 8]
    assert scene.warehouse.generation("prod").number == 0


def test_a_name_is_ours_only_while_it_is_published(scene: Scene) -> None:
    scene.publish({A: "select 1 as v", B: "select 1 as v"})
    scene.warehouse.publish(scene.publication({}, gone=[A]))
    run_sql(scene.file, "create table a as select 7 as v")
    with pytest.raises(Refused, match=r"main\.a"):
        scene.publish({A: "select 1 as v"})
    assert scene.values(A) == [7]


def test_names_of_another_environment_are_refused(scene: Scene) -> None:
    """Or a release to staging, which needs no approval, would be read as production."""
    scene.publish({A: "select 1 as v"})
    with pytest.raises(Refused, match=r"environment 'prod' serves these public names: main\.a;"):
        scene.publish({A: "select 2 as v", C: "select 2 as v"}, environment="staging")
    assert scene.values(A) == [1]


def test_two_environments_live_side_by_side(scene: Scene) -> None:
    theirs = Name("staging", "a")
    scene.publish({A: "select 1 as v"})
    scene.publish({theirs: "select 2 as v"}, environment="staging")
    scene.publish({theirs: "select 3 as v"}, environment="staging")
    assert scene.values(A, theirs) == [1, 3]
    assert scene.warehouse.generation("prod").number == 1
    assert scene.warehouse.generation("staging").number == 2
    assert {item.name for item in scene.warehouse.kept("prod")} == {A}
    assert [item.number for item in scene.warehouse.history("staging")] == [2, 1]


def test_a_token_counts_for_its_own_environment(scene: Scene) -> None:
    scene.publish({A: "select 1 as v"}, token=9)
    scene.publish({Name("staging", "a"): "select 2 as v"}, environment="staging", token=1)
    assert scene.values(Name("staging", "a")) == [2]


def test_what_left_the_project_is_no_longer_served(scene: Scene) -> None:
    first = scene.publish({A: "select 1 as v", B: "select 2 as v"})
    scene.warehouse.publish(scene.publication({}, gone=[B]))
    with pytest.raises(QueryFailed):
        scene.values(B)
    assert first.by_name()[B] in scene.warehouse.kept("prod"), "it can be rolled back to"


def test_rolling_back_writes_an_older_table_of_pointers_again(scene: Scene) -> None:
    first = scene.publish({A: "select 1 as v", B: "select 1 as v"})
    scene.publish({A: "select 2 as v"})
    scene.warehouse.publish(scene.publication({C: "select 3 as v"}, gone=[B]))
    back = replace(first, number=4, promotion="back", cause=Cause.ROLLBACK, origin=1)
    assert scene.warehouse.publish(Publication(back, 3)) == back
    assert scene.values(A, B) == [1, 1]
    assert scene.warehouse.generation("prod") == back
    with pytest.raises(QueryFailed):
        scene.values(C)


def test_a_name_may_come_back_in_another_spelling(scene: Scene) -> None:
    upper = Name("main", "A")
    scene.publish({A: "select 1 as v"})
    scene.warehouse.publish(scene.publication({upper: "select 2 as v"}, gone=[A]))
    assert scene.values(upper) == [2]
    assert scene.warehouse.generation("prod").by_name().keys() == {upper}


def test_names_that_are_hard_to_write(scene: Scene) -> None:
    generation = scene.publish({name: f"select {number} as v" for number, name in enumerate(ODD)})
    assert scene.values(*ODD) == [0, 1, 2, 3]
    assert scene.warehouse.generation("prod") == generation
    side = scene.side()
    stubs = [
        Stub(name, generation.by_name()[name].address, clone=number == 0) for number, name in enumerate(ODD)
    ]
    assert scene.warehouse.prepare(side, stubs) == ()
    with scene.warehouse.candidate(side) as reader:
        assert [reader.query(f"from {written(name)}").rows[0][0] for name in ODD] == [0, 1, 2, 3]


def test_a_relation_that_is_there_already_is_not_brought_twice(scene: Scene) -> None:
    """It is immutable: what is at an address is what was built for it."""
    first = scene.publish({A: "select 1 as v"})
    again = scene.publication({A: "select 2 as v"})
    old = first.by_name()[A]
    generation = replace(again.generation, pointers=(old,))
    scene.warehouse.publish(replace(again, generation=generation, tables=(IncomingTable(A, old.address),)))
    assert scene.values(A) == [1]


def test_an_empty_generation_serves_nothing(scene: Scene) -> None:
    scene.publish({A: "select 1 as v"})
    scene.warehouse.publish(scene.publication({}, gone=[A]))
    assert scene.warehouse.relations() == ()
    empty: Generation = scene.warehouse.generation("prod")
    assert (empty.number, empty.pointers) == (2, ())


def test_kinds_come_back(scene: Scene) -> None:
    publication = scene.publication({A: "select 1 as v"})
    for number, kind in enumerate(NodeKind):
        made = pointer(A, publication.generation.by_name()[A].address.identifier.partition("__")[2], kind)
        generation = replace(
            publication.generation, number=number + 1, promotion=kind.value, pointers=(made,)
        )
        scene.warehouse.publish(replace(publication, generation=generation, base=number))
        assert scene.warehouse.generation("prod").pointers[0].kind is kind


def test_a_path_may_hold_anything(tmp_path: Path) -> None:
    from tests.warehouse.scenes import ADAPTERS

    folder = tmp_path / 'it\'s a "folder"'
    folder.mkdir()
    for make in ADAPTERS.values():
        scene = Scene(make(folder), folder)
        scene.publish({A: "select 1 as v"})
        scene.warehouse.prepare(scene.side(), [Stub(A, A)])
        assert scene.values(A) == [1]


def test_what_lists_databases_and_relations_sees_nothing_of_ours_beside_the_project(scene: Scene) -> None:
    """A macro that unions whatever the catalogue lists would read a relation twice."""
    live = scene.publish({A: "select 1 as v"}).by_name()[A]
    run_sql(scene.file, "create schema raw", "create table raw.t as select 1 as id")
    side, raw = scene.side(), Name("raw", "t")
    scene.warehouse.prepare(side, [Stub(A, live.address), Stub(raw, raw)])
    with scene.warehouse.candidate(side, scene.build({B: "select 1 as v"})) as reader:
        relations = reader.query(
            "select table_catalog, table_schema, table_name from information_schema.tables"
        )
        columns = reader.query("select distinct table_catalog from information_schema.columns")
        schemas = reader.query("select distinct catalog_name from information_schema.schemata")
        more = reader.query("select distinct database_name from duckdb_columns() where not internal")
        databases = reader.query("select database_name from duckdb_databases() where not internal")
    assert sorted(relations.rows, key=str) == [("shop", "main", "a"), ("shop", "raw", "t")]
    assert columns.rows == more.rows == databases.rows == (("shop",),)
    assert not {str(row[0]) for row in schemas.rows} - {"shop", "system", "temp"}


def test_a_view_that_becomes_a_table_is_judged_as_it_will_be_served(scene: Scene) -> None:
    side = scene.build({A: "select 1 as v"})
    run_sql(side, "create view main.b as select v from main.a")
    scene.warehouse.seal(side, SideLinks((IncomingTable(B, address("b")),), (), ()))
    run_sql(side, "insert into main.a values (2)")
    with scene.warehouse.candidate(side) as reader:
        assert reader.query(f"select v from {written(B)}").rows == ((1,),)
