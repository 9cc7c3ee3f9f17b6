"""Column fingerprints: a node that reads two columns of another stays the same as long as those two, and the rows, do.

A column's fingerprint covers its own expression, the columns that it is made of, what decides the rows, and everything of
the node that is not its SQL. Where a node's shape is not proven, it has none, and whoever reads it reads all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.node import Name

if TYPE_CHECKING:
    from prefect_sluice.sql.columns.shape import Shape

Read = tuple[Name, str]
_ALL = "*"


@dataclass(slots=True)
class RelationFingerprint:
    """The fingerprint of one relation, and, where its shape is known, of its rows and of each column that is asked for.

    `below` are the prints of the project's relations by name (lower case); any other name is a relation outside,
    whose content its version tells. `besides` is the digest of everything of the node that is not its query.
    """

    whole: str
    shape: Shape | None = None
    besides: str = ""
    below: Mapping[Name, RelationFingerprint] = field(default_factory=dict[Name, "RelationFingerprint"])
    columns: dict[str, str] = field(default_factory=dict[str, str])
    rows: str = ""

    def __post_init__(self) -> None:
        """Compute the rows' fingerprint, and those of the columns that have a name."""
        if self.shape is not None:
            relations = [[str(name.folded), self._rows_of(name)] for name in self.shape.relations]
            self.rows = digest([self.besides, self.shape.rows, relations, self._reads(self.shape.reads)])
            for name, _ in self.shape.columns:
                self.column(name)

    def column(self, name: str) -> str:
        """Return the fingerprint of one column; "" for a column that is not there, which readers depend on as well."""
        folded = name.lower()
        if self.shape is None or folded == _ALL:
            return self.whole
        if folded not in self.columns:
            part = self.shape.part(folded)
            # The names as written: a reader's column may take its case from there.
            written = [one for one, _ in self.shape.columns if one.lower() == folded]
            self.columns[folded] = (
                digest([self.rows, written, part.text, self._reads(part.reads)]) if part is not None else ""
            )
        return self.columns[folded]

    def of(self, columns: Iterable[str] | None) -> Json:
        """Return what a reader of these columns depends on; None is all of them."""
        if columns is None or self.shape is None:
            return self.whole
        return [self.rows, {name: self.column(name) for name in sorted(columns)}]

    def _rows_of(self, name: Name) -> str:
        relation = self.below.get(name.folded)
        if relation is None:
            return "outside"
        return relation.whole if relation.shape is None else relation.rows

    def _reads(self, reads: Iterable[Read]) -> Json:
        return [[str(name.folded), column.lower(), self._read(name, column)] for name, column in reads]

    def _read(self, name: Name, column: str) -> str:
        relation = self.below.get(name.folded)
        return "outside" if relation is None else relation.column(column)


def columns_read(shape: Shape) -> Mapping[Name, frozenset[str] | None]:
    """Return for each relation that a query reads the columns it reads of it, in lower case; None is all of them. Pure."""
    columns_by_relation: dict[Name, set[str]] = {name.folded: set() for name in shape.relations}
    for name, column in (*shape.reads, *(read for _, part in shape.columns for read in part.reads)):
        columns_by_relation.setdefault(name.folded, set()).add(column.lower())
    whole = {name.folded for name in shape.whole} | {
        name for name, columns in columns_by_relation.items() if _ALL in columns
    }
    return {
        name: None if name in whole else frozenset(columns) for name, columns in columns_by_relation.items()
    }
