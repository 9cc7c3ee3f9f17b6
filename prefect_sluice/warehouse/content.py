"""What a physical relation holds, as a digest: written down when it is published, and compared when it is read again."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.node import Name

QUERY = "query"
"""How the algorithm of a view's digest begins."""


@dataclass(frozen=True, slots=True)
class RelationContent:
    """The digest of a relation's columns and of all its rows, whatever their order; of a view, of its query (`rows` is 0).

    `algorithm` names how it was made, with the engine's version where that counts: two digests say something of each other
    only under the same one.
    """

    address: Name
    algorithm: str
    rows: int
    digest: str

    @property
    def is_query(self) -> bool:
        """Say whether it is that of a view, which has no rows of its own."""
        return self.algorithm.startswith(QUERY)


@dataclass(frozen=True, slots=True)
class RereadRelation:
    """A relation, read again. `was` is what was written down (None: nothing), `now` what it holds (None: it is gone, or is a view
    that the engine's parser cannot take apart)."""

    address: Name
    was: RelationContent | None
    now: RelationContent | None

    @property
    def holds(self) -> bool:
        """Say whether it holds what was published. Two ways to make a digest do not come to the same number by chance, so the
        same one says so whatever the engine's version was."""
        if self.was is None or self.now is None:
            return False
        return (self.was.digest, self.was.rows) == (self.now.digest, self.now.rows)

    @property
    def is_edited(self) -> bool:
        """Say whether it holds something else than what was published: by another digest of the same engine, by the number of
        its rows, or as a view in place of a table."""
        if self.was is None or self.now is None or self.holds:
            return False
        same = self.was.algorithm == self.now.algorithm
        return same or self.was.rows != self.now.rows or self.was.is_query != self.now.is_query

    @property
    def is_told(self) -> bool:
        """Say whether it could be told."""
        return self.holds or self.is_edited

    @property
    def words(self) -> str:
        """What was found, in a line."""
        if self.was is None:
            return f"{self.address} was published by an older Sluice, without a digest"
        if self.now is None:
            return f"{self.address} cannot be read as it was published"
        if self.holds:
            return f"{self.address} holds what was published"
        if not self.is_edited:
            return f"{self.address} has a digest by {self.was.algorithm}, and this engine makes another one of as many rows"
        rows = (
            f": {count(self.now.rows, 'row')}, published with {self.was.rows}"
            if self.was.rows != self.now.rows and not self.now.is_query
            else ""
        )
        return f"{self.address} was edited since it was published{rows}"
