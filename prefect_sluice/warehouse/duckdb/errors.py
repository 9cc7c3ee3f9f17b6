"""What DuckDB says of a file that it cannot open, as errors of our own."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from prefect_sluice.domain.errors import BadInput, QueryFailed, WarehouseBusy, WarehouseDamaged

_LOCKED = re.compile(r'lock on file "(?P<path>[^"]+)"')
_EXTENSION = re.compile(r'[Ff]ailed to download extension "(?P<name>[^"]+)"')
_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")


def describe_holder(pid: int, program: str) -> str:
    """Return which process holds a file, in words; `program` is the path of what it runs, "" where nobody says."""
    return f"process {pid} ({Path(program).name})" if program else f"process {pid}"


def translated(error: duckdb.Error, path: Path) -> Exception:
    """Return what happened, as one of our own: who holds the file, or why it cannot be opened."""
    text = str(error)
    if "lock on file" in text:
        found = _HOLDER.search(text)
        holder = describe_holder(int(found["pid"]), found["program"]) if found else ""
        held = _LOCKED.search(text)  # the profile may attach others
        return WarehouseBusy(held["path"] if held else str(path), holder)
    if isinstance(error, duckdb.ConnectionException) and "different configuration" in text:
        return WarehouseBusy(str(path), "this very process", ours=True)
    first = text.splitlines()[0]
    if "not a valid DuckDB database" in text or isinstance(
        error, (duckdb.SerializationException, duckdb.InternalException)
    ):
        return WarehouseDamaged(
            "is not a readable DuckDB file", str(path), "restore it from a backup, or move it away"
        )
    if missing := _EXTENSION.search(text):
        name = missing["name"]
        return BadInput(
            f"DuckDB's extension {name} is not installed here, and cannot be downloaded",
            str(path),
            f"install it where there is a network (INSTALL {name}), or take it out of `extensions` in profiles.yml",
        )
    if isinstance(error, duckdb.IOException):
        return WarehouseDamaged(
            f"cannot be opened ({first})",
            str(path),
            "check the path, its rights and the DuckDB version that wrote it",
        )
    return QueryFailed(first)
