"""DuckDB's row in the catalogue of engines."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.domain.untrusted_text import parsing
from prefect_sluice.warehouse.adapter import WarehouseOptions
from prefect_sluice.warehouse.base import Engine, Warehouse
from prefect_sluice.warehouse.database import Database
from prefect_sluice.warehouse.duckdb.database_file import DatabaseFile

_NO_FILES = {"md", "motherduck", "ducklake"}


class DuckDBAdapter:
    """See Adapter. The driver is loaded by whoever asks for a warehouse or a session."""

    type = "duckdb"

    def database(self, settings: Mapping[str, Any], home: Path, *, target: str, place: str) -> DatabaseFile:
        """See Adapter."""
        path = str(settings.get("path", ":memory:"))
        if path.startswith(":memory:") or path.partition(":")[0] in _NO_FILES:
            raise ConfigInvalid(
                f"target {target!r} has path {path!r}, which is no file",
                place,
                "give it the path of a DuckDB file",
            )
        with parsing("is no path", place, f"mend path of target {target!r}", ConfigInvalid):
            return DatabaseFile(Path(os.path.normpath(home / Path(path).expanduser())))

    def warehouse(self, database: Database, settings: WarehouseOptions) -> Warehouse:
        """See Adapter."""
        from prefect_sluice.warehouse.duckdb.opening import SideOpener, plain
        from prefect_sluice.warehouse.duckdb.warehouse import DuckDB

        assert isinstance(database, DatabaseFile)
        return DuckDB(
            database.path,
            store=settings.store,
            patience=settings.patience,
            rule=settings.rule,
            ours=settings.ours,
            answers=settings.answers,
            room=SideOpener(settings.connect or plain, settings.folder, settings.readable),
        )

    def session(self, settings: Mapping[str, str]) -> Engine:
        """See Adapter."""
        from prefect_sluice.warehouse.duckdb.session import engine

        return engine(settings)
