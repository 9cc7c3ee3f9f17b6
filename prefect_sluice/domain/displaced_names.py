"""Public names under which something else stands than what was published: a plain `dbt run` put its tables there, say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import Name

TAKE_BACK = "sluice doctor --repair"
"""The command that makes the public views again, and sets aside the tables that stand in their place."""
_SOME = 10
"""How many names a line has."""


class Replacement(StrEnum):
    """What stands under a public name in place of its view."""

    TABLE = "a table"
    VIEW = "another view"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Displaced:
    """A public name that does not show the physical relation at `address`, as its pointer says, but what `instead` says."""

    name: Name
    address: Name
    instead: Replacement

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.instead.value} stands at {self.name}, not what was published"

    def document(self) -> Json:
        """Return it as JSON."""
        return {"name": str(self.name), "instead": self.instead.value}


def describe_displaced(displaced: Sequence[Displaced]) -> str:
    """Return in one line what stands where, with the first names of each kind."""
    by_kind = {
        kind: [str(relation.name) for relation in displaced if relation.instead is kind]
        for kind in Replacement
    }
    return ", ".join(
        f"{kind.value} stands at {_first_names(names)}" for kind, names in by_kind.items() if names
    )


def _first_names(names: Sequence[str]) -> str:
    rest = len(names) - _SOME
    return ", ".join(names[:_SOME]) + (f" and {rest} more" if rest > 0 else "")
