"""What a physical relation holds, as a digest: written down when it is published, and compared when it is read again."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.node import Name

QUERY = "query"
"""How the algorithm of a view's digest begins."""


@dataclass(frozen=True, slots=True)
class Content:
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
class Reread:
    """A relation, read again. `was` is what was written down (None: nothing), `now` what it holds (None: it was not read, since
    there is nothing that it could be compared with, or it is gone)."""

    address: Name
    was: Content | None
    now: Content | None

    @property
    def is_edited(self) -> bool:
        """Say whether it holds something else than what was published."""
        return self.was is not None and self.now is not None and self.was != self.now

    @property
    def is_told(self) -> bool:
        """Say whether it could be told."""
        return self.was is not None and self.now is not None

    @property
    def words(self) -> str:
        """What was found, in a line."""
        if self.was is None:
            return f"{self.address} was published by an older Sluice, without a digest"
        if self.now is None:
            return f"{self.address} has a digest by {self.was.algorithm}, which this engine does not make"
        if not self.is_edited:
            return f"{self.address} holds what was published"
        rows = (
            f": {self.now.rows} rows, published with {self.was.rows}"
            if self.was.rows != self.now.rows
            else ""
        )
        return f"{self.address} was edited since it was published{rows}"
