"""The port for remembered documents: what a run derives is kept for the next one. The state store fills it."""

from __future__ import annotations

from typing import Protocol

from prefect_sluice.domain.digests import Json


class Memory(Protocol):
    """Remembers documents by the digest of what they were derived from. Each gate has its own."""

    def recall(self, key: str) -> Json | None:
        """Return what is kept under `key`, None if nothing is."""
        ...

    def keep(self, key: str, value: Json) -> None:
        """Keep a document. Repeatable."""
        ...
