"""The parts of a query's text: parentheses, set operations, clauses, lists, labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prefect_sluice.sql.canonical import spelled
from prefect_sluice.sql.columns.understood import Unproven
from prefect_sluice.sql.duckdb_keywords import (
    COLUMN_NAMES,
    RESERVED,
    TYPE_OR_FUNCTION,
    TYPES,
    UNRESERVED,
    listed,
)
from prefect_sluice.sql.tokens import Lexeme, TokenKind

KEYWORDS = RESERVED | TYPE_OR_FUNCTION | COLUMN_NAMES | UNRESERVED
_CLAUSES = listed("from where group having window qualify order")
_OPENS, _CLOSES = "([{", ")]}"
_ENDS = listed("end null true false")
_OPERATORS = listed(
    """
    all and any as asc at between by case collate desc distinct else escape filter from ilike in is like not
    on or over similar some then to when where
    """
)
"""Words after which an operand stands, not a label."""

_UNITS = listed(
    """
    century centuries day days decade decades hour hours microsecond microseconds millennium millennia millisecond
    milliseconds minute minutes month months precision quarter quarters second seconds varying week weeks year years
    zone
    """
)
"""Words that end an interval or a type."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class QueryText:
    """The tokens of a query, and where each parenthesis, bracket or brace is closed."""

    lexemes: tuple[Lexeme, ...]
    closes: dict[int, int]

    @classmethod
    def of(cls, tokens: tuple[Lexeme, ...]) -> QueryText:
        """Match each opening bracket with its closing one. Raises Unproven if they do not match."""
        closes: dict[int, int] = {}
        still: list[int] = []
        for number, one in enumerate(tokens):
            if one.kind is TokenKind.SIGN and one.text in _OPENS:
                still.append(number)
            elif one.kind is TokenKind.SIGN and one.text in _CLOSES:
                if not still or _OPENS.index(tokens[still[-1]].text) != _CLOSES.index(one.text):
                    raise Unproven("parentheses")
                closes[still.pop()] = number
        if still:
            raise Unproven("parentheses")
        return cls(tokens, closes)

    def word(self, at: int) -> str:
        """Return the unquoted word or sign at `at` in lower case, "" for quoted names, strings and beyond the end."""
        if not 0 <= at < len(self.lexemes):
            return ""
        one = self.lexemes[at]
        return one.lower if one.kind in (TokenKind.WORD, TokenKind.SIGN) else ""

    def name(self, at: int) -> str:
        """Return the name at `at` as written, without its quotes. Raises Unproven if none can stand there."""
        one = self.lexemes[at]
        if one.kind is TokenKind.QUOTED:
            return one.text[1:-1].replace('""', '"')
        if one.kind is not TokenKind.WORD:
            raise Unproven(f"{one.text} is no name")
        return one.text

    def spelled(self, start: int, end: int) -> str:
        """Return the canonical text from `start` to `end`."""
        return spelled(self.lexemes[start:end])

    def level(self, start: int, end: int) -> Iterator[int]:
        """Yield the places from `start` to `end` that no parenthesis encloses, those that open one included."""
        at = start
        while at < end:
            yield at
            at = self.closes.get(at, at) + 1

    def is_keyword(self, at: int, words: Iterable[str]) -> bool:
        """Say whether one of `words` stands at `at`, and not as a label or after a dot."""
        return self.word(at) in words and self.word(at - 1) not in (".", "as")

    def split(self, start: int, end: int, sign: str = ",") -> list[Span]:
        """Return the pieces between the `sign`s; an empty one at the end is dropped, as DuckDB does."""
        cuts = [at for at in self.level(start, end) if self.word(at) == sign]
        spans = list(zip([start, *(cut + 1 for cut in cuts)], [*cuts, end], strict=True))
        return spans[:-1] if spans[-1][0] == spans[-1][1] else spans

    def clauses(self, start: int, end: int) -> dict[str, Span]:
        """Return the spans of FROM, WHERE … by their first word, and of what comes before under "select"."""
        starts: list[tuple[str, int]] = [("select", start)]
        for at in self.level(start, end):
            if self.is_keyword(at, _CLAUSES) and not (self.word(at) == "from" and _is_compared(self, at)):
                starts.append((self.word(at), at))
        spans: dict[str, Span] = {}
        for (word, at), beyond in zip(starts, [*(at for _, at in starts[1:]), end], strict=True):
            if word in spans:
                raise Unproven(f"two {word}")
            skipped = 0 if word == "select" else 1
            if word in ("group", "order"):
                if self.word(at + 1) != "by":
                    raise Unproven(word)
                skipped = 2
            spans[word] = (at + skipped, beyond)
        return spans

    def label(self, start: int, end: int) -> tuple[int, str]:
        """Return where the expression of an output column ends and the column's name, "" if it has none of its own."""
        last = self.lexemes[end - 1]
        if end - start > 1 and self.word(end - 2) == "as":
            if last.kind is TokenKind.STRING:
                raise Unproven("a string for a name")
            return end - 2, self.name(end - 1)
        if self.is_chain(start, end):
            return end, self.name(end - 1)
        bare = last.kind is TokenKind.QUOTED or (last.kind is TokenKind.WORD and last.lower not in KEYWORDS)
        if bare and end - start > 1 and self._ends_operand(end - 2):
            return end - 1, self.name(end - 1)
        return end, ""

    def _ends_operand(self, at: int) -> bool:
        """Say whether an operand ends at `at`. Raises Unproven where that is hard to tell."""
        one = self.lexemes[at]
        if one.kind is TokenKind.SIGN:
            return one.text in _CLOSES
        if one.kind is not TokenKind.WORD or one.lower not in KEYWORDS or one.lower in _ENDS:
            return True
        if one.lower in _OPERATORS:
            return False
        if one.lower in _UNITS or (one.lower in TYPES and self.word(at - 1) == "::"):
            return True
        raise Unproven(f"label after {one.text}")

    def is_chain(self, start: int, end: int) -> bool:
        """Say whether this is one name, or several with dots between."""
        places = range(start, end)
        return (
            (end - start) % 2 == 1
            and all(
                self.word(at) == "."
                if (at - start) % 2
                else self.lexemes[at].kind in (TokenKind.WORD, TokenKind.QUOTED)
                for at in places
            )
            and not (end - start == 1 and self.word(start) in RESERVED)
        )


def _is_compared(text: QueryText, at: int) -> bool:
    """Say whether the FROM at `at` is that of IS DISTINCT FROM."""
    return text.word(at - 1) == "distinct" and text.word(at - 2) in ("is", "not")
