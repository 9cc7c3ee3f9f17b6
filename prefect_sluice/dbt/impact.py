"""Column fingerprints: a node that reads two columns of another is the same as long as those two, and the rows, are.

A column's fingerprint covers its own expression, the columns that it is made of, what decides the rows, and everything of
the node that is not its SQL. Where a node's shape is not proven, it has none, and whoever reads it reads all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect_sluice.canonical import Json, digest
from prefect_sluice.node import Name

if TYPE_CHECKING:
    from prefect_sluice.sql.shape import Shape

Read = tuple[Name, str]


@dataclass(frozen=True, slots=True)
class Print:
    """The fingerprint of one relation, and, where its shape is known, of its rows and of each column (lower case)."""

    whole: str
    rows: str = ""
    columns: Mapping[str, str] | None = None

    def of(self, columns: Iterable[str] | None) -> Json:
        """Return what a reader of these columns depends on; None is all of them."""
        if columns is None or self.columns is None:
            return self.whole
        return [self.rows, {name: self.columns.get(name, "") for name in sorted(columns)}]


@dataclass(frozen=True, slots=True)
class Below:
    """What stands below one node: the prints of the project's relations by their name (lower case); any other name is
    of a relation outside, whose content its version tells."""

    prints: Mapping[Name, Print]

    def rows(self, name: Name) -> Json:
        """Return what the rows of a relation depend on."""
        found = self.prints.get(name.folded)
        if found is None:
            return f"outside {name.folded}"
        return found.whole if found.columns is None else found.rows

    def column(self, read: Read) -> Json:
        """Return what one column of a relation depends on; one that is not there is a fact, too."""
        name, column = read
        found = self.prints.get(name.folded)
        if found is None:
            return f"outside {name.folded}.{column}"
        return found.whole if found.columns is None else found.columns.get(column.lower(), "")


def columns_read(shape: Shape) -> Mapping[Name, frozenset[str] | None]:
    """Return for each relation that a query reads the columns it reads of it, in lower case; None is all of them. Pure."""
    found: dict[Name, set[str]] = {name.folded: set() for name in shape.relations}
    for name, column in (*shape.reads, *(read for _, part in shape.columns for read in part.reads)):
        found.setdefault(name.folded, set()).add(column.lower())
    whole = {name.folded for name in shape.whole}
    # Where a row lies may change with any column.
    whole |= {name for name, columns in found.items() if "rowid" in columns}
    return {name: None if name in whole else frozenset(columns) for name, columns in found.items()}


def columns_of(shape: Shape, besides: str, below: Below) -> tuple[str, Mapping[str, str]] | None:
    """Return the fingerprints of a query's rows and of its columns, by name in lower case; None where they are not known
    one by one: a `*` hands on what another relation has, or two bear one name.

    `besides` is the digest of everything of the node that is not its query. Pure.
    """
    if shape.whole:
        return None
    rows = digest(
        {
            "besides": besides,
            "text": shape.rows,
            "relations": [[str(name.folded), below.rows(name)] for name in shape.relations],
            "reads": [_read(read, below) for read in shape.reads],
        }
    )
    # The name as written: a reader's column may take its case from there.
    columns = {
        name.lower(): digest([rows, name, part.text, [_read(read, below) for read in part.reads]])
        for name, part in shape.columns
    }
    return (rows, columns) if len(columns) == len(shape.columns) else None


def _read(read: Read, below: Below) -> Json:
    name, column = read
    return [str(name.folded), column.lower(), below.column(read)]
