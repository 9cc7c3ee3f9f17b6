"""What a contract asks of a relation, as values: checks that its columns decide, and measures that its rows do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.verdict import Verdict

RELATION = "sluice relation under contract"
"""The name of the relation in what a contract asks; who asks it puts the relation's own text in its place."""

UNDECIDED = -1
"""In place of a number of failing rows: the condition is NULL in every row."""


class MeasureScope(StrEnum):
    """What a measure's condition speaks of."""

    ROWS = "rows"
    """A boolean per row, true where the row fails."""
    WHOLE = "whole"
    """One boolean for the relation, true where it holds."""
    DUPLICATES = "duplicates"
    """No boolean but columns: rows that share their values fail."""


@dataclass(frozen=True, slots=True)
class SettledCheck:
    """A check that the columns alone decide, or that cannot be asked; `where` is `file:line` of what raised, "" for nothing."""

    check: str
    verdict: Verdict
    summary: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class CheckMeasure:
    """A check that rows decide. `complaint` says what is wrong with a row that fails it; `surplus_only`: of rows that are the
    same, one does not fail."""

    check: str
    complaint: str
    shape: MeasureScope
    failing: Verdict = Verdict.FAILED
    surplus_only: bool = False


@dataclass(eq=False)
class ContractInvalid(BadInput):
    """A contract does not import, or is no pandera.ibis schema; `where` is `file` or `file:line`."""


class Unaskable(Exception):
    """A query cannot be made of a measure; `is_known`: the engine's SQL has no such thing, which is nobody's mistake."""

    def __init__(self, why: str, *, is_known: bool = False) -> None:
        super().__init__(why)
        self.is_known = is_known


class Asked(Protocol):
    """A contract's queries over one relation. They speak of RELATION."""

    @property
    def measures(self) -> Sequence[CheckMeasure]:
        """What is asked, in order."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """The relation's columns."""
        ...

    def count(self, numbers: Sequence[int]) -> str:
        """Return a query of the number of rows and of one answer per measure. Raises Unaskable."""
        ...

    def shared(self, number: int) -> str:
        """Return the query that counts the rows that share their values with another."""
        ...

    def rows(self, number: int) -> str:
        """Return the query of rows that fail."""
        ...
