"""What must hold of an environment after any step of any interleaving, and what its generations hold."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from prefect_sluice.domain import ledger
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.promotion import ENDED, State
from prefect_sluice.maintenance import collect
from prefect_sluice.workspace.workspace import Workspace

Content = tuple[int, int]
"""The factor of the code, and the number of days of orders: all that the rows of a generation follow from."""


def content(factor: int, days: int) -> Content:
    """Return what a generation holds of code with `factor`, built when `days` of orders were loaded."""
    return factor, days


def rows_of(factor: int, days: int) -> Mapping[str, list[tuple[Any, ...]]]:
    """Return the rows of every public relation, worked out by plain SQL from the orders alone."""
    orders = (
        f"(select i as id, case when i < 20 then i % 2 else i // 10 end as day, i * 1.5 as amount"
        f" from range({days * 10}) t(i))"
    )
    revenue = f"(select day, {factor} * sum(amount) as amount from {orders} group by day)"
    queries = {
        "stg_orders": f"select id, day, amount from {orders}",
        "orders": f"select id, day, amount from {orders}",
        "revenue": f"select day, amount from {revenue}",
        "best_day": f"select max(amount) from {revenue}",
        "old": "select 1",
        "runs": "select 1",
        "refunds": "select 1",
        "kept": f"select id, amount from {orders}",
    }
    with duckdb.connect() as connection:
        return {
            name: _plain(connection.execute(f"{sql} order by all").fetchall())
            for name, sql in queries.items()
        }


READ = {"kept": "id, amount", "orders": "id, day, amount", "stg_orders": "id, day, amount"}
"""The columns that are read, where not all: a snapshot also has the times of its run."""


def _plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(float(value) for value in row) for row in rows]


class Judge:
    """Looks at one environment again and again, and remembers what each generation held."""

    def __init__(self, folder: Path, first: Content) -> None:
        """Begin where generation 1 serves `first`."""
        self.folder = folder
        self.contents: dict[int, Content] = {1: first}
        self._immutable: dict[int, Generation] = {}

    @property
    def now(self) -> Content:
        """What the newest generation holds that was looked at."""
        return self.contents[max(self.contents)]

    def looks(self, may: set[Content], what: str) -> None:
        """Assert all that holds at any time. At most one generation may be new, and hold one of `may`; none, if `what`
        writes none."""
        workspace = Workspace.at(self.folder)
        try:
            history = workspace.warehouse(workspace.environment()).history("prod")
            self._in_order(history)
            found = self._served()
            self._new(history[0], found, may, what)
            self._told(workspace, history[0])
        finally:
            workspace.store.close()

    def _in_order(self, history: tuple[Generation, ...]) -> None:
        numbers = [item.number for item in history]
        assert numbers == list(range(len(numbers), 0, -1)), numbers
        tokens = [item.token for item in history]
        assert all(newer > older for newer, older in pairwise(tokens)), tokens

    def _new(
        self, current: Generation, found: Mapping[str, list[tuple[Any, ...]]], may: set[Content], what: str
    ) -> None:
        newest = max(self.contents)
        if current.number == newest:
            assert found == rows_of(*self.now), f"generation {newest} does not hold {self.now}"
            return
        assert current.number == newest + 1, f"{current.number - newest} generations by one actor"
        fits = [one for one in may if found == rows_of(*one)]
        assert fits, f"generation {current.number}, by {what}, holds none of {may}: {found['best_day']}"
        if current.cause is Cause.ROLLBACK:
            assert fits[0] == self.contents[current.origin], f"not what generation {current.origin} held"
        self.contents[current.number] = fits[0]

    def _served(self) -> Mapping[str, list[tuple[Any, ...]]]:
        """Return what readers find, in one transaction; every public name gives the rows of its pointer's relation."""
        with duckdb.connect(str(self.folder / "shop.duckdb"), read_only=True) as connection:
            connection.execute("begin transaction")
            pointers = connection.execute(
                "select schema, identifier, address_schema, address from sluice.pointer where until is null"
            ).fetchall()
            names = connection.execute(
                "select table_name from information_schema.tables where table_catalog = current_database()"
                " and table_schema = 'main'"
            ).fetchall()
            public = {name for (name,) in names}
            assert public == {row[1] for row in pointers}, (public, pointers)
            found: dict[str, list[tuple[Any, ...]]] = {}
            for schema, name, store, address in pointers:
                read = f"select {READ.get(name, '*')} from"
                rows = connection.execute(f'{read} "{schema}"."{name}" order by all').fetchall()
                behind = connection.execute(f'{read} "{store}"."{address}" order by all').fetchall()
                assert rows == behind, f"{name} is not what its pointer leads to"
                found[name] = _plain(rows)
            return found

    def _told(self, workspace: Workspace, current: Generation) -> None:
        """The ledger is whole, and says the same; or the intent that the warehouse is ahead by is there."""
        entries = workspace.store.entries()
        ledger.verify(entries)
        told = ledger.fold(entries)["prod"]
        if told["generation"] == current.number:
            assert told["release"] == current.release
            return
        promotion = workspace.store.promotion(current.promotion)
        assert told["generation"] == current.number - 1, (told, current.number)
        assert promotion is not None
        assert promotion.state is State.DEPLOYING, promotion

    def settled(self) -> None:
        """Assert what holds when nobody is at work: nothing open, no lease, nothing that a collection would still take."""
        workspace = Workspace.at(self.folder)
        promotions = workspace.store.promotions(environment="prod", limit=500)
        assert [item for item in promotions if item.state not in ENDED] == []
        assert workspace.store.lease("prod") is None
        environment = workspace.environment()
        warehouse = workspace.warehouse(environment)
        inventory = warehouse.inventory()
        assert collect.plan_warehouse(workspace, warehouse, inventory, [environment]).drops == ()
        written = {item.promotion for item in inventory.generations if item.number}
        entries = [item for item in workspace.store.entries() if item.event == ledger.GENERATION_WRITTEN]
        assert [item.facts["promotion"] for item in entries] == [
            item.promotion for item in sorted(inventory.generations, key=lambda item: item.number)
        ]
        whole = {item.address for item in inventory.physical}
        named = {span.pointer.address for span in inventory.spans}
        workspace.store.close()
        assert whole <= named, whole - named
        assert len(written) == len(entries)
        states = {item.id: item.state.value for item in promotions}
        paths = (self.folder / ".sluice" / "candidates").glob("*/*.duckdb")
        left = {states.get(path.parent.name, "nobody's") for path in paths}
        assert left <= {State.SUPERSEDED.value}, left  # a few of them stay, to be tried again
