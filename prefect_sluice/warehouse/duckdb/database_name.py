"""The name that DuckDB gives a database, known without opening it."""

from __future__ import annotations

from pathlib import Path

_TAKEN = frozenset({"main", "system", "temp"})


def catalog_name(path: Path) -> str:
    """Return the name of the database in `path`: the file's name up to its first dot (a leading one apart)."""
    name = path.name.lstrip(".").partition(".")[0]
    return f"{name}_db" if name in _TAKEN else name
