"""A copy of the served DuckDB file to keep: with what is in its journal, while readers go on and writers are kept out."""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from pathlib import Path

from prefect_sluice.domain.digests import digest_file
from prefect_sluice.domain.errors import BadInput, Refused, SluiceError, WarehouseBusy
from prefect_sluice.domain.generation import Generation
from prefect_sluice.warehouse.duckdb import copy_and_replace, publish
from prefect_sluice.warehouse.duckdb.writer import Opener
from prefect_sluice.warehouse.inventory import Backup


def journal_emptied(path: Path, opened: Opener) -> bool:
    """See Keeper.empty_journal. Costs a look at the folder where there is no journal."""
    if not path.exists() or copy_and_replace.journal_of(path, path.resolve()) is None:
        return True
    if not os.access(path, os.W_OK):
        return False
    try:
        with opened(path, at_once=True) as connection:
            connection.execute("checkpoint")
    except WarehouseBusy:
        return False
    return True


def back_up(path: Path, environment: str, file: Path, opened: Opener, patience: timedelta) -> Backup:
    """See Keeper.back_up. `path` is the served file, and there; `patience` how long to try while a writer has it."""
    if file.exists() or file.is_symlink():
        raise _there_already(file)
    if not file.parent.is_dir():
        raise BadInput("there is no such folder", str(file.parent), "make it, or name another one")
    with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
        # Under its own name: a journal names the database that it belongs to.
        fresh = Path(folder) / path.name
        has_journal = _taken(path, fresh, patience)
        if has_journal:
            with opened(fresh) as connection:
                connection.execute("checkpoint")
        generation = _read_back(fresh, environment, opened)
        copy_and_replace.sync(fresh)
        size = fresh.stat().st_size
        _move(fresh, file)
    copy_and_replace.sync(file.parent)
    return Backup(generation, size, has_journal)


def put_back(file: Path, path: Path) -> None:
    """See Keeper.put_back. `path` is where the database belongs."""
    if path.is_file() and digest_file(path) == digest_file(file):
        return
    journal = path.with_name(f"{path.name}.wal")  # the database would take it for its own
    for there in (path, journal):
        if there.exists() or there.is_symlink():
            raise BadInput(
                "is there already", str(there), "name another path in the profile, or move that one away"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        original = os.open(file, os.O_RDONLY)
        try:
            _copy(original, fresh)
        finally:
            os.close(original)
        copy_and_replace.sync(fresh)
        _move(fresh, path)
    copy_and_replace.sync(path.parent)


def _taken(path: Path, fresh: Path, patience: timedelta) -> bool:
    """Copy the file and its journal as they are at one moment; return whether there is a journal."""
    real = path.resolve()
    original = copy_and_replace.locked(path, real, patience)
    try:
        _copy(original, fresh)
        journal = copy_and_replace.journal_of(path, real)
        if journal is not None:
            held = os.open(journal, os.O_RDONLY)
            try:
                _copy(held, fresh.with_name(f"{fresh.name}.wal"))
            finally:
                os.close(held)
        if copy_and_replace.identity(real.stat()) != copy_and_replace.identity(os.fstat(original)):
            raise WarehouseBusy(str(path), "a publish by copy")  # the journal may be that of the new file
    finally:
        os.close(original)
    return journal is not None


def _copy(original: int, copy: Path) -> None:
    target = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        copy_and_replace.fill(original, target, copy.parent)
        try:
            copy_and_replace.share_as(original, target)
        except Refused:
            os.fchmod(target, 0o600)  # open to whoever made it, rather than to others
    finally:
        os.close(target)


def _read_back(fresh: Path, environment: str, opened: Opener) -> Generation:
    try:
        with opened(fresh, read_only=True) as connection:
            return publish.load(connection, environment)
    except SluiceError as error:
        raise Refused(
            f"the copy cannot be read back, and was not kept: {error}",
            "see what is wrong with the warehouse: sluice doctor",
        ) from error


def _move(fresh: Path, file: Path) -> None:
    """Give the copy its name, unless somebody else has taken it by now."""
    try:
        os.link(fresh, file)
    except FileExistsError as error:
        raise _there_already(file) from error
    except OSError:  # a file system without hard links
        if file.exists():
            raise _there_already(file) from None
        fresh.rename(file)


def _there_already(file: Path) -> BadInput:
    return BadInput("is there already", str(file), "name another file, or move that one away")
