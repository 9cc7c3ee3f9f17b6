"""FROM: what a SELECT reads, how it is joined, and what that says about its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import Name
from prefect_sluice.sql.columns.clauses import KEYWORDS, QueryText, Span
from prefect_sluice.sql.columns.expressions import Expression
from prefect_sluice.sql.columns.parts import QueryResult, Read, outside
from prefect_sluice.sql.columns.scopes import FromItem, Scope
from prefect_sluice.sql.columns.understood import Unproven
from prefect_sluice.sql.duckdb_keywords import RESERVED, TYPE_OR_FUNCTION, listed
from prefect_sluice.sql.tokens import TokenKind

_JOINS = listed("inner left right full cross semi anti outer join")
_SYSTEM = frozenset({"information_schema", "pg_catalog"})
_SYSTEM_VIEWS = ("duckdb_", "sqlite_", "pragma_", "pg_")


@dataclass(slots=True)
class From:
    """Reads a FROM into `scope`; `rows` and `reads` are what decides the rows, `using` the column names of USING."""

    text: QueryText
    scope: Scope
    named_results: Mapping[str, QueryResult]
    catalog: str
    query: Callable[[Span, Scope], QueryResult]
    rows: list[Json] = field(default_factory=list[Json])
    reads: set[Read] = field(default_factory=set[Read])
    using: set[str] = field(default_factory=set[str])
    relations: set[Name] = field(default_factory=set[Name])

    def take(self, span: Span) -> None:
        """Read the sources of `span` with their joins. Raises Unproven."""
        if span[0] >= span[1]:
            raise Unproven("nothing in FROM")
        for piece in self.text.split(*span):
            self.rows.append(",")
            self._joined(*piece)

    def _joined(self, start: int, end: int) -> None:
        at = self._source(start, end, visible=True)
        while at < end:
            kinds: list[str] = []
            while self.text.word(at) in _JOINS and at < end:
                kinds.append(self.text.word(at))
                at += 1
            if not kinds or kinds[-1] != "join":
                raise Unproven("a join of another kind")
            self.rows += kinds
            at = self._source(at, end, visible=not {"semi", "anti"} & set(kinds))
            at = self._condition(at, end)

    def _condition(self, at: int, end: int) -> int:
        word = self.text.word(at) if at < end else ""
        if word == "using" and self.text.word(at + 1) == "(":
            beyond = self.text.closes[at + 1]
            for span in self.text.split(at + 2, beyond):
                self._use(span)
            return beyond + 1
        if word != "on":
            return at
        beyond = next(
            (place for place in self.text.level(at + 1, end) if self._starts_join(place)),
            end,
        )
        value = Expression(self.text, self.scope, self.query).value((at + 1, beyond))
        self.rows += ["on", value.part.text]
        self.reads.update(value.part.reads)
        return beyond

    def _use(self, span: Span) -> None:
        if span[1] - span[0] != 1:
            raise Unproven("using")
        value = Expression(self.text, self.scope, self.query).value(span)
        self.using.add(self.text.name(span[0]).lower())
        self.rows += ["using", value.part.text]
        self.reads.update(value.part.reads)

    def _starts_join(self, at: int) -> bool:
        """Say whether a join starts at `at`; `left(x, 1)` is a function."""
        if self.text.word(at) == "on":
            raise Unproven("on")
        return (self.text.is_keyword(at, _JOINS) and self.text.word(at + 1) in _JOINS | {""}) or (
            self.text.is_keyword(at, {"join"})
        )

    def _source(self, at: int, end: int, *, visible: bool) -> int:
        if at >= end:
            raise Unproven("from")
        if self.text.word(at) != "(":
            return self._relation(at, end, visible=visible)
        inside, closed = at + 1, self.text.closes[at]
        opened = inside
        while self.text.word(opened) == "(":
            opened += 1
        if self.text.word(opened) not in ("select", "with"):
            self.rows.append("(")
            self._joined(inside, closed)
            self.rows.append(")")
            if closed + 1 < end and self._alias(closed + 1, end)[0]:
                raise Unproven("a name for a join")
            return closed + 1
        result = self.query((inside, closed), self._so_far())
        alias, at = self._alias(closed + 1, end)
        self._add(FromItem(alias.lower(), result, visible))
        return at

    def _so_far(self) -> Scope:
        """Return the scope around a subquery here: what stands before it may be read in it, labels may not."""
        return Scope(self.scope.outer, list(self.scope.sources))

    def _relation(self, at: int, end: int, *, visible: bool) -> int:
        parts = [self.text.name(at)]
        if self.text.lexemes[at].kind is TokenKind.WORD and self.text.word(at) in RESERVED | TYPE_OR_FUNCTION:
            raise Unproven(f"{parts[0]} in FROM")
        at += 1
        while at + 1 < end and self.text.word(at) == ".":
            parts.append(self.text.name(at + 1))
            at += 2
        if at < end and self.text.word(at) == "(":
            raise Unproven("a table function")
        alias, at = self._alias(at, end)
        own = parts[-1].lower()
        inner = self.named_results.get(own) if len(parts) == 1 else None
        self._add(FromItem(alias.lower() or own, inner or outside(self._resolve_relation(parts)), visible))
        return at

    def _resolve_relation(self, parts: list[str]) -> Name:
        """Return the relation outside the query that these parts name, as the engine finds it."""
        lower = [part.lower() for part in parts]
        catalog = self.catalog.lower()
        if len(lower) == 1 and any(sign in lower[0] for sign in "./"):
            raise Unproven("a file")
        if len(lower) > 3 or (len(lower) == 3 and lower[0] != catalog):
            raise Unproven("another database")
        if len(lower) == 2 and lower[0] == catalog != "main":
            lower = ["main", lower[1]]
        name = Name("main", lower[0]) if len(lower) == 1 else Name(lower[-2], lower[-1])
        if name.schema in _SYSTEM or name.identifier.startswith(_SYSTEM_VIEWS):
            raise Unproven("the engine's own tables")
        self.relations.add(name)
        return name

    def _alias(self, at: int, end: int) -> tuple[str, int]:
        """Return the alias that stands at `at`, "" for none, and where the rest begins. Raises Unproven for column names."""
        alias = ""
        if at < end and self.text.word(at) == "as":
            alias, at = self.text.name(at + 1), at + 2
        elif at < end and self.text.lexemes[at].kind in (TokenKind.WORD, TokenKind.QUOTED):
            word = self.text.word(at)
            if word not in RESERVED | TYPE_OR_FUNCTION:
                if word in KEYWORDS and word in ("at", "tablesample", "unpivot", "pivot"):
                    raise Unproven(word)
                alias, at = self.text.name(at), at + 1
        if at < end and self.text.word(at) == "(":
            raise Unproven("names for columns")
        return alias, at

    def _add(self, source: FromItem) -> None:
        if source.alias and any(one.alias == source.alias for one in self.scope.sources):
            raise Unproven(f"two sources named {source.alias}")
        self.scope.sources.append(source)
        self.rows += [source.alias, source.visible, source.result.rows]
        self.reads |= source.result.reads
