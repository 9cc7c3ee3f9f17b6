"""Reasons as values: which of a fixed set it is, and the name in its text. Programs read the first, people the text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

_SLOT = "{}"
Kind = TypeVar("Kind", bound=StrEnum)


@dataclass(frozen=True)  # without slots: Python 3.11 cannot make a frozen one of these by `Worded[Kind](...)`
class Worded(Generic[Kind]):
    """One of a set whose values are texts with at most one `{}`, and what stands there (`about`); `str` is the whole text.

    Documents and lines hold the text; `read` finds the value again in what a document holds.
    """

    kind: Kind
    about: str = ""

    def __str__(self) -> str:
        return self.kind.value.replace(_SLOT, self.about)


def read(kinds: type[Kind], text: str) -> Worded[Kind]:
    """Return the value that a text was written from: the first of the set that fits, so the widest comes last there. A text
    that an older Sluice wrote in other words needs a last one of `{}`. Raises ValueError where none fits."""
    for kind in kinds:
        before, slot, after = kind.value.partition(_SLOT)
        if not slot and text == before:
            return Worded(kind)
        if slot and len(text) >= len(before + after) and text.startswith(before) and text.endswith(after):
            return Worded(kind, text[len(before) : len(text) - len(after)])
    raise ValueError(f"{text!r} is none of {kinds.__name__}")
