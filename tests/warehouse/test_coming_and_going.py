"""What stood there before Sluice moves in with the first publish, and out again with leaving: same rows, same types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from prefect_sluice.domain import adoption
from prefect_sluice.domain.adoption import Adopted, AdoptionTarget
from prefect_sluice.domain.errors import EnvironmentMoved, Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.warehouse.base import Publication
from prefect_sluice.warehouse.duckdb.warehouse import DuckDB
from prefect_sluice.warehouse.publishing import Published, PublishMode, PublishRule
from tests.warehouse.scenes import STORE, Scene, run_sql, written

ORDERS, BIG, RECENT = Name("main", "orders"), Name("mart", "big"), Name("main", "recent")
NAMES = (ORDERS, BIG, RECENT)
BEFORE = (
    "create schema raw",
    "create table raw.log as select 1 as n",
    "create schema mart",
    "create table main.orders (id integer primary key, kind enum ('a', 'b'), price decimal(9, 3), since timestamp)",
    "insert into main.orders values (1, 'a', 1.5, '2026-03-01 12:00:00'), (2, null, 2, null)",
    "create index by_price on main.orders (price)",
    "create view mart.big as select id, price from shop.main.orders where price > 1.5",
    "create view main.recent (identity) as select id from mart.big",
    "create table main.theirs as select 7 as v",
)
TAKERS = {name.folded: AdoptionTarget(f"model.shop.{name.identifier}", NodeKind.TABLE) for name in NAMES}


@pytest.fixture
def shop(tmp_path: Path) -> Scene:
    scene = Scene(DuckDB(tmp_path / "shop.duckdb", patience=timedelta(0)), tmp_path)
    run_sql(scene.file, *BEFORE)
    return scene


def rows(scene: Scene) -> dict[str, object]:
    """Return columns with types and all rows of every relation outside the store."""
    with scene.warehouse.reader() as reader:
        return {
            str(item.name): (reader.columns(written(item.name)), reader.query(f"from {written(item.name)} order by all").rows)
            for item in scene.warehouse.relations()
        }  # fmt: skip


def adopting(scene: Scene, found: Iterable[Adopted], value: int = 9) -> Publication:
    """Return a first publish of new relations under all names, adopting what stands there."""
    adopted = tuple(found)
    asked = scene.publication(dict.fromkeys(NAMES, f"select {value} as v"))
    return replace(asked, adopt=adopted, zero=adoption.zero(asked.generation, adopted, TAKERS))


def back(scene: Scene, number: int) -> None:
    """Publish an older generation again."""
    target, current = scene.warehouse.generation("prod", number), scene.warehouse.generation("prod")
    again = replace(
        target, number=current.number + 1, promotion=f"back-{current.number}", cause=Cause.ROLLBACK
    )
    scene.warehouse.publish(Publication(again, current.number))


# ---- adopting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [PublishRule(PublishMode.IN_PLACE), PublishRule(PublishMode.COPY)])
def test_even_the_first_release_can_be_rolled_back(shop: Scene, rule: PublishRule) -> None:
    before = rows(shop)
    shop.warehouse = DuckDB(shop.file, patience=timedelta(0), rule=rule)
    found = shop.warehouse.adoptable(NAMES)
    assert shop.warehouse.publish(adopting(shop, found)).number == 1
    assert shop.values(*NAMES) == [9, 9, 9]
    assert [item.number for item in shop.warehouse.history("prod")] == [1, 0]
    back(shop, 0)
    assert rows(shop) == before
    assert shop.warehouse.generation("prod").pointers == shop.warehouse.generation("prod", 0).pointers
    back(shop, 1)
    assert shop.values(*NAMES) == [9, 9, 9]


def test_what_is_adopted_is_said_and_the_rest_is_left_alone(shop: Scene) -> None:
    found = {item.name: item for item in shop.warehouse.adoptable([*NAMES, Name("main", "not_there")])}
    assert set(found) == set(NAMES)
    assert found[ORDERS].loses == ("indexes", "its primary key")
    assert found[ORDERS].address == Name(STORE, f"orders__adopted_{found[ORDERS].content[:12]}")
    assert (found[ORDERS].is_view, found[BIG].is_view) == (False, True)
    assert f'"{STORE}"."orders__adopted_' in found[BIG].sql
    shop.warehouse.publish(adopting(shop, found.values()))
    assert {str(item.name): item.is_view for item in shop.warehouse.relations()} == {
        "main.orders": True, "main.recent": True, "mart.big": True, "main.theirs": False, "raw.log": False,
    }  # fmt: skip


def test_a_generation_that_was_adopted_stays_as_it_was(shop: Scene) -> None:
    """Its views read its own tables, and not what stands under the public names by then."""
    shop.warehouse.publish(adopting(shop, shop.warehouse.adoptable(NAMES)))
    zero = shop.warehouse.generation("prod", 0).by_name()
    assert shop.read(f"from {written(zero[RECENT].address)}").rows == ((2,),)
    sql = f"select sql from duckdb_views() where schema_name = '{STORE}' and sql like '%shop.%'"
    assert shop.read(sql).rows == (), "none names the database: the file can be renamed"


def test_looking_at_it_changes_nothing_and_says_the_same(shop: Scene) -> None:
    before = shop.file.read_bytes()
    assert shop.warehouse.adoptable(NAMES) == shop.warehouse.adoptable(NAMES)
    assert shop.file.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        "insert into main.orders values (3, 'b', 4, null)",
        "drop view main.recent; create view main.recent as select 1 as identity",
        "drop view mart.big; create table mart.big as select 2 as id, 2.0 as price",
    ],
)
def test_what_changed_since_the_plan_is_not_moved(shop: Scene, change: str) -> None:
    """Rows that a cron job adds between the plan and the publish would be missing from what was built."""
    publication = adopting(shop, shop.warehouse.adoptable(NAMES))
    run_sql(shop.file, change)
    before = rows(shop)
    with pytest.raises(Refused, match="changed since the plan was made; nothing was published"):
        shop.warehouse.publish(publication)
    assert rows(shop) == before
    assert shop.warehouse.history("prod") == ()


def test_without_adopting_it_is_refused_as_ever(shop: Scene) -> None:
    with pytest.raises(Refused, match=r"that Sluice did not make: main.orders, main.recent, mart.big"):
        shop.warehouse.publish(shop.publication(dict.fromkeys(NAMES, "select 1 as v")))


def test_what_another_environment_serves_is_not_adopted(shop: Scene) -> None:
    shop.publish({Name("stage", "a"): "select 1 as v"}, environment="staging")
    assert shop.warehouse.holders() == {Name("stage", "a"): "staging"}
    assert shop.warehouse.adoptable([Name("STAGE", "A")]) == ()


def test_a_view_over_files_and_ours_becomes_a_table(shop: Scene) -> None:
    (shop.folder / "x.csv").write_text("id\n1\n")
    sql = f"create or replace view main.recent as select o.id from main.orders o join read_csv('{shop.folder}/x.csv') using (id)"
    run_sql(shop.file, sql)
    before = rows(shop)
    found = {item.name: item for item in shop.warehouse.adoptable(NAMES)}
    assert found[RECENT].sql == ""
    shop.warehouse.publish(adopting(shop, found.values()))
    back(shop, 0)
    (shop.folder / "x.csv").unlink()
    assert rows(shop) == before


def test_a_view_over_a_source_goes_on_reading_it(shop: Scene) -> None:
    run_sql(shop.file, "create or replace view main.recent as select n from shop.raw.log")
    shop.warehouse.publish(adopting(shop, shop.warehouse.adoptable(NAMES)))
    back(shop, 0)
    run_sql(shop.file, "insert into raw.log values (2)")
    assert shop.read("from main.recent order by n").rows == ((1,), (2,))


def test_a_view_that_does_not_work_is_refused_before_anything(shop: Scene) -> None:
    run_sql(shop.file, "drop table main.orders")
    with pytest.raises(
        Refused, match=r"the view main.recent does not work, and cannot be adopted: .*; mend it, or drop it"
    ):
        shop.warehouse.adoptable(NAMES)


def test_foreign_keys_decide_the_order_and_those_of_others_refuse(shop: Scene) -> None:
    run_sql(shop.file, "create table main.lines (id integer references main.orders (id))")
    with pytest.raises(
        Refused, match=r"main.orders cannot be adopted: main.lines refers to it by a foreign key"
    ):
        shop.warehouse.publish(adopting(shop, shop.warehouse.adoptable(NAMES)))
    lines = Name("main", "lines")
    takers = {**TAKERS, lines: AdoptionTarget("model.shop.lines", NodeKind.TABLE)}
    found = shop.warehouse.adoptable([*NAMES, lines])
    asked = shop.publication(dict.fromkeys((*NAMES, lines), "select 9 as v"))
    shop.warehouse.publish(replace(asked, adopt=found, zero=adoption.zero(asked.generation, found, takers)))
    assert shop.values(lines) == [9]


# ---- leaving -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [PublishRule(PublishMode.IN_PLACE), PublishRule(PublishMode.COPY)])
def test_who_leaves_has_plain_relations_and_nothing_of_ours(shop: Scene, rule: PublishRule) -> None:
    before = rows(shop)
    shop.warehouse = DuckDB(shop.file, patience=timedelta(0), rule=rule)
    shop.warehouse.publish(adopting(shop, shop.warehouse.adoptable(NAMES)))
    back(shop, 0)
    how: list[Published] = []
    assert shop.warehouse.leave("prod", 2, told=how.append) == ()
    assert [item.way for item in how] == [rule.way]
    assert rows(shop) == before
    kinds = {str(item.name): item.is_view for item in shop.warehouse.relations()}
    assert (kinds["main.orders"], kinds["mart.big"], kinds["main.recent"]) == (False, True, True)
    schemas = "select distinct schema_name from duckdb_schemas() where database_name = 'shop'"
    found = {row[0] for row in shop.read(schemas).rows}
    assert found & {"main", "mart", "raw", "sluice", STORE} == {"main", "mart", "raw"}
    assert shop.read("select sql from duckdb_views() where not internal and sql like '%sluice%'").rows == ()
    assert shop.warehouse.leave("prod", 2) == (), "again is no change"
    shop.warehouse.publish(adopting(shop, shop.warehouse.adoptable(NAMES)))
    assert shop.warehouse.generation("prod").number == 1


def test_leaving_one_environment_leaves_the_other_alone(shop: Scene) -> None:
    stage = Name("stage", "a")
    shop.publish({stage: "select 1 as v"}, environment="staging")
    shop.warehouse.publish(adopting(shop, shop.warehouse.adoptable(NAMES)))
    served = shop.warehouse.generation("staging")
    assert shop.warehouse.leave("prod", 1) == ()
    assert shop.warehouse.generation("staging") == served
    assert shop.values(stage, *NAMES) == [1, 9, 9, 9]
    sql = f"select table_name from information_schema.tables where table_schema = '{STORE}'"
    assert shop.read(sql).rows == ((served.pointers[0].address.identifier,),)
    assert shop.warehouse.leave("staging", 1) == ()
    assert shop.read(sql).rows == ()


def test_what_somebody_else_put_into_the_store_stays_and_is_named(shop: Scene) -> None:
    shop.warehouse.publish(adopting(shop, shop.warehouse.adoptable(NAMES)))
    run_sql(shop.file, f"create table {STORE}.mine as select 1 as x")
    assert shop.warehouse.leave("prod", 1) == (Name(STORE, "mine"),)
    assert shop.read(f"from {STORE}.mine").rows == ((1,),)


@pytest.mark.parametrize("kind", ["table", "view"])
def test_what_somebody_else_put_under_a_public_name_is_not_dropped(shop: Scene, kind: str) -> None:
    shop.warehouse.publish(adopting(shop, shop.warehouse.adoptable(NAMES)))
    run_sql(shop.file, "drop view main.orders", f"create {kind} main.orders as select 'precious' as v")
    with pytest.raises(Refused, match=r"no longer hold what Sluice put there: main.orders"):
        shop.warehouse.leave("prod", 1)
    assert shop.values(ORDERS) == ["precious"]
    assert shop.warehouse.generation("prod").number == 1


def test_leaving_is_of_the_generation_that_was_looked_at(shop: Scene) -> None:
    shop.warehouse.publish(adopting(shop, shop.warehouse.adoptable(NAMES)))
    with pytest.raises(EnvironmentMoved):
        shop.warehouse.leave("prod", 7)
    assert shop.values(*NAMES) == [9, 9, 9]


# ---- how much a publish moves --------------------------------------------------------------------------


def test_a_publish_that_changes_10_of_1000_pointers_touches_10(tmp_path: Path) -> None:
    """Counted: a view that is made anew loses its comment, a pointer that is written has a new `since`."""
    scene = Scene(DuckDB(tmp_path / "shop.duckdb", patience=timedelta(0)), tmp_path)
    names = [Name("mart", f"t{number:04}") for number in range(1000)]
    scene.warehouse.publish(scene.publication({}, views=dict.fromkeys(names, "select 1 as v")))
    run_sql(scene.file, *(f"comment on view {written(name)} is 'old'" for name in names))
    stored = f"select count(*) from duckdb_views() where schema_name = '{STORE}'"
    how: list[Published] = []
    scene.warehouse.publish(
        scene.publication({}, views=dict.fromkeys(names[:10], "select 2 as v")), told=how.append
    )
    anew = "select view_name from duckdb_views() where schema_name = 'mart' and comment is null order by all"
    assert [row[0] for row in scene.read(anew).rows] == [name.identifier for name in names[:10]]
    assert scene.read(stored).rows == ((1010,),)
    assert scene.read("select count(*) from sluice.pointer where since = 2").rows == ((10,),)
    assert scene.read("select count(*) from sluice.pointer where until = 2").rows == ((10,),)
    assert how[0].way is PublishMode.IN_PLACE
