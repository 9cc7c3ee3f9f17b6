"""What an environment serves: a numbered table of pointers from public names to physical addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from prefect_sluice.ledger import Head
from prefect_sluice.node import Kind, Name


class Cause(StrEnum):
    """Why a generation was written."""

    RELEASE = "release"
    REFRESH = "refresh"
    ROLLBACK = "rollback"
    ADOPTION = "adoption"
    """Generation 0: what stood under the public names before the first release. Nobody asks for it; a first release does it."""
    PROMOTION = "promotion"
    """A release that is served in another environment already, made current here."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """One public name and the immutable relation behind it.

    `inputs` is a digest of what the relation was built from beside its code: the versions of the sources it
    reads, directly or not. The same `fingerprint` and `inputs` mean the same content, so it need not be built again.
    """

    name: Name
    address: Name
    node: str
    kind: Kind
    fingerprint: str
    inputs: str


@dataclass(frozen=True, slots=True)
class Generation:
    """One version of an environment. Number 0 is what was before the first release: nothing, or what that adopted. `at` is UTC.

    `origin` is the generation whose table this is: its own number, or for a rollback the one written again.
    `collected_at` (UTC) is when the collector dropped relations of it, so that it cannot be served again; None: it is whole.
    `head` is the ledger's last entry when it was written; None for one that an older Sluice wrote, and for number 0.
    """

    environment: str
    number: int
    release: str
    promotion: str
    token: int
    cause: Cause
    origin: int
    at: datetime
    pointers: tuple[Pointer, ...]
    collected_at: datetime | None = None
    head: Head | None = None

    def by_name(self) -> Mapping[Name, Pointer]:
        """Return the pointers by public name."""
        return {pointer.name: pointer for pointer in self.pointers}

    def by_node(self) -> Mapping[str, Pointer]:
        """Return the pointers by dbt unique id."""
        return {pointer.node: pointer for pointer in self.pointers}
