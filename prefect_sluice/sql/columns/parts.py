"""The result of a query: its columns, the relations that it passes through, and their digests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.node import Name

ALL = "*"
"""In the place of a column: all columns of the relation, and their order."""

Read = tuple[Name, str]
_DOUBLE = re.compile(r"(?:_\d+)+$")


@dataclass(frozen=True, slots=True)
class ColumnOrigin:
    """One column: `text` says how it is made, `reads` of what (relation outside the query, column in lower case, sorted).

    Equal text, equal reads with equal values, and equal rows of the query mean equal values, row by row. The column
    `*` of a relation stands for all its columns and their order; one that a relation does not have reads as absent.
    """

    text: str
    reads: tuple[Read, ...]


@dataclass(frozen=True, slots=True)
class PassThrough:
    """All columns of `relation` under their own names, but for those in `without` (lower case, sorted).

    `relation` is None for a result whose columns have no names here, but are in its rows, each and every one. `after`
    is how many named columns stand before it in a shape: of two columns with one name the first one keeps it.
    """

    text: str
    relation: Name | None
    without: tuple[str, ...] = ()
    after: int = 0

    def column(self, name: str, *, renamed: bool = False) -> ColumnOrigin | None:
        """Return the column that goes through as `name`, None if it is left out; `renamed` ones are never known to be."""
        if name in self.without and not renamed:
            return None
        reads = () if self.relation is None else ((self.relation, name),)
        return ColumnOrigin(f"{self.text}.{name}", reads)

    def everything(self) -> ColumnOrigin:
        """Return all of it as one part."""
        reads = () if self.relation is None else ((self.relation, ALL),)
        return ColumnOrigin(stamp("all", self.text, list(self.without)), reads)


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """An output column under its name as written, "" if it has none that is known; `sums` if it is an aggregate."""

    name: str
    part: ColumnOrigin
    sums: bool = False


Item = OutputColumn | PassThrough


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query gives: `rows` and their `reads` decide which rows, `items` are the columns in order."""

    rows: str
    reads: frozenset[Read]
    items: tuple[Item, ...]

    @property
    def closed(self) -> bool:
        """Say whether all columns are known by name."""
        return all(isinstance(output, OutputColumn) and output.name for output in self.items)

    def column(self, name: str) -> ColumnOrigin | None:
        """Return the column `name`, None if there is none for sure."""
        return find_column(self.items, name.lower())

    def everything(self) -> ColumnOrigin:
        """Return rows and columns as one part."""
        parts = [
            output.part if isinstance(output, OutputColumn) else output.everything() for output in self.items
        ]
        names: list[Json] = [
            output.name if isinstance(output, OutputColumn) else ALL for output in self.items
        ]
        text = stamp("result", self.rows, names, [part.text for part in parts])
        return ColumnOrigin(text, merged(self.reads, *(part.reads for part in parts)))


def find_column(items: Iterable[Item], name: str) -> ColumnOrigin | None:
    """Return what a column `name` (lower case) of a result with these items may be, None if there is none.

    Where two columns bear one name DuckDB calls the later ones `name_1`, `name_1_1`: with several items such a name
    is any of them.
    """
    several = tuple(items)
    hits = list(_hits(several, name, renamed=False))
    if _may_double(several):
        start = len(_DOUBLE.sub("", name))
        for at in range(start, len(name)):
            if name[at] == "_":
                hits += _hits(several, name[:at], renamed=True)
    if len(hits) < 2:
        return hits[0] if hits else None
    return ColumnOrigin(stamp("any", *(hit.text for hit in hits)), merged(*(hit.reads for hit in hits)))


def _may_double(items: tuple[Item, ...]) -> bool:
    names = [output.name.lower() for output in items if isinstance(output, OutputColumn)]
    return len(items) > 1 and (len(names) < len(items) or len(set(names)) < len(names))


def _hits(items: Iterable[Item], name: str, *, renamed: bool) -> Iterator[ColumnOrigin]:
    for output in items:
        if isinstance(output, PassThrough):
            part = output.column(name, renamed=renamed)
            if part is not None:
                yield part
        elif output.name.lower() == name:
            yield output.part


def merged(*reads: Iterable[Read]) -> tuple[Read, ...]:
    """Return all of these, sorted, each once."""
    return tuple(sorted({read for some in reads for read in some}))


def stamp(*values: Json) -> str:
    """Return a short digest of these values."""
    return digest(list(values))[:32]


def abbreviate(text: str, *values: Json) -> str:
    """Return `text`, cut where it is long, with a digest of all of it and of `values`: for people and for comparing."""
    return f"{text if len(text) < 81 else text[:80] + '…'} #{stamp(text, *values)}"


def outside(relation: Name) -> QueryResult:
    """Return a relation outside the query as a result: its columns are what it has."""
    return QueryResult(f"rows of {relation}", frozenset(), (PassThrough(str(relation), relation),))
