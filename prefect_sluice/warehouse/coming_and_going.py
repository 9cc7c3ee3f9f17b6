"""Adoption, leaving and publish weight: the values by which a warehouse comes to Sluice and goes again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from prefect_sluice.domain.adoption import Adopted
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.publishing import Forecast, Told


@dataclass(frozen=True, slots=True)
class Departure:
    """What leaving does to one public name: it becomes a plain view by `sql`, or a plain table where that is ""."""

    name: Name
    address: Name
    sql: str = ""


class Movable(Protocol):
    """The part of a Warehouse that is asked when an environment comes or goes, and before anything is built."""

    def forecast(self, relations: Sequence[Name], pointers: int) -> Forecast:
        """Return which way a publish goes that brings in as much as `relations` hold and points `pointers` names anew.

        `relations` are names or addresses in the served database; one that is not there counts for nothing.
        """
        ...

    def adoptable(self, names: Sequence[Name]) -> tuple[Adopted, ...]:
        """Return what stands under these names and no environment serves, as adopting would move it. Reads all its rows."""
        ...

    def departures(self, environment: str) -> tuple[Departure, ...]:
        """Return what leaving would put under each public name of an environment; nothing where nothing is served."""
        ...

    def leave(self, environment: str, base: int, *, told: Told | None = None) -> tuple[Name, ...]:
        """Write plain relations back under the public names and forget the environment, in one transaction.

        The store's relations that no other environment names go with it; returns what somebody else put into the
        store, which stays. Again is no change. Raises EnvironmentMoved when the current generation is not `base`.
        """
        ...
