"""What a check found, and what that means for the release."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import cast

EVIDENCE_ROWS = 100
"""How many failing rows are kept; `Evidence.total` says how many there were."""

INHERITED = "inherited"
"""The check of the one finding that stands for all on lines that were there before the change; it is told in one line."""

_BETWEEN = ", "


def subjects_of(text: str) -> tuple[str, ...]:
    """Return the subjects of a finding that a document has in one line."""
    return tuple(text.split(_BETWEEN)) if text else ()


class Verdict(IntEnum):
    """Ordered: the worst of several is `max`. No data, a time-out and an exception are never PASSED."""

    PASSED = 0
    WARNED = 1
    INCONCLUSIVE = 2
    ERRORED = 3
    FAILED = 4

    @property
    def lets_through(self) -> bool:
        """Say whether a release may go on; INCONCLUSIVE and ERRORED hold it, as FAILED does."""
        return self <= Verdict.WARNED


@dataclass(frozen=True, slots=True)
class Evidence:
    """Rows that show a finding, at most EVIDENCE_ROWS, as text (None is SQL NULL); `total` counts them all.

    `title` says what the rows are where a finding has several tables; `bars` names columns of shares (0 to 1) that a page
    may draw as bars. `numbers` names columns of a relation that are numbers by their type: of values before and after in these
    it is told what they changed by.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    total: int
    title: str = ""
    bars: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


class WayPast(StrEnum):
    """Whether the remedy of a finding (`fix`) names a way past its gate, for where what it found is right as it is."""

    UNSAID = ""
    NAMED = "named"
    """It does: a setting, a comment in the code, a line of the commit's message."""
    LINES = "lines"
    """It writes out the lines of sluice.yml that let it pass."""


class Likeness(StrEnum):
    """How like what is served the gate `diff` found a relation, where it found no difference."""

    UNSAID = ""
    SAME = "same"
    CLOSE = "close"
    """The same, but for the last digits of floats."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one check: a verdict with the numbers and rows behind it.

    `subjects` are the dbt unique ids or files it speaks of, none where it is of all, `observed` against `limit` the numbers that
    decided (None where there are none), `location` a `file:line` for findings in text. `more` are further tables (what
    a column's numbers were before and after), `fix` what to do about it, in a line, and `way_past` whether that names a way past
    the gate. `likeness` is what the gate `diff` says of a relation that is as it was.
    """

    gate: str
    check: str
    verdict: Verdict
    summary: str
    subjects: tuple[str, ...] = ()
    observed: float | None = None
    limit: float | None = None
    location: str = ""
    evidence: Evidence | None = None
    more: tuple[Evidence, ...] = ()
    fix: str = ""
    way_past: WayPast = WayPast.UNSAID
    likeness: Likeness = Likeness.UNSAID

    def __post_init__(self) -> None:
        if isinstance(cast(object, self.subjects), str):  # it would be read letter by letter
            raise TypeError(f"subjects is a tuple of ids, and not {self.subjects!r}")

    @property
    def subject(self) -> str:
        """What it speaks of in one line, as documents and lines have it."""
        return _BETWEEN.join(self.subjects)

    def told_below(self, *names: str) -> str:
        """Return the summary for below a heading that has these names, with which it is not to begin once more."""
        told = self.summary
        for name in names:
            told = told.removeprefix(f"{name}: ")
        return told


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that a gate read off the candidate, kept to compare later ones with: of which unique id, and of what.

    `metric` is the gate's own word (`rows`, `seconds`, `null_share:email`).
    """

    subject: str
    metric: str
    value: float


SWITCHED_OFF = "switched off in sluice.yml"
"""Why a gate was not asked that somebody switched off, in words; `GateReport.switched_off` is what programs ask."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """All findings of one gate. `not_applicable` says why there was nothing that it could look at, `switched_off` that somebody
    does not want it asked.

    `measures` become history once what was judged is served; they are no part of the verdict.
    """

    gate: str
    findings: tuple[Finding, ...] = ()
    not_applicable: str = ""
    measures: tuple[Measure, ...] = field(default=(), compare=False)
    seconds: float = field(default=0.0, compare=False)
    switched_off: bool = False

    @property
    def verdict(self) -> Verdict:
        """Return the worst finding; a gate that applies and found nothing at all is INCONCLUSIVE."""
        return overall(finding.verdict for finding in self.findings)

    def without_tables(self) -> GateReport:
        """Return it without the rows and tables of its findings; what an approval binds of them stays."""
        return replace(
            self, findings=tuple(replace(finding, evidence=None, more=()) for finding in self.findings)
        )


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict; none at all is INCONCLUSIVE."""
    return max(verdicts, default=Verdict.INCONCLUSIVE)
