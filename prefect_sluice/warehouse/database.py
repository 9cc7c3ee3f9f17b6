"""Where a target's relations are: what is known of a database from its settings, without a driver and before it is there."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol


class Database(Protocol):
    """The database of one target of profiles.yml. Nothing is opened, and nothing here is written."""

    @property
    def identity(self) -> str:
        """What is equal for two targets exactly where they mean the same database. It holds no secret."""
        ...

    @property
    def catalog(self) -> str:
        """The name the database bears in SQL."""
        ...

    @property
    def name(self) -> str:
        """How it is called in a line of text."""
        ...

    @property
    def place(self) -> str:
        """Where it is, in full, for messages and documents. It holds no secret."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of this machine that it lies in, which need not be there yet; none where a server has it."""
        ...

    def place_from(self, root: Path) -> str:
        """Return `place` as people would type it in the folder `root`."""
        ...

    def exists(self) -> bool:
        """Say whether there is anything to open."""
        ...

    def size(self) -> int:
        """Return its bytes on disk, 0 before it is there."""
        ...

    def journal(self) -> Path | None:
        """Return what a writer that died left beside the data, None where there is nothing of it."""
        ...

    def unfinished(self) -> tuple[Path, ...]:
        """Return the files beside it that a process was making when it died, sorted."""
        ...

    def refuse_its_name(self, environment: str, taken: Collection[str], profile: str) -> None:
        """Raise ConfigInvalid where nothing can be served under the name it bears: `taken` are schemas of Sluice's own, in
        lower case; `profile` is the file that names it, for the message."""
        ...
