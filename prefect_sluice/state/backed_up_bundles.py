"""Bundle files inside a backup of the state store: with them a restored store can release and refresh."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from prefect_sluice.domain.digests import digest_bytes
from prefect_sluice.domain.errors import BadInput, SluiceError
from prefect_sluice.state.bundles import BundleStore

_TABLE = "sluice_backed_up_bundle"


@dataclass(frozen=True, slots=True)
class BundleCopy:
    """How many bundle files were copied, and the digests of those that were not there, or not what their digest says."""

    files: int
    lost: tuple[str, ...] = ()


def add_bundles(
    file: Path, bundles: BundleStore, digests: Collection[str], older: Collection[str] = ()
) -> BundleCopy:
    """Write bundle files into a backup, an SQLite file that is there. Repeatable. `older` are those of which none is lost that is
    not there: the collector may have taken them."""
    lost: list[str] = []
    written = 0
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            f"create table if not exists {_TABLE} (digest text primary key, content blob not null)"
        )
        for digest in sorted({*digests, *older}):
            try:
                content = bundles.get(digest)
            except SluiceError:
                lost += [digest] if digest in digests else []
            else:
                written += 1
                connection.execute(f"insert or replace into {_TABLE} values (?, ?)", [digest, content])
    return BundleCopy(written, tuple(lost))


def put_bundles(file: Path, bundles: BundleStore) -> int:
    """Put the bundle files of a backup into a bundle store; return how many it has. Repeatable: what is there stays. Raises
    BadInput for one whose content is not what its digest says; those before it are put by then, which harms nothing."""
    count = 0
    for digest, content in _read(file):
        if digest_bytes(content) != digest:
            raise BadInput(
                f"bundle file {digest[:12]} is not what was backed up",
                str(file),
                "restore from another backup",
            )
        bundles.put(content)
        count += 1
    return count


def _read(file: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        there = connection.execute("select count(*) from sqlite_master where name = ?", [_TABLE]).fetchone()[
            0
        ]
        if there:  # an older Sluice wrote none
            yield from connection.execute(f"select digest, content from {_TABLE} order by digest")
