"""What a gate remembers from one run to the next, in the state store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.memory import Memory
from prefect_sluice.workspace.workspace import Workspace

if TYPE_CHECKING:
    from prefect_sluice.state.store import StateStore


def remembering(workspace: Workspace, gate: str) -> Memory:
    """Return what one gate remembers."""
    return _Memory(workspace.store, gate)


@dataclass(frozen=True, slots=True)
class _Memory:
    """What one gate remembers, in the state store."""

    store: StateStore
    gate: str

    def recall(self, key: str) -> Json | None:
        return self.store.cached(f"gate.{self.gate}", [key]).get(key)

    def keep(self, key: str, value: Json) -> None:
        with self.store.transaction() as transaction:
            transaction.put_cached(f"gate.{self.gate}", key, value)
