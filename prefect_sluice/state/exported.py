"""What an export holds, and what a state store that was made of one remembers of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from prefect_sluice.domain.digests import Json
from prefect_sluice.state.codec import readable

if TYPE_CHECKING:  # the store brings SQLAlchemy with it
    from prefect_sluice.state.store import StateStore

IMPORTED = "environment.imported"
"""The ledger's entry of an import. Its facts are those of the export that was put in place."""


@dataclass(frozen=True, slots=True)
class Export:
    """What a folder holds: the environment, the generation that it serves and the release behind it, when it was copied (UTC),
    the digest of each file."""

    environment: str
    generation: int
    release: str
    at: datetime
    files: Mapping[str, str]

    @property
    def line(self) -> str:
        """What a copy that was made of it is a copy of, in one line."""
        served = f"generation {self.generation}, release {self.release[:7]}"
        return f"a copy of what served in {self.environment} as of {self.at:%Y-%m-%d %H:%M} UTC: {served}"

    def document(self) -> dict[str, Json]:
        """Return it as plain JSON."""
        return {**asdict(self), "files": dict(self.files), "at": self.at.isoformat()}


def export_of(document: object) -> Export:
    """Return the export that a document describes. Raises ValueError for what describes none."""
    from pydantic import TypeAdapter  # most environments are no copy

    return TypeAdapter(Export).validate_python(document)


def imported_here(store: StateStore, environment: str) -> Export | None:
    """Return the export that an environment was made of, the last one where there were several; None where it is no copy. Raises
    BadInput for an entry that cannot be read."""
    entry = next(store.entries_back(environment, IMPORTED), None)
    if entry is None:
        return None
    with readable(f"what {environment} was imported from", store.place):
        return export_of(entry.facts)
