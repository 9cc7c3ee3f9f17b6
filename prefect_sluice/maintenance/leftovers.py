"""Leftovers: files of Sluice's own that nothing needs any more (candidates, side files, checkouts, bundle files)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.state.shared_candidates import SharedCandidates

GRACE = timedelta(days=1)
"""What was used less than this ago stays: `sluice plan` and others take no lease, and may be using it now."""

"""Of a leftover in the shared store: its path is the promotion's id."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class LeftoverKind(StrEnum):
    """The kind of a leftover."""

    CANDIDATE = "candidate"
    SHARED = "shared candidate"
    SIDE_FILE = "side file"
    WORK_FOLDER = "work folder"
    CHECKOUT = "checkout"
    REPORT = "report"
    BUNDLE_FILE = "bundle file"


_IN_USE = frozenset({LeftoverKind.BUNDLE_FILE, LeftoverKind.CHECKOUT})
"""What somebody may begin to use at any time: it is looked at once more before it goes."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file or folder that may go: `kind` is what it was, `size` its bytes."""

    path: Path
    kind: LeftoverKind
    size: int


@dataclass(frozen=True, slots=True)
class NeededFiles:
    """The files that must stay. `promotions` are ids that are open or ended lately, `environments` those of sluice.yml,
    `checkouts` the ids of releases that serve or wait, `bundles` digests (None: the bundle store is left alone), `pages`
    the promotions whose report stays to be read."""

    promotions: Collection[str]
    environments: Collection[str]
    checkouts: Collection[str]
    bundles: Collection[str] | None
    pages: Collection[str] = frozenset()


def of_environments(folder: Path, promotions: Mapping[str, str], needed: NeededFiles) -> Iterator[Leftover]:
    """Yield candidates and side files of these environments, whose leases the caller holds.

    `promotions` is the environment of each promotion, by id: a candidate without one is left to the doctor.
    """
    for path in _inside(folder / "candidates"):
        if path.name in promotions and path.name not in needed.promotions:
            yield Leftover(path, LeftoverKind.CANDIDATE, size_of(path))
    for name in sorted(needed.environments):
        for path in _inside(folder / "work" / name / "side"):
            yield Leftover(path, LeftoverKind.SIDE_FILE, size_of(path))


def on_shelf(
    shelf: SharedCandidates | None, promotions: Mapping[str, str], needed: NeededFiles
) -> Iterator[Leftover]:
    """Yield candidates in the shared store, as `of_environments` does those in a folder. Raises SharedStoreAway."""
    for name, size in sorted(shelf.promotions().items()) if shelf else ():
        if name in promotions and name not in needed.promotions:
            yield Leftover(Path(name), LeftoverKind.SHARED, size)


def of_project(folder: Path, needed: NeededFiles, bundles: Path | None, now: datetime) -> Iterator[Leftover]:
    """Yield checkouts, work folders and bundle files that no environment needs; the caller holds every lease."""
    for path in _inside(folder / "work"):
        # What only looks, or checks, keeps a parse state of its own for each environment, and one of the base.
        name = (
            path.name.removesuffix(".base").removesuffix(".plan").removesuffix(".tree").removesuffix(".check")
        )
        if path.name != name:
            for side in _inside(path / "side"):
                if _is_old(side, now):
                    yield Leftover(side, LeftoverKind.SIDE_FILE, size_of(side))
        if name not in needed.environments and _is_old(path, now):
            yield Leftover(path, LeftoverKind.WORK_FOLDER, size_of(path))
    yield from _pages(folder / "reports", needed.pages, now)
    yield from _checkouts(folder / "checkouts", {release[:16] for release in needed.checkouts}, now)
    if bundles is not None and needed.bundles is not None:
        yield from _bundles(bundles, frozenset(needed.bundles), now)


def _checkouts(folder: Path, needed: Collection[str], now: datetime) -> Iterator[Leftover]:
    for path in _inside(folder):
        if path.name.startswith("."):  # what a dead process was writing
            if _is_old(path, now):
                yield Leftover(path, LeftoverKind.CHECKOUT, size_of(path))
            continue
        mark = path if path.name.endswith(".complete") else path.with_name(f"{path.name}.complete")
        orphan = mark == path and not path.with_name(path.name.removesuffix(".complete")).exists()
        if (mark != path or orphan) and path.name[:16] not in needed and _is_old(mark, now):
            yield Leftover(path, LeftoverKind.CHECKOUT, size_of(path))


def _pages(folder: Path, needed: Collection[str], now: datetime) -> Iterator[Leftover]:
    for path in _inside(folder):
        # What was written lately stays: it may be a promotion's that began after we looked.
        if path.stem not in needed and _is_old(path, now):
            yield Leftover(path, LeftoverKind.REPORT, size_of(path))


def _bundles(folder: Path, needed: frozenset[str], now: datetime) -> Iterator[Leftover]:
    for shelf in _inside(folder):
        for path in _inside(shelf) if len(shelf.name) == 2 else ():
            unwritten = path.name.startswith(".")
            unneeded = _DIGEST.fullmatch(path.name) and path.name not in needed
            if (unwritten or unneeded) and _is_old(path, now):
                yield Leftover(path, LeftoverKind.BUNDLE_FILE, size_of(path))


def remove(
    leftovers: Iterable[Leftover], now: datetime, shelf: SharedCandidates | None = None
) -> tuple[Leftover, ...]:
    """Remove them and return those that went; a bundle file or checkout that was used meanwhile stays. Repeatable."""
    gone: list[Leftover] = []
    for leftover in leftovers:
        if leftover.kind in _IN_USE and not _is_old(_clock(leftover.path), now):
            continue
        if leftover.kind is LeftoverKind.SHARED:
            if shelf is not None:
                shelf.drop(leftover.path.name)
        else:
            _remove(leftover.path)
        gone.append(leftover)
        reach(FaultPoint.COLLECT_FILES)
    return tuple(gone)


def _clock(path: Path) -> Path:
    mark = path.with_name(f"{path.name}.complete")
    return mark if mark.exists() else path


def _remove(path: Path) -> None:
    # The mark first: half a folder that counts as complete would be built from.
    path.with_name(f"{path.name}.complete").unlink(missing_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    path.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return _bytes(path)
    return sum(_bytes(file) for file in path.rglob("*") if file.is_symlink() or not file.is_dir())


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_old(path: Path, now: datetime) -> bool:
    try:
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC) < now - GRACE
    except OSError:
        return True
