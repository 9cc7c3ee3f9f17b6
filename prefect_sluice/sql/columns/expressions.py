"""The origin of one expression: its canonical text, what each name in it may mean, and the subqueries in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from prefect_sluice.domain.digests import Json
from prefect_sluice.sql.canonical import is_no_name
from prefect_sluice.sql.columns.clauses import QueryText, Span
from prefect_sluice.sql.columns.parts import ColumnOrigin, QueryResult, Read, abbreviate, merged, stamp
from prefect_sluice.sql.columns.scopes import Scope
from prefect_sluice.sql.columns.understood import Unproven
from prefect_sluice.sql.duckdb_functions import AGGREGATES, RANKS
from prefect_sluice.sql.duckdb_keywords import COLUMN_NAMES, RESERVED, TYPE_OR_FUNCTION
from prefect_sluice.sql.tokens import TokenKind

_FROM_INSIDE = frozenset({"extract", "trim", "substring", "overlay"})
_NO_VALUE = frozenset({"union", "except", "intersect", "using", "having", "qualify", "window", "join"})
"""Words that cannot stand in an expression: where one does, this was cut in the wrong place."""


@dataclass(frozen=True, slots=True)
class Value:
    """An expression: its origin, the labels (lower case) that it may mean, and whether it is an aggregate."""

    part: ColumnOrigin
    labels: frozenset[str]
    sums: bool


@dataclass(slots=True)
class Expression:
    """Reads one expression of `text` in `scope`; `query` reads a subquery, with its scope around it."""

    text: QueryText
    scope: Scope
    query: Callable[[Span, Scope], QueryResult]
    _reads: set[Read] = field(default_factory=set[Read])
    _meanings: list[Json] = field(default_factory=list[Json])
    _sums: bool = False
    _reaches_out: bool = False

    def value(self, span: Span) -> Value:
        """Return the expression of `span`. Raises Unproven."""
        if span[0] >= span[1]:
            raise Unproven("nothing where an expression should be")
        self.scope.labels_meant.clear()
        words: list[str] = []
        start = at = span[0]
        while at < span[1]:
            if self._is_subquery(at):
                words += [self.text.spelled(start, at), self._subquery(at)]
                start = at = self.text.closes[at] + 1
            else:
                at = self._step(at)
        if self._sums and self._reaches_out:
            # DuckDB takes an aggregate of outer columns alone for one of the outer query, which then has one row.
            raise Unproven("an aggregate that may be of an outer query")
        text = " ".join(word for word in [*words, self.text.spelled(start, span[1])] if word)
        part = ColumnOrigin(abbreviate(text, self._meanings), merged(self._reads))
        return Value(part, frozenset(self.scope.labels_meant), self._sums)

    def _is_subquery(self, at: int) -> bool:
        if self.text.word(at) != "(" or self.text.word(at + 1) not in ("select", "with", "from", "values"):
            return False
        return self.text.word(at + 1) != "from" or self.text.word(at - 1) not in _FROM_INSIDE

    def _subquery(self, at: int) -> str:
        result = self.query((at + 1, self.text.closes[at]), self.scope)
        # EXISTS asks whether there are rows, never what is in them.
        exists = self.text.word(at - 1) == "exists"
        part = ColumnOrigin(result.rows, merged(result.reads)) if exists else result.everything()
        self._reads.update(part.reads)
        return f"( {stamp(part.text)} )"

    def _step(self, at: int) -> int:
        """Read the word or sign at `at`, and return where the next one begins."""
        one = self.text.lexemes[at]
        word = self.text.word(at)
        if word == "*":
            self._star(at)
        elif word == ":" and not self._within(at, "[{"):
            raise Unproven("a label before its expression")
        elif one.kind is TokenKind.QUOTED or (one.kind is TokenKind.WORD and not self._is_syntax(at)):
            return self._name(at)
        return at + 1

    def _star(self, at: int) -> None:
        before = self.text.lexemes[at - 1] if at else None
        if before is None or (before.kind is TokenKind.SIGN and before.text not in ")]}"):
            counted = self.text.word(at - 1) == "(" and self.text.word(at - 2) == "count"
            if not counted or self.text.word(at + 1) != ")":
                raise Unproven("*")

    def _is_syntax(self, at: int) -> bool:
        """Say whether the word at `at` is no name. Raises Unproven where it should not stand in an expression."""
        word, before, after = self.text.word(at), self.text.word(at - 1), self.text.word(at + 1)
        if before == ".":
            return True  # a field of what came before: names and their dots are taken in one step
        if before in ("::", "as"):
            return True
        if word in _NO_VALUE or (word == "from" and not self._may_be_from(at)):
            raise Unproven(f"{word} in an expression")
        if after == "(":
            self._called(at)
            return True
        if word in RESERVED or word in TYPE_OR_FUNCTION or is_no_name(self.text.lexemes, at):
            return True
        if before == "(" and self.text.word(at - 2) == "extract" and after == "from":
            return True
        if word in ("time", "zone") and before in ("at", "time"):
            return True
        # Two operands never stand side by side: this is a unit, or part of a type.
        behind = self.text.lexemes[at - 1] if at else None
        if behind is not None and (
            behind.kind in (TokenKind.NUMBER, TokenKind.STRING) or before in (")", "]")
        ):
            return True
        return (
            word in COLUMN_NAMES
            and at + 1 < len(self.text.lexemes)
            and (self.text.lexemes[at + 1].kind is TokenKind.STRING)
        )

    def _may_be_from(self, at: int) -> bool:
        return self.text.word(at - 1) == "distinct" or any(
            self.text.word(opened - 1) in _FROM_INSIDE
            for opened, closed in self.text.closes.items()
            if opened < at < closed
        )

    def _called(self, at: int) -> None:
        """Note what kind a function is. Raises Unproven for a window function whose answer depends on the order of equal rows."""
        word = self.text.word(at)
        beyond = self.text.closes[at + 1] + 1
        if self.text.word(beyond) == "filter" and self.text.word(beyond + 1) == "(":
            beyond = self.text.closes[beyond + 1] + 1
        over = self.text.word(beyond) == "over"
        if over and word not in AGGREGATES | RANKS:
            raise Unproven(f"{word} over a window")
        self._sums = self._sums or (word in AGGREGATES and not over)

    def _name(self, at: int) -> int:
        """Take a name with what follows its dots."""
        chain = [self.text.name(at).lower()]
        end = at + 1
        while self.text.word(end) == ".":
            if self.text.word(end + 1) == "*":
                if self.text.word(at - 1) != "(" or self.text.word(at - 2) != "count":
                    raise Unproven(".*")
                return end + 2
            chain.append(self.text.name(end + 1).lower())
            end += 2
        quoted = self.text.lexemes[at].kind is TokenKind.QUOTED
        own = len(chain) > 1 and any(source.alias == chain[0] for source in self.scope.sources)
        for where, part in self.scope.meanings(chain, quoted=quoted):
            self._reaches_out = self._reaches_out or not (own or where.startswith("0:"))
            self._reads.update(part.reads)
            self._meanings.append([*chain, where, part.text])
        return end

    def _within(self, at: int, opening: str) -> bool:
        """Say whether the innermost bracket around `at` is one of `opening`."""
        around = [opened for opened, closed in self.text.closes.items() if opened < at < closed]
        return bool(around) and self.text.word(max(around)) in opening
