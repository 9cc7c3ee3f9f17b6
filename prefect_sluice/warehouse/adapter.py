"""What an engine's folder gives to the catalogue of engines: its databases, its warehouses, its sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from prefect_sluice.warehouse.base import Engine, Warehouse
from prefect_sluice.warehouse.database import Database
from prefect_sluice.warehouse.publishing import PublishRule


@dataclass(frozen=True, slots=True)
class WarehouseOptions:
    """How a warehouse is served: the schema that holds what was built, how long to try while another process holds it, the rule
    of a publish, and Sluice's own folder, in which candidates are that are files.

    `answers` are what a run read already of what it serves: the adapter's own, kept by whoever is at work.

    `connect` opens a connection as dbt's adapter of the engine does, None where plain ones do; `folder` is what relative paths
    of a candidate's queries start from, None where none is built or read. `readable` are the files and folders that these may
    read beside the candidate and what serves (of a network: how its addresses begin), None for all.
    """

    store: str
    patience: timedelta
    rule: PublishRule
    ours: Path
    answers: dict[Any, Any]
    connect: Callable[..., Any] | None = None
    folder: Path | None = None
    readable: tuple[str, ...] | None = None


class Adapter(Protocol):
    """An engine, by its row in `engines.py`. To import it loads no driver. `type` is that of its targets in profiles.yml."""

    type: str

    def database(self, settings: Mapping[str, Any], home: Path, *, target: str, place: str) -> Database:
        """Return the database that a target of profiles.yml means. `settings` are the target's, rendered; a relative path
        starts at `home`; `target` and `place` (the profile's file) are for messages. Raises ConfigInvalid."""
        ...

    def warehouse(self, database: Database, settings: WarehouseOptions) -> Warehouse:
        """Return the warehouse of a database that `database` returned. Opens nothing."""
        ...

    def session(self, settings: Mapping[str, str]) -> Engine:
        """Return what a session with these settings is like on this machine. Opens no warehouse."""
        ...
