"""What a file was before: which of its lines come from there, and which are the change's own."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ENDS = re.compile(r"\r\n?")
_NO_ENDS = str.maketrans(dict.fromkeys("\v\f\x1c\x1d\x1e\x85\u2028\u2029", " "))
"""What Python takes for the end of a line, and neither git nor an editor does."""


def plain_text(content: bytes) -> str | None:
    """Return a file's text without a byte order mark, its lines ended by \\n alone; None for one that is no text. Pure."""
    if content.startswith(_UTF_16):
        text = content.decode("utf-16", errors="replace")
    elif b"\0" in content:
        return None
    else:
        text = content.decode("utf-8-sig", errors="replace")
    return _ENDS.sub("\n", text).translate(_NO_ENDS)


@dataclass(frozen=True, slots=True)
class Hunk:
    """One place where two texts differ: `removed` lines from line `old` on became `added` lines from line `new` on. Lines
    count from 1; where none are, it is the line before which they would stand."""

    old: int
    removed: int
    new: int
    added: int


@dataclass(frozen=True, slots=True)
class FormerText:
    """What a file's text was before, and the hunks that lead from there to now, in order. Without hunks it is the same text;
    then `text` may be left out. `moved_from` is the path that the file had, "" where it is the same."""

    text: str = ""
    hunks: tuple[Hunk, ...] = ()
    moved_from: str = ""

    def origin(self, line: int) -> int | None:
        """Return the line, from 1, that a line of now was before; None for one that the change made. Pure."""
        moved = 0
        for hunk in self.hunks:
            if line < hunk.new:
                break
            if line < hunk.new + hunk.added:
                return None
            moved += hunk.removed - hunk.added
        return line + moved

    def touches(self, first: int, last: int) -> bool:
        """Say whether the change made one of these lines of now, or took some out between them. Pure."""
        return any(
            hunk.new <= last and (hunk.new + hunk.added > first if hunk.added else hunk.new > first)
            for hunk in self.hunks
        )


Former: TypeAlias = Callable[[Collection[str]], Mapping[str, FormerText | None]]
"""Tells, by their paths in the repository, what files were before: nothing of a new one, None where that is lost."""


def all_new(_paths: Collection[str]) -> Mapping[str, FormerText | None]:
    """Return that none of the files was there before."""
    return dict[str, FormerText | None]()


def all_old(paths: Collection[str]) -> Mapping[str, FormerText | None]:
    """Return that all of the files were there before as they are now."""
    return dict.fromkeys(paths, FormerText())
