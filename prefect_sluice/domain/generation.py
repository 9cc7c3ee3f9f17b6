"""What an environment serves: a numbered table of pointers from public names to physical addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from prefect_sluice.domain.ledger import LedgerHead
from prefect_sluice.domain.node import Name, NodeKind

FORMER = "former."
"""How the unique id of a pointer begins whose node bears another public name today, and left this one to nobody."""
BY_PRODUCT = "hook."
"""How the unique id of a pointer begins whose relation no node but a hook or macro of the project made."""
OLD_NAME = "renamed."
"""How the unique id of a pointer begins whose public name is an old one of what is served under another: see `old_names`."""


def is_by_product(unique_id: str) -> bool:
    """Say whether that is the unique id of what a hook or macro made beside the nodes."""
    return unique_id.startswith(BY_PRODUCT)


def by_product(name: Name) -> str:
    """Return the unique id of what a hook or macro made under a public name."""
    return f"{BY_PRODUCT}{name}"


class Cause(StrEnum):
    """Why a generation was written."""

    RELEASE = "release"
    REFRESH = "refresh"
    ROLLBACK = "rollback"
    ADOPTION = "adoption"
    """Generation 0: what stood under the public names before the first release. Nobody asks for it; a first release does it."""
    CHECK = "check"
    """Nothing is written: a commit is built and judged as its release would be, and no generation follows."""
    PROMOTION = "promotion"
    """A release that is served in another environment already, made current here."""

    @property
    def publishes(self) -> bool:
        """Say whether a generation is to come of it."""
        return self is not Cause.CHECK

    @property
    def judged_as(self) -> Cause:
        """The cause by which it is planned and judged: a check's is that of the release that it stands in for."""
        return Cause.RELEASE if self is Cause.CHECK else self

    @property
    def takes_new_code(self) -> bool:
        """Say whether it brings code that did not serve here, and that somebody may have to look at."""
        return self in {Cause.RELEASE, Cause.PROMOTION}

    @property
    def renews(self) -> bool:
        """Say whether it brings new data alone: the code is that which serves."""
        return self is Cause.REFRESH

    @property
    def goes_back(self) -> bool:
        """Say whether it serves an older generation again, and builds nothing."""
        return self is Cause.ROLLBACK


@dataclass(frozen=True, slots=True)
class Pointer:
    """One public name and the immutable relation behind it.

    `inputs` is a digest of what the relation was built from beside its code: the versions of the sources it
    reads, directly or not. The same `fingerprint` and `inputs` mean the same content, so it need not be built again.
    """

    name: Name
    address: Name
    node: str
    kind: NodeKind
    fingerprint: str
    inputs: str

    @property
    def is_old_name(self) -> bool:
        """Say whether its public name is an old one, of what is served under another."""
        return self.node.startswith(OLD_NAME)

    @property
    def is_by_product(self) -> bool:
        """Say whether a hook or macro made it beside the nodes."""
        return is_by_product(self.node)


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
    head: LedgerHead | None = None

    @property
    def relations(self) -> tuple[Pointer, ...]:
        """The pointers without old names: one for each relation that is served."""
        return tuple(pointer for pointer in self.pointers if not pointer.is_old_name)

    def by_name(self) -> Mapping[Name, Pointer]:
        """Return the pointers by public name."""
        return {pointer.name: pointer for pointer in self.pointers}

    def by_node(self) -> Mapping[str, Pointer]:
        """Return the pointers by dbt unique id."""
        return {pointer.node: pointer for pointer in self.pointers}

    @classmethod
    def nothing(cls, environment: str) -> Generation:
        """Return number 0 of an environment in which nothing was published and nothing adopted. Pure."""
        return cls(environment, 0, "", "", 0, Cause.RELEASE, 0, datetime.fromtimestamp(0, UTC), ())

    def known_as(self, ids: Mapping[Name, str]) -> Generation:
        """Return the same pointers under the unique ids of today: what has a history is the public name, not the id.

        `ids` are today's nodes by folded public name. Where no node bears the name, the pointer keeps its id, so a model that
        moves to another name is found by it, unless that model took over another pointer by its name. Old names are left
        out: nothing goes on from them. Repeatable.
        """
        taken = {ids[pointer.name.folded] for pointer in self.relations if pointer.name.folded in ids}

        def own(pointer: Pointer) -> str:
            former = f"{FORMER}{pointer.name}" if pointer.node in taken else pointer.node
            return ids.get(pointer.name.folded, former)

        return replace(
            self, pointers=tuple(replace(pointer, node=own(pointer)) for pointer in self.relations)
        )

    def new_ids(self, ids: Mapping[Name, str]) -> Mapping[str, str]:
        """Return today's unique id of each node that bears another one here, by the one here."""
        pairs = zip(self.relations, self.known_as(ids).pointers, strict=True)
        return {old.node: new.node for old, new in pairs if old.node != new.node}
