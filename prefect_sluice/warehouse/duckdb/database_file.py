"""A DuckDB database is a file: what is known of one without opening it. No driver is loaded here."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.runtime.running import start_of
from prefect_sluice.warehouse.duckdb.side_catalogue import SEEN

LIVE = "sluice_live"
"""The name under which the served database is attached, read-only, wherever a candidate is read or built."""

BASELINE = "sluice_baseline"
"""The name under which a baseline is attached where a candidate is read: what the code that serves makes of today's data."""

_TAKEN = frozenset({"main", "system", "temp"})
_FRESH = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)")


def catalog_name(path: Path) -> str:
    """Return the name of the database in `path`: the file's name up to its first dot (a leading one apart)."""
    name = path.name.lstrip(".").partition(".")[0]
    return f"{name}_db" if name in _TAKEN else name


@dataclass(frozen=True, slots=True)
class DatabaseFile:
    """See Database. `path` is as the profile writes it: absolute, links in it not followed."""

    path: Path

    @property
    def identity(self) -> str:
        """See Database."""
        return str(self.path.resolve())

    @property
    def catalog(self) -> str:
        """See Database."""
        return catalog_name(self.path)

    @property
    def name(self) -> str:
        """See Database."""
        return self.path.name

    @property
    def place(self) -> str:
        """See Database."""
        return str(self.path)

    @property
    def files(self) -> tuple[Path, ...]:
        """See Database."""
        return (self.path,)

    def place_from(self, root: Path) -> str:
        """See Database."""
        return str(self.path.relative_to(root) if self.path.is_relative_to(root) else self.path)

    def exists(self) -> bool:
        """See Database."""
        return self.path.exists()

    def size(self) -> int:
        """See Database."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def journal(self) -> Path | None:
        """See Database."""
        journal = self.path.with_name(f"{self.path.name}.wal")
        return journal if journal.is_file() and journal.stat().st_size else None

    def unfinished(self) -> tuple[Path, ...]:
        """See Database."""
        if not self.path.parent.is_dir():
            return ()
        beside = sorted(self.path.parent.glob(f".{self.path.name}.*"))
        return tuple(file for file in beside if self._is_of_a_dead_process(file))

    def _is_of_a_dead_process(self, file: Path) -> bool:
        parts = _FRESH.fullmatch(file.name)
        return bool(parts) and parts["name"] == self.path.name and start_of(int(parts["pid"])) is None

    def refuse_its_name(self, environment: str, taken: Collection[str], profile: str) -> None:
        """See Database."""
        if self.catalog.lower() in {*taken, LIVE, SEEN}:
            raise ConfigInvalid(
                f"the warehouse file of {environment!r} bears the name of a schema of Sluice's own",
                self.place,
                "call the file something else",
            )
        file = self.path.resolve()
        if catalog_name(file) != self.catalog:
            # A publish by copy takes the place of the file that the link leads to, under that file's name.
            raise ConfigInvalid(
                f"the warehouse file of {environment!r} is a link to {file.name}, and DuckDB names a database by its file",
                self.place,
                f"give the file itself as `path` in {profile}, or call the link {file.name}",
            )
