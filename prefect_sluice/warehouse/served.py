"""What a served database says of itself: which generations there are, and what stands under which name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from prefect_sluice.domain.displaced_names import Displaced
from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.content import RereadRelation


@dataclass(frozen=True, slots=True)
class ServedRelation:
    """A relation found in the served database; `is_view` tells a view from a table."""

    name: Name
    is_view: bool


class Served(Protocol):
    """Who can be asked what a served database says of itself: the warehouse, which opens it where it has to, or a reader of it,
    which has it open. All of it is read at once, so that a second question costs nothing while nobody writes to it.

    Where there is no database yet, nothing is served. Raises WarehouseDamaged when Sluice's own tables there cannot be read.
    """

    def generation(self, environment: str, number: int | None = None) -> Generation:
        """Return a generation, the current one by default; number 0, empty, when nothing was published yet.

        Raises BadInput for a number that was never written.
        """
        ...

    def history(self, environment: str) -> tuple[Generation, ...]:
        """Return all generations, newest first, without their pointers."""
        ...

    def kept(self, environment: str) -> tuple[Pointer, ...]:
        """Return every pointer of every generation whose relation is still there, oldest first."""
        ...

    def last_generations(self, environment: str) -> Mapping[Name, int]:
        """Return the newest generation that has each relation which is still there, by its address."""
        ...

    def relations(self) -> tuple[ServedRelation, ...]:
        """Return every relation in the database outside Sluice's own schemas."""
        ...

    def holders(self) -> Mapping[Name, str]:
        """Return the environment that serves each public name, by the name in lower case."""
        ...

    def displaced(self, environment: str) -> tuple[Displaced, ...]:
        """Return the public names of an environment that do not show what their pointers say, sorted. Changes nothing.

        A name under which nothing stands is left out where the relation is gone, too: nothing could be shown there.
        """
        ...


class Rereads(Protocol):
    """Reads physical relations again, to compare them with what was written down when they were published."""

    def reread(
        self, addresses: Sequence[Name], *, within: timedelta | None = None
    ) -> tuple[RereadRelation, ...]:
        """Read physical relations again, and return of each what it holds and what was written down when it was published.

        In this order, until the time `within` is over; one of them is read whatever it takes. Changes nothing.
        """
        ...
