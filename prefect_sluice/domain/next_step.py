"""What to do next, as a value: the commands in it are told apart from the words around them. Pure.

A terminal shows it as text; where people have a browser, a form stands in a command's place.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A command of Sluice's by its words, without the first one: `("approve", "c389c9ddc5")`."""

    words: tuple[str, ...]

    @staticmethod
    def of(*words: str) -> Command:
        """Return the command of these words."""
        return Command(words)

    def __str__(self) -> str:
        return f"sluice {shlex.join(self.words)}"


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do next: commands, and words around them. `str` is the line that a terminal shows."""

    parts: tuple[str | Command, ...]

    @staticmethod
    def of(*parts: str | Command) -> NextStep:
        """Return the step of these parts, in order."""
        return NextStep(parts)

    def __str__(self) -> str:
        return "".join(map(str, self.parts))
