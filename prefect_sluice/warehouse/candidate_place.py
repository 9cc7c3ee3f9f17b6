"""Where a candidate is built, and where it waits: a value that only the adapter which made it can read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CandidatePlace:
    """A place in which a candidate, or a baseline, is or will be. Everybody but the adapter keeps it and hands it on.

    `at` is the whole of it, as a text that the state store and JSON hold; `Warehouse.place` makes the value of it again. `file`
    is what has to be carried so that another machine has it, too: None where every machine sees the place as it is.
    """

    at: str
    file: Path | None = None
