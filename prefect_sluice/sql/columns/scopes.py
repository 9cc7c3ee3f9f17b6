"""What a name in a query may mean: every meaning that it may have is taken, and all of them are read.

DuckDB knows which columns a relation outside the query has, and this module does not. So a name that several relations
may have is a read of that column in each of them. That is right even where the relation has no such column: a column
that is added later and takes the name over goes from absent to present, so what reads it has changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from prefect_sluice.sql.columns.parts import ColumnOrigin, QueryResult
from prefect_sluice.sql.columns.understood import Unproven


@dataclass(frozen=True, slots=True)
class FromItem:
    """What stands in FROM under `alias` (lower case); `visible` is False for what a `*` does not show."""

    alias: str
    result: QueryResult
    visible: bool = True


@dataclass(slots=True)
class Scope:
    """The sources of one SELECT, the names that its columns get (lower case), and the scope around it.

    `labels_meant` collects the labels that names may have meant since it was emptied, subqueries included.
    """

    outer: Scope | None = None
    sources: list[FromItem] = field(default_factory=list[FromItem])
    labels: frozenset[str] = frozenset()
    labels_meant: set[str] = field(default_factory=set[str])

    def meanings(self, chain: list[str], *, quoted: bool) -> list[tuple[str, ColumnOrigin]]:
        """Return what `chain` (a name, or several with dots between, lower case) may mean, labels apart.

        One entry per meaning: where it was found, and the column. Raises Unproven for a name that may be one DuckDB gave.
        """
        hits: list[tuple[str, ColumnOrigin]] = []
        scope: Scope | None = self
        depth = 0
        while scope is not None:
            if chain[0] in scope.labels:
                scope.labels_meant.add(chain[0])
            here, certain = scope._here(chain)
            hits += [(f"{depth}:{alias}", part) for alias, part in here]
            if certain:
                break
            if quoted and any(_has_nameless(source.result) for source in scope.sources):
                raise Unproven(f"{chain[0]} may be a column without a name")
            scope, depth = scope.outer, depth + 1
        return hits

    def _here(self, chain: list[str]) -> tuple[list[tuple[str, ColumnOrigin]], bool]:
        """Return the meanings within this scope, and whether one of them is the meaning for sure."""
        hits: list[tuple[str, ColumnOrigin]] = []
        for number, (qualifier, name) in enumerate(pairwise(chain)):
            for source in self.sources:
                part = source.result.column(name) if source.alias == qualifier else None
                if part is not None:
                    hits.append((source.alias, part))
                    if not number and source.result.closed:
                        return hits, True
        certain = False
        for source in self.sources:
            part = source.result.column(chain[0])
            if part is not None:
                hits.append((source.alias, part))
                certain = certain or source.result.closed
        if not certain and len(chain) == 1:
            # The name of a source alone is its whole row.
            hits += [
                (f"{one.alias}.*", one.result.everything()) for one in self.sources if one.alias == chain[0]
            ]
        return hits, certain


def _has_nameless(result: QueryResult) -> bool:
    return any(getattr(output, "name", "*") == "" for output in result.items)
