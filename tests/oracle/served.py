"""What readers find in a DuckDB file, and what must always hold of a project's warehouse, ledger and store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from prefect_sluice.domain import ledger
from prefect_sluice.domain.promotion import ENDED, State
from prefect_sluice.workspace.workspace import Workspace

OF_THE_RUN = frozenset({"dbt_scd_id", "dbt_valid_from", "dbt_updated_at", "dbt_valid_to"})
"""Columns of a snapshot that hold the time of the run; of the last, whether there is one is compared."""


@dataclass(frozen=True, slots=True)
class Content:
    """A relation: its columns with their types, and its rows as text, sorted."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[str, ...]


def relations(file: Path) -> Mapping[str, Content]:
    """Return every public relation of a file by name: raw data, test results and Sluice's own schemas left out."""
    with duckdb.connect(str(file), read_only=True) as connection:
        listed = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
            " and table_schema not in ('sluice', 'sluice_store', 'raw') and table_schema not like '%dbt_test__audit'"
        ).fetchall()
        return {f"{schema}.{name}": content(connection, f'"{schema}"."{name}"') for schema, name in listed}


def old_names(file: Path) -> Mapping[str, str]:
    """Return the new name of each old one that is served."""
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(
            "select schema || '.' || identifier, regexp_extract(node, '^renamed\\.[^.]*\\.(.*)$', 1) from sluice.pointer"
            " where until is null and starts_with(node, 'renamed.')"
        ).fetchall()
    return dict(rows)


def content(connection: duckdb.DuckDBPyConnection, relation: str) -> Content:
    """Return one relation, quoted."""
    described = connection.execute(f"describe select * from {relation}").fetchall()
    columns = tuple((str(row[0]), str(row[1])) for row in described)
    compared = [f'"{name}"::varchar' for name, _ in columns if name not in OF_THE_RUN]
    if any(name == "dbt_valid_to" for name, _ in columns):
        compared.append("(dbt_valid_to is null)::varchar")
    rows = connection.execute(f"select {', '.join(compared)} from {relation}").fetchall()
    return Content(columns, tuple(sorted(map(str, rows))))


def differences(expected: Mapping[str, Content], found: Mapping[str, Content]) -> list[str]:
    """Return what differs, one line per relation."""
    told = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    told += [f"{name} should not be there" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(expected.keys() & found.keys()):
        want, have = expected[name], found[name]
        if want.columns != have.columns:
            told.append(f"{name}: columns {have.columns}, with dbt {want.columns}")
        elif want.rows != have.rows:
            surplus = [row for row in have.rows if row not in want.rows][:3]
            lacking = [row for row in want.rows if row not in have.rows][:3]
            told.append(
                f"{name}: {len(have.rows)} rows, with dbt {len(want.rows)}; too many {surplus}, missing {lacking}"
            )
    return told


def number(file: Path) -> int:
    """Return the number of the generation that is current; 0 when there is none."""
    if not file.exists():
        return 0
    with duckdb.connect(str(file), read_only=True) as connection:
        if not connection.execute("select 1 from duckdb_tables() where schema_name = 'sluice'").fetchall():
            return 0
        return int(
            connection.execute("select coalesce(max(number), 0) from sluice.generation").fetchall()[0][0]
        )


def broken(folder: Path, file: Path, immutable: dict[str, str]) -> list[str]:
    """Return what does not hold: one current generation, a whole ledger that says the same, nothing open, no orphan,
    no physical relation that changed. `immutable` is what was seen before, and is added to."""
    told = _state(folder)
    with duckdb.connect(str(file), read_only=True) as connection:
        numbers = [
            row[0]
            for row in connection.execute("select number from sluice.generation order by all").fetchall()
        ]
        if numbers != list(range(1, len(numbers) + 1)):
            told.append(f"generations are {numbers}")
        twice = connection.execute(
            "select schema, identifier from sluice.pointer where until is null group by all having count(*) > 1"
        ).fetchall()
        told += [f"{name} has several current pointers" for name in twice]
        named = {row[0] for row in connection.execute("select address from sluice.pointer").fetchall()}
        there = connection.execute(
            "select table_name, table_type from information_schema.tables"
            " where table_schema = 'sluice_store' and table_catalog = current_database()"
        ).fetchall()
        told += [f"orphan: sluice_store.{name}" for name, _ in there if name not in named]
        for name, _ in there:
            seen = content(connection, f'sluice_store."{name}"')
            digest = hashlib.sha256(repr(seen).encode()).hexdigest()
            if immutable.setdefault(str(name), digest) != digest:
                told.append(f"sluice_store.{name} is not what it was")
    return told


def _state(folder: Path) -> list[str]:
    workspace = Workspace.at(folder)
    environment = workspace.environment("dev")
    store = workspace.store
    try:
        current = workspace.warehouse(environment).generation(environment.name)
        entries = store.entries()
        ledger.verify(entries)
        told: list[str] = []
        present = ledger.fold(entries).get(environment.name)
        if present is None or present["generation"] != current.number:
            told.append(f"the ledger says {present}, the warehouse serves {current.number}")
        if present is not None and present["release"] != current.release:
            told.append(f"the ledger says release {present['release']}, the warehouse {current.release}")
        promotions = store.promotions(environment=environment.name, limit=500)
        open_ones = [item for item in promotions if item.state not in ENDED]
        told += [f"promotion {item.id} is still {item.state.value}" for item in open_ones]
        if store.lease(environment.name) is not None:
            told.append("the lease is still held")
    finally:
        store.close()
    left = {path.parent.name for path in (folder / ".sluice" / "candidates").glob("*/*.duckdb")}
    # Those that were overtaken before they were served: the next attempt may take finished work from the last two.
    overtaken = {item.id for item in promotions if item.state is State.SUPERSEDED and item.generation is None}
    told += [f"a candidate is left: {each}" for each in sorted(left - overtaken)]
    return [*told, "too many candidates are left"] if len(left) > 2 else told
