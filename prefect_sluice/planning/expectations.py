"""What a commit says it will change in the data: `expect:` in sluice.yml, `Expect:` lines of its message. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from prefect_sluice.config.expected_change import Expectation

ROWS = "rows"
"""The column's name that stands for rows that come or go."""
GRAMMAR = (
    "write it as `Expect: relation.column up to 3%`, `Expect: relation.*`, `Expect: relation rows up to 3%`,"
    " `Expect: relation edited (why)` or `Expect: 1a2b3c4 goes (why)` of a commit"
)

_BEGINS = re.compile(r"expect\s*:", re.IGNORECASE)
_NAME = r'("(?:[^"]|"")+"|[^\s."()%]+)'
_LINE = re.compile(
    rf"expect\s*:\s*{_NAME}(?:\.{_NAME}|\s+(rows))(?:\s+up\s+to\s+(\d+(?:\.\d+)?)\s*%)?(?:\s+\((.+)\))?\s*",
    re.IGNORECASE,
)
_WHOLE = r'("(?:[^"]|"")+"|[^\s"()%]+)'
"""A name that may have its schema before it: no column follows."""
_EDITED = re.compile(rf"expect\s*:\s*{_WHOLE}\s+edited\s+\((.+)\)\s*", re.IGNORECASE)
_GOES = re.compile(r"expect\s*:\s*([0-9a-f]{7,64})\s+goes\s+\((.+)\)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExpectedChange:
    """A change that is meant. `relation` and `column` may be patterns; `up_to` is a share of the rows, 0 to 1; `where` says
    where it is declared; `rows_only` that it speaks of rows that come or go, not of a column that bears that name."""

    relation: str
    column: str
    up_to: float
    where: str
    reason: str = ""
    rows_only: bool = False

    def is_of(self, names: Iterable[str]) -> bool:
        """Say whether it speaks of the relation that goes by one of these names."""
        return any(fnmatchcase(name.casefold(), self.relation.casefold()) for name in names)

    def is_column(self, column: str) -> bool:
        """Say whether it speaks of the values of a column."""
        return not self.rows_only and fnmatchcase(column.casefold(), self.column.casefold())

    @property
    def is_rows(self) -> bool:
        """Say whether it speaks of rows that come or go."""
        return self.column.casefold() == ROWS

    def __str__(self) -> str:
        """Return it as a line of a commit message would say it."""
        what = f"{self.relation} rows" if self.is_rows else f"{self.relation}.{self.column}"
        return what if self.up_to >= 1 else f"{what} up to {self.up_to * 100:g} %"


@dataclass(frozen=True, slots=True)
class ExpectedEdit:
    """An edit of published rows, past Sluice, that was meant: of one relation, which is no pattern. `where` says where it is
    declared, `by` who wrote that."""

    relation: str
    where: str
    reason: str
    by: str = ""

    def is_of(self, names: Iterable[str]) -> bool:
        """Say whether it speaks of the relation that goes by one of these names."""
        return self.relation.casefold() in {name.casefold() for name in names}

    @property
    def words(self) -> str:
        """Who declared it, where, and why."""
        who = f" of {self.by}" if self.by else ""
        return f"{self.where}{who} ({self.reason})"


@dataclass(frozen=True, slots=True)
class ExpectedLoss:
    """A commit that serves and that goes, which was meant: with all above it that the release has not. `commit` is the beginning
    of its id, `where` where it is declared, `by` who wrote that."""

    commit: str
    where: str
    reason: str
    by: str = ""

    @property
    def words(self) -> str:
        """Who declared it, where, and why."""
        who = f" of {self.by}" if self.by else ""
        return f"{self.where}{who} ({self.reason})"


@dataclass(frozen=True, slots=True)
class UnreadableDeclaration:
    """A declaration that nobody can read: where it stands, and what is wrong with it."""

    where: str
    problem: str


@dataclass(frozen=True, slots=True)
class CommitDeclarations:
    """All that the commits of a release declare, and what of it cannot be read."""

    expected: tuple[ExpectedChange, ...] = ()
    unreadable: tuple[UnreadableDeclaration, ...] = ()
    edited: tuple[ExpectedEdit, ...] = ()
    lost: tuple[ExpectedLoss, ...] = ()

    def __add__(self, other: CommitDeclarations) -> CommitDeclarations:
        """Return both."""
        return CommitDeclarations(
            self.expected + other.expected,
            self.unreadable + other.unreadable,
            self.edited + other.edited,
            self.lost + other.lost,
        )


def from_message(commit: str, message: str, by: str = "") -> CommitDeclarations:
    """Return what the `Expect:` lines of a commit message declare; a line that begins so and is none is unreadable. `by` is
    the commit's author."""
    changes: list[ExpectedChange] = []
    edited: list[ExpectedEdit] = []
    lost: list[ExpectedLoss] = []
    wrong: list[UnreadableDeclaration] = []
    for number, text in enumerate(message.splitlines(), 1):
        line = text.strip()
        if not _BEGINS.match(line):
            continue
        where = f"commit {commit[:7]}:{number}"
        edit = _EDITED.fullmatch(line)
        if edit is not None:
            edited.append(ExpectedEdit(_plain(edit[1]), where, edit[2], by))
            continue
        goes = _GOES.fullmatch(line)
        if goes is not None:
            lost.append(ExpectedLoss(goes[1].lower(), where, goes[2], by))
            continue
        match = _LINE.fullmatch(line)
        share = float(match[4]) / 100 if match and match[4] else 1.0
        if match is None:
            wrong.append(UnreadableDeclaration(where, f"{line!r} cannot be read: {GRAMMAR}"))
        elif not 0 < share <= 1:
            wrong.append(
                UnreadableDeclaration(
                    where, f"{line!r} cannot be read: a share is more than 0 and at most 100 %"
                )
            )
        else:
            column = _plain(match[2]) if match[2] else ROWS
            changes.append(
                ExpectedChange(
                    _plain(match[1]), column, share, where, match[5] or "", rows_only=bool(match[3])
                )
            )
    return CommitDeclarations(tuple(changes), tuple(wrong), tuple(edited), tuple(lost))


def from_config(
    now: Iterable[Expectation], before: Iterable[Expectation], where: str
) -> tuple[ExpectedChange, ...]:
    """Return what sluice.yml declares `now` and did not `before`: what stood there in the release that serves is spent."""
    spent = list(before)
    return tuple(
        ExpectedChange(
            expectation.relation,
            expectation.column,
            expectation.up_to,
            f"{where}: expect.{number}",
            expectation.reason,
        )
        for number, expectation in enumerate(now)
        if expectation not in spent
    )


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
