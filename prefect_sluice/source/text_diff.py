"""Git's own diff of texts: which lines come from an older text, and which file had another name before."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from prefect_sluice.domain.former_text import Hunk
from prefect_sluice.source import git

_HEAD = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_FILE = b"diff --git "


def hunks(pairs: Sequence[tuple[str, str]]) -> list[tuple[Hunk, ...]]:
    """Return the hunks from the first text of each pair to the second; lines end with \\n. One call of git for all."""
    hunks_of_pair: list[list[Hunk]] = [[] for _ in pairs]
    number = 0
    for line in _compared(pairs, "--unified=0", "--inter-hunk-context=0", "--no-renames").split(b"\n"):
        # A line of a text has a sign before it, so that none can look like these two.
        if line.startswith(_FILE):
            number = int(line.rpartition(b"/")[2])
        elif head := _HEAD.match(line):
            hunks_of_pair[number].append(_hunk(*(1 if part is None else int(part) for part in head.groups())))
    return [tuple(one) for one in hunks_of_pair]


def _hunk(old: int, removed: int, new: int, added: int) -> Hunk:
    # Of no lines at all, git names the one before.
    return Hunk(old + (not removed), removed, new + (not added), added)


def find_renames(gone: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return which of the files that are gone each new one was, by paths: those of the same ending of which git says that
    half or more is the same. Texts by path."""
    earlier_paths: dict[str, str] = {}
    for ending in {PurePosixPath(path).suffix for path in new}:
        before = [path for path in gone if PurePosixPath(path).suffix == ending]
        after = [path for path in new if PurePosixPath(path).suffix == ending]
        for old, own in _pairs([gone[path] for path in before], [new[path] for path in after]):
            earlier_paths[after[own]] = before[old]
    return earlier_paths


def _pairs(gone: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield which of the texts that are gone, by its place in the list, became which of the new ones."""
    if not gone or not new:
        return
    with tempfile.TemporaryDirectory(prefix="sluice-") as name:
        folder = Path(name)
        _write(folder / "old", {f"gone-{number}": text for number, text in enumerate(gone)})
        _write(folder / "new", {f"new-{number}": text for number, text in enumerate(new)})
        renames = git.compare(
            folder, "--name-status", "-z", "--find-renames", "--diff-filter=R", "old", "new"
        )
    words = renames.decode().split("\0")
    for _, old, own in zip(words[::3], words[1::3], words[2::3], strict=False):
        yield int(old.rpartition("-")[2]), int(own.rpartition("-")[2])


def _compared(pairs: Sequence[tuple[str, str]], *options: str) -> bytes:
    if not pairs:
        return b""
    with tempfile.TemporaryDirectory(prefix="sluice-") as name:
        folder = Path(name)
        ended = [_ended(*pair) for pair in pairs]
        for side, place in enumerate(("old", "new")):
            _write(folder / place, {str(number): pair[side] for number, pair in enumerate(ended)})
        return git.compare(folder, *options, "old", "new")


def _ended(old: str, new: str) -> tuple[str, str]:
    """Return two texts so that a last line without an end is not another line for getting one, or a line behind it. One that
    loses its end is."""
    if not old or old.endswith("\n"):
        return old, new
    return f"{old}\n", new if new.endswith("\n") or not new else f"{new}\n"


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode(errors="replace"))
