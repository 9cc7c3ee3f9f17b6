"""What a query's result is made of, column by column: enough to prove that a column stays what it is.

For two queries with equal `rows` and equal parts of some columns, over relations of which all that these read is equal:
those columns are equal, jointly, row by row. Nothing is said about the order of rows. Where this cannot be
proven there is no shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import Name
from prefect_sluice.sql.clock_and_chance import volatile
from prefect_sluice.sql.columns.clauses import QueryText
from prefect_sluice.sql.columns.parts import (
    ALL,
    ColumnOrigin,
    Item,
    OutputColumn,
    PassThrough,
    QueryResult,
    Read,
    find_column,
    merged,
)
from prefect_sluice.sql.columns.query_reader import QueryReader
from prefect_sluice.sql.columns.understood import Unproven, require_understood
from prefect_sluice.sql.duckdb_keywords import DIALECT
from prefect_sluice.sql.tokens import lexemes

__all__ = ["ALL", "ColumnOrigin", "PassThrough", "Read", "Shape", "doubt", "from_json", "shape", "to_json"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides the rows of a result (`rows`, `reads`), and what its columns are made of.

    `columns` are those known by name, in order, as written: all of them if `passes` is empty. `passes` are relations
    whose columns go through by `*`; ask `part` for one of those. `relations` is every relation outside the query that
    it names, `whole` those of which all columns, and their order, must be taken as read. All sorted but `columns`.
    """

    rows: str
    reads: tuple[Read, ...]
    relations: tuple[Name, ...]
    whole: tuple[Name, ...]
    columns: tuple[tuple[str, ColumnOrigin], ...]
    passes: tuple[PassThrough, ...] = ()

    def part(self, column: str) -> ColumnOrigin | None:
        """Return what the column of that name (case does not count) is made of, None if the result has none for sure."""
        items: list[Item] = []
        for number, (name, part) in enumerate(self.columns):
            items += [one for one in self.passes if one.after == number]
            items.append(OutputColumn(name, part))
        items += [one for one in self.passes if one.after >= len(self.columns)]
        return find_column(items, column.lower())


def shape(sql: str, dialect: str, catalog: str) -> Shape | None:
    """Return the shape of the one query in `sql` over the database `catalog`, None where anything is in doubt. Pure."""
    try:
        return _proven(sql, dialect, catalog)
    except (Unproven, IndexError, KeyError, RecursionError):
        return None


def doubt(sql: str, dialect: str, catalog: str) -> str:
    """Return what keeps `sql` from having a shape, in a few words; "" if it has one. Pure."""
    try:
        _proven(sql, dialect, catalog)
    except (Unproven, IndexError, KeyError, RecursionError) as error:
        return str(error) if isinstance(error, Unproven) else "the query is not understood"
    return ""


def _proven(sql: str, dialect: str, catalog: str) -> Shape:
    tokens = lexemes(sql, dialect) if dialect == DIALECT else None
    if not tokens:
        raise Unproven("the query cannot be taken apart")
    if inputs := volatile(sql, dialect):
        raise Unproven(f"it asks for {', '.join(inputs)}")
    while tokens and tokens[-1].text == ";":
        tokens = tokens[:-1]
    require_understood(tokens)
    reader = QueryReader(QueryText.of(tokens), catalog)
    result = reader.query((0, len(tokens)), None, {})
    return _shape(reader, result)


def _shape(reader: QueryReader, result: QueryResult) -> Shape:
    columns = _columns(result.items)
    passes = _passes(result.items)
    used = {read for _, part in columns for read in part.reads}
    reads = merged(result.reads, reader.mentioned - used)
    every = {passed.relation for passed in passes if passed.relation} | {
        relation for relation, column in {*reads, *used} if column == ALL
    }
    return Shape(result.rows, reads, tuple(sorted(reader.relations)), tuple(sorted(every)), columns, passes)


def _passes(items: tuple[Item, ...]) -> tuple[PassThrough, ...]:
    return tuple(
        replace(output, after=sum(isinstance(one, OutputColumn) for one in items[:at]))
        for at, output in enumerate(items)
        if isinstance(output, PassThrough)
    )


def _columns(items: tuple[Item, ...]) -> tuple[tuple[str, ColumnOrigin], ...]:
    """Return the columns that have a name. Raises Unproven for one without, and for a name that two have."""
    named = [column for column in items if isinstance(column, OutputColumn)]
    if any(not column.name for column in named) or len({column.name.lower() for column in named}) < len(
        named
    ):
        raise Unproven("names of columns")
    return tuple((column.name, column.part) for column in named)


def to_json(shape: Shape) -> Json:
    """Return the shape as JSON; `from_json` reads it."""
    return {
        "rows": shape.rows,
        "reads": _reads(shape.reads),
        "relations": [[name.schema, name.identifier] for name in shape.relations],
        "whole": [[name.schema, name.identifier] for name in shape.whole],
        "columns": [[name, part.text, _reads(part.reads)] for name, part in shape.columns],
        "passes": [
            [
                one.text,
                [one.relation.schema, one.relation.identifier] if one.relation else None,
                list(one.without),
                one.after,
            ]
            for one in shape.passes
        ],
    }


def _reads(reads: tuple[Read, ...]) -> Json:
    return [[name.schema, name.identifier, column] for name, column in reads]


def from_json(value: Json) -> Shape:
    """Return the shape that `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    raw = cast(Mapping[str, Any], value)
    return Shape(
        str(raw["rows"]),
        _read(raw["reads"]),
        tuple(Name(*name) for name in raw["relations"]),
        tuple(Name(*name) for name in raw["whole"]),
        tuple((str(name), ColumnOrigin(str(text), _read(reads))) for name, text, reads in raw["columns"]),
        tuple(
            PassThrough(str(text), Name(*relation) if relation else None, tuple(without), int(after))
            for text, relation, without, after in raw["passes"]
        ),
    )


def _read(value: Any) -> tuple[Read, ...]:
    return tuple((Name(str(schema), str(identifier)), str(column)) for schema, identifier, column in value)
