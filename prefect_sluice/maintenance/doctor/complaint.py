"""A complaint of the doctor: one disagreement, what it means, and the command that helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.inventory import Inventory
from prefect_sluice.workspace.workspace import Environment, Workspace

if TYPE_CHECKING:
    from prefect_sluice.state.store import StateStore


class Repair(StrEnum):
    """What `--repair` can do by itself: nothing of it can lose anything."""

    VIEW = "make the public view again"
    SETTLE = "write down what the warehouse says"
    LEASE = "drop the lease"
    FILE = "remove the file"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One disagreement. `check` names the kind, `thing` what it is about, `means` what follows from it, `fix` what to do.

    `environment` is "" where it is the project's. A `note` is shown, and does not count as wrong. With a `repair` the
    doctor can do it: `view` is the public name and the address it leads to, `path` the file that goes.
    """

    check: str
    environment: str
    thing: str
    means: str
    fix: str
    note: bool = False
    repair: Repair | None = None
    view: tuple[Name, Name] | None = None
    path: Path | None = None

    def document(self) -> Json:
        """Return it as JSON."""
        return {
            "check": self.check,
            "environment": self.environment,
            "thing": self.thing,
            "means": self.means,
            "fix": self.fix,
            "note": self.note,
            "repairable": self.repair is not None,
        }


@dataclass(frozen=True, slots=True)
class Examined:
    """The state to examine, as it was at `now` (UTC): the chosen environments, the state store (None: there is none, or it
    cannot be used), and the warehouses that could be opened, by their database's identity. `deep`: rows are read, too."""

    workspace: Workspace
    environments: Mapping[str, Environment]
    store: StateStore | None
    inventories: Mapping[str, Inventory]
    now: datetime
    deep: bool = False

    def inventory(self, environment: Environment) -> Inventory | None:
        """Return what stands in an environment's warehouse, None where it could not be opened."""
        return self.inventories.get(environment.database.identity)
