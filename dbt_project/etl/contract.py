"""A batch held against its contract, with the rows that break it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import duckdb
import ibis
import pandas as pd
import pandera.ibis as pa
from ibis.expr import types as ir
from pandera.errors import SchemaError, SchemaErrors

from contracts import raw

CONTRACTS: Final[Mapping[str, type[pa.DataFrameModel]]] = {
    "flights": raw.RawFlights,
    "weather": raw.RawWeather,
    "planes": raw.RawPlanes,
    "airports": raw.RawAirports,
    "airlines": raw.RawAirlines,
}
EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken rule: its column (None for the whole row), what it asks, and three rows at most."""

    column: str | None
    rule: str
    rows: tuple[Mapping[str, object], ...]


class ContractBroken(Exception):
    """A batch that must not be written."""

    def __init__(self, table: str, breaches: tuple[Breach, ...]) -> None:
        """Keep the table's name and what is wrong with the batch for it."""
        super().__init__(table, breaches)
        self.table = table
        self.breaches = breaches

    def __str__(self) -> str:
        """One line for the table, one per rule, one per example."""
        lines = [f"the new rows of raw.{self.table} break their contract; nothing was written"]
        for breach in self.breaches:
            lines.append(f"  {breach.column or 'row'}: {breach.rule}")
            lines += [f"    {_shown(row)}" for row in breach.rows]
        return "\n".join(lines)


def check(connection: duckdb.DuckDBPyConnection, table: str, batch: str) -> None:
    """Hold the temporary table `batch` against the contract of `table`; ContractBroken if it breaks it."""
    rows = ibis.duckdb.from_connection(connection).table(batch, database=("temp", "main"))
    contract = CONTRACTS[table]
    try:
        contract.validate(rows, lazy=True)
    except SchemaErrors as errors:
        key = list(contract.to_schema().unique or [])
        breaches = (_breach(rows, key, error) for error in errors.schema_errors)
        raise ContractBroken(table, tuple(breaches)) from None


def _breach(rows: ir.Table, key: list[str], error: SchemaError) -> Breach:
    """Which rule was broken, and where; rows of a column's rule are cut down to the key and the column."""
    column = error.schema.name if error.schema.name in rows.columns else None
    rule = str(getattr(error.check, "error", None) or getattr(error.check, "name", None) or error.check)
    if rule == "multiple_fields_uniqueness":
        rule = f"unique {', '.join(key)}"
    examples = _failing(rows, column, error).limit(EXAMPLES)
    shown = examples if column is None else examples.select(*dict.fromkeys([*key, column]))
    return Breach(column, rule, tuple(shown.to_pyarrow().to_pylist()))


def _failing(rows: ir.Table, column: str | None, error: SchemaError) -> ir.Table:
    """The rows that break the rule; none when the rule is about the table, such as a missing column."""
    cases = error.failure_cases
    if column is not None and str(error.check) == "not_nullable":
        return rows.filter(rows[column].isnull())
    if isinstance(cases, ir.Table):
        return cases
    if not isinstance(cases, pd.DataFrame) or "failure_case" not in cases:
        return rows.limit(0)
    # pandera keeps the failing values of a column but not their rows, so they are looked up again
    values = [dict(case) for case in cases["failure_case"].head(EXAMPLES)]
    if column is not None:
        return rows.filter(rows[column].isin([value[column] for value in values]))
    return ibis.memtable(values, schema=rows.schema())


def _shown(row: Mapping[str, object]) -> str:
    """A row on one line, without what is empty in it."""
    return " ".join(f"{name}={value}" for name, value in row.items() if value is not None)
