"""What the contract of warehouses runs against: each adapter, and the builds that dbt would make in its side database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.warehouse.base import IncomingTable, LinkedView, Publication, Rows, Warehouse, quoted
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.warehouse.duckdb.opening import CONFIG
from prefect_sluice.warehouse.duckdb.warehouse import DuckDB

STORE = "sluice_store"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def duckdb_warehouse(folder: Path) -> Warehouse:
    """Return a warehouse that does not exist yet, and does not wait for anybody."""
    return DuckDB(folder / "shop.duckdb", patience=timedelta(0))


ADAPTERS: dict[str, Callable[[Path], Warehouse]] = {"duckdb": duckdb_warehouse}


def run_sql(where: Path | CandidatePlace, *statements: str) -> None:
    """Do in a database what dbt, a hook or a person would."""
    file = where.file if isinstance(where, CandidatePlace) else where
    with duckdb.connect(str(file), config=dict(CONFIG)) as connection:
        for statement in statements:
            connection.execute(statement)


def pointer(name: Name, run: str, kind: NodeKind = NodeKind.TABLE, node: str = "") -> Pointer:
    """Return a pointer to the relation that `run` built under a public name."""
    address = Name(STORE, f"{name.identifier}__{run}")
    return Pointer(
        name, address, node or f"model.shop.{name.identifier}", kind, f"print-{run}", f"data-{run}"
    )


@dataclass
class Scene:
    """A warehouse with a folder to build in. Each publish builds its tables under a run of its own."""

    warehouse: Warehouse
    folder: Path
    runs: int = 0

    @property
    def file(self) -> Path:
        """The served database's file."""
        return self.folder / "shop.duckdb"

    def side(self) -> CandidatePlace:
        """Return where the next side database goes: it bears the public name."""
        self.runs += 1
        return self.warehouse.side(f"work{self.runs}")

    def build(self, tables: Mapping[Name, str]) -> CandidatePlace:
        """Return a side database in which each query stands as a table under its name."""
        side = self.side()
        self.warehouse.prepare(side, ())
        catalog = quoted(self.warehouse.catalog)
        for name, sql in tables.items():
            schema = f"create schema if not exists {catalog}.{quoted(name.schema)}"
            run_sql(side, schema, f"create table {catalog}.{written(name)} as {sql}")
        return side

    def publication(
        self,
        tables: Mapping[Name, str],
        *,
        environment: str = "prod",
        views: Mapping[Name, str] | None = None,
        gone: Iterable[Name] = (),
        token: int = 1,
    ) -> Publication:
        """Return the publication of these tables and (linked) views on top of what is live; `gone` go."""
        live = self.warehouse.generation(environment)
        side = self.build(tables) if tables else None
        self.runs += 1
        run = f"{self.runs:06}"
        made = {name: pointer(name, run) for name in tables}
        made |= {name: pointer(name, run, NodeKind.VIEW) for name in views or {}}
        pointers = {**live.by_name(), **made}
        for name in gone:
            del pointers[name]
        generation = Generation(
            environment=environment,
            number=live.number + 1,
            release=f"release-{run}",
            promotion=f"promotion-{run}",
            token=token,
            cause=Cause.RELEASE,
            origin=live.number + 1,
            at=NOW,
            pointers=tuple(pointers[name] for name in sorted(pointers)),
        )
        bring = tuple(IncomingTable(name, made[name].address) for name in tables)
        linked = tuple(LinkedView(made[name].address, sql) for name, sql in (views or {}).items())
        return Publication(generation, live.number, side, bring, linked)

    def publish(self, tables: Mapping[Name, str], environment: str = "prod", token: int = 1) -> Generation:
        """Build these tables and publish them on top of what is live."""
        return self.warehouse.publish(self.publication(tables, environment=environment, token=token))

    def read(self, sql: str) -> Rows:
        """Return what a reader of the served database sees."""
        with self.warehouse.reader() as reader:
            return reader.query(sql)

    def values(self, *names: Name) -> list[object]:
        """Return the only value in each of these public relations."""
        with self.warehouse.reader() as reader:
            return [reader.query(f"from {written(name)}").rows[0][0] for name in names]


def written(name: Name) -> str:
    """Return a name as SQL."""
    return quoted(name.schema, name.identifier)
