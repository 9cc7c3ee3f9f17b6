"""How a DuckDB file is opened for reading or building a candidate: as the profile says, in the project's folder."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import duckdb

from prefect_sluice.domain.errors import WarehouseBusy
from prefect_sluice.runtime.process import inside
from prefect_sluice.warehouse.duckdb.errors import translated

_STEP = 0.05
"""Seconds between two attempts."""

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


def patiently(
    attempt: Callable[[], duckdb.DuckDBPyConnection], path: Path, patience: timedelta
) -> duckdb.DuckDBPyConnection:
    """Return what `attempt` returns, tried again for as long as `patience` while another process holds the file at `path`.

    Raises WarehouseBusy, and WarehouseDamaged.
    """
    deadline = monotonic() + patience.total_seconds()
    pause = threading.Event()
    while True:
        try:
            return attempt()
        except duckdb.Error as error:
            failure = translated(error, path)
            if not isinstance(failure, WarehouseBusy) or monotonic() > deadline:
                raise failure from error
            if failure.ours:
                gc.collect()  # a connection that nobody uses any more is open until it is collected
            pause.wait(_STEP)


def plain(path: Path, *, read_only: bool, config: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """Open a file with nothing but these settings."""
    return duckdb.connect(str(path), read_only=read_only, config=dict(config))


def create(path: Path, open_new: Callable[[Path], AbstractContextManager[object]]) -> None:
    """Make an empty database at `path`; one that another process made meanwhile stays. Repeatable."""
    # Made under another name first: who dies while DuckDB writes its headers would leave a broken warehouse.
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    remove(fresh)
    with open_new(fresh):
        pass
    with contextlib.suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()


def remove(path: Path) -> None:
    """Remove a file, if it is there, and its journal."""
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".wal").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class SideOpener:
    """Where side databases are opened: `connect` brings what the project's views need (attached databases, extensions,
    secrets, settings), `folder` is what its relative paths start from, `readable` are the files and folders that they may read
    (of a network: how its addresses begin); None: all that this process may."""

    connect: Connect = plain
    folder: Path | None = None
    readable: tuple[str, ...] | None = None

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

    def confine(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Keep what queries read to what may be read, for as long as the file is open: the text of a view is the change's, and
        this process has more rights than what built it. Nothing is attached afterwards."""
        if self.readable is None:
            return
        files = [place for place in self.readable if Path(place).is_file()]
        folders = [place for place in self.readable if place not in files]
        connection.execute(f"set allowed_paths = {_listed(files)}")
        connection.execute(f"set allowed_directories = {_listed(folders)}")
        connection.execute("set enable_external_access = false")


def _listed(places: Sequence[str]) -> str:
    quoted = ", ".join("'" + place.replace("'", "''") + "'" for place in places)
    return f"[{quoted}]"
