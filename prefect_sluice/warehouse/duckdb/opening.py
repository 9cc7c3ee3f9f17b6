"""How a DuckDB file is opened for reading or building a candidate: as the profile says, in the project's folder."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

from prefect_sluice.runtime.process import inside

CONFIG: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": "false"}
NEW_FILE = {**CONFIG, "default_block_size": "16384"}
"""1,000 small tables take 16 MiB instead of 250 with blocks of 16 KiB (measured)."""


class Connect(Protocol):
    """Opens a DuckDB file. Raises DuckDB's errors."""

    def __call__(
        self, path: Path, *, read_only: bool, config: Mapping[str, Any]
    ) -> duckdb.DuckDBPyConnection:
        """Return a connection, which the caller closes."""
        ...


def plain(path: Path, *, read_only: bool, config: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """Open a file with nothing but these settings."""
    return duckdb.connect(str(path), read_only=read_only, config=dict(config))


@dataclass(frozen=True, slots=True)
class SideOpener:
    """Where side databases are opened: `connect` brings what the project's views need (attached databases, extensions,
    secrets, settings), `folder` is what its relative paths start from."""

    connect: Connect = plain
    folder: Path | None = None

    def open(self, path: Path, *, read_only: bool, config: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
        """Open a file."""
        with self.entered():
            return self.connect(path, read_only=read_only, config=config)

    @contextmanager
    def entered(self) -> Generator[None]:
        """Have the process's folder be that of the project while the block runs."""
        if self.folder is None:
            yield
            return
        with inside(self.folder):
            yield
