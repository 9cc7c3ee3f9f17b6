"""Reads a query's text: which rows its result has, and what each column is made of. Raises Unproven where that is not sure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import Name
from prefect_sluice.sql.columns.clauses import QueryText, Span
from prefect_sluice.sql.columns.expressions import Expression, Value
from prefect_sluice.sql.columns.from_clause import From
from prefect_sluice.sql.columns.parts import (
    ColumnOrigin,
    Item,
    OutputColumn,
    PassThrough,
    QueryResult,
    Read,
    abbreviate,
    merged,
    stamp,
)
from prefect_sluice.sql.columns.scopes import Scope
from prefect_sluice.sql.columns.stars import Star, star_of
from prefect_sluice.sql.columns.understood import Unproven
from prefect_sluice.sql.tokens import TokenKind

_SETS = frozenset({"union", "except", "intersect"})


@dataclass(slots=True)
class QueryReader:
    """Reads the query in `text` over the database `catalog`; `mentioned` and `relations` are all that it names outside."""

    text: QueryText
    catalog: str
    mentioned: set[Read] = field(default_factory=set[Read])
    relations: set[Name] = field(default_factory=set[Name])

    def query(self, span: Span, outer: Scope | None, named_results: Mapping[str, QueryResult]) -> QueryResult:
        """Return the result of the query in `span`, in which the names of `named_results` (lower case) are results already."""
        start, end = span
        if start >= end:
            raise Unproven("nothing")
        if self.text.word(start) == "(" and self.text.closes[start] == end - 1:
            return self.query((start + 1, end - 1), outer, named_results)
        if self.text.word(start) == "with":
            start, named_results = self._with(start + 1, outer, named_results)
        cuts = [at for at in self.text.level(start, end) if self.text.is_keyword(at, _SETS)]
        if not cuts:
            return self._select(start, end, outer, named_results)
        return self._set(start, end, cuts, outer, named_results)

    # ---- WITH and set operations -------------------------------------------------------------------------

    def _with(
        self, at: int, outer: Scope | None, named_results: Mapping[str, QueryResult]
    ) -> tuple[int, Mapping[str, QueryResult]]:
        """Return where the query proper begins, and the names it knows; an expression sees those before it."""
        if self.text.word(at) == "recursive":
            raise Unproven("recursive")
        inner = dict(named_results)
        while True:
            name, at = self.text.name(at).lower(), at + 1
            if self.text.word(at) != "as":
                raise Unproven("names for columns")
            at += 1
            while self.text.word(at) in ("not", "materialized"):
                at += 1
            if self.text.word(at) != "(":
                raise Unproven("with")
            inner[name] = self.query((at + 1, self.text.closes[at]), outer, dict(inner))
            self._mention(inner[name])
            at = self.text.closes[at] + 1
            if self.text.word(at) != ",":
                return at, inner
            at += 1

    def _mention(self, result: QueryResult) -> None:
        """Remember what is read, whether it is used or not: the query fails without it."""
        self.mentioned |= result.reads
        for output in result.items:
            self.mentioned.update(output.part.reads if isinstance(output, OutputColumn) else ())

    def _set(
        self,
        start: int,
        end: int,
        cuts: list[int],
        outer: Scope | None,
        named_results: Mapping[str, QueryResult],
    ) -> QueryResult:
        branches: list[QueryResult] = []
        signs: list[Json] = []
        for cut, beyond in zip([start - 1, *cuts], [*cuts, end], strict=True):
            at = cut + 1
            while cut in cuts and self.text.word(at) in ("all", "distinct", "by", "name"):
                if self.text.lexemes[at].kind is TokenKind.WORD and at < beyond:
                    signs.append(self.text.word(at))
                at += 1
            signs += [self.text.word(cut)] if cut in cuts else []
            branches.append(self.query((at, beyond), outer, named_results))
        if set(signs) == {"union", "all"} and signs.count("all") == len(cuts):
            return _stacked(branches)
        return _opaque(signs, branches)

    # ---- SELECT ------------------------------------------------------------------------------------------

    def _select(
        self, start: int, end: int, outer: Scope | None, named_results: Mapping[str, QueryResult]
    ) -> QueryResult:
        if self.text.word(start) != "select":
            raise Unproven("no SELECT")
        first = start + 1
        distinct = self.text.word(first) == "distinct"
        if self.text.word(first) in ("distinct", "all"):
            first += 1
        if self.text.word(first) == "on":
            raise Unproven("DISTINCT ON")
        clauses = self.text.clauses(first, end)

        def subquery(span: Span, scope: Scope) -> QueryResult:
            return self.query(span, scope, named_results)

        scope = Scope(outer)
        origin = From(self.text, scope, named_results, self.catalog, subquery, relations=self.relations)
        if "from" in clauses:
            origin.take(clauses["from"])
        self.mentioned |= origin.reads
        select = Select(self, scope, origin, distinct)
        return select.result(clauses)


@dataclass(slots=True)
class Select:
    """One SELECT whose FROM is read: its columns, then what the clauses after it say about the rows."""

    reader: QueryReader
    scope: Scope
    origin: From
    distinct: bool
    _values: list[tuple[OutputColumn, Value]] = field(default_factory=list["tuple[OutputColumn, Value]"])

    def result(self, clauses: Mapping[str, Span]) -> QueryResult:
        """Return the result. Raises Unproven."""
        spans = self.reader.text.split(*clauses["select"])
        if not spans:
            raise Unproven("no columns")
        self.scope.labels = frozenset(self._labels(spans))
        items = self._closed_over([output for span in spans for output in self._items(span)])
        for output in items:
            self.reader.mentioned.update(output.part.reads if isinstance(output, OutputColumn) else ())
        rows: list[Json] = ["select", self.distinct, *self.origin.rows]
        reads = set(self.origin.reads)
        for word, span in clauses.items():
            if word not in ("select", "from"):
                part = self._clause(word, span, items)
                rows += [word, part.text]
                reads.update(part.reads)
        rows.append(any(isinstance(output, OutputColumn) and output.sums for output in items))
        if self.distinct:
            # Which rows are equal is for all columns to say, in whatever order.
            whole = [_part(output) for output in items]
            rows.append([part.text for part in whole])
            reads.update(read for part in whole for read in part.reads)
        self.reader.mentioned |= reads
        return QueryResult(stamp(*rows), frozenset(reads), tuple(items))

    def _labels(self, spans: list[Span]) -> Iterator[str]:
        for start, end in spans:
            if star_of(self.reader.text, start, end) is None:
                expression, name = self.reader.text.label(start, end)
                if name and (expression != end or end - start > 1):
                    yield name.lower()

    def _value(self, span: Span) -> Value:
        return Expression(self.reader.text, self.scope, self.origin.query).value(span)

    def _items(self, span: Span) -> list[Item]:
        reader = self.reader
        star = Star(reader.text, self.scope, self.origin.using, self._value, reader.mentioned)
        items = star.items(span)
        if items is not None:
            return items
        end, name = self.reader.text.label(*span)
        value = self._value((span[0], end))
        column = OutputColumn(name, value.part, value.sums)
        self._values.append((column, value))
        return [column]

    def _closed_over(self, items: list[Item]) -> list[Item]:
        """Return the items; a label that an expression may mean is replaced by the columns that it stands for."""
        values = {id(column): value for column, value in self._values}
        return [
            replace(output, part=self._followed(values[id(output)], output.name.lower()))
            if isinstance(output, OutputColumn) and id(output) in values
            else output
            for output in items
        ]

    def _followed(self, value: Value, own: str = "") -> ColumnOrigin:
        """Return the origin of `value` together with those of all labels that it may mean, directly or not."""
        reached: dict[str, list[ColumnOrigin]] = {}
        todo = [label for label in value.labels if label != own]
        while todo:
            label = todo.pop()
            if label in reached:
                continue
            same = [column_value for column, column_value in self._values if column.name.lower() == label]
            reached[label] = [column_value.part for column_value in same]
            todo += [further for column_value in same for further in column_value.labels]
        if not reached:
            return value.part
        meant: list[Json] = [
            [label, *(part.text for part in parts)] for label, parts in sorted(reached.items())
        ]
        others = [part.reads for parts in reached.values() for part in parts]
        return ColumnOrigin(
            abbreviate(value.part.text.rpartition(" #")[0], value.part.text, meant),
            merged(value.part.reads, *others),
        )

    # ---- what comes after FROM ---------------------------------------------------------------------------

    def _clause(self, word: str, span: Span, items: list[Item]) -> ColumnOrigin:
        text = self.reader.text
        if word == "group" and text.word(span[0]) == "all" and span[1] - span[0] == 1:
            parts = [_part(output) for output in items if isinstance(output, PassThrough) or not output.sums]
            return ColumnOrigin(
                stamp("all", *(part.text for part in parts)), merged(*(part.reads for part in parts))
            )
        followed = self._followed(self._value(span))
        if word != "group":
            return followed
        numbered = [self._numbered(piece, items) for piece in text.split(*span)]
        return ColumnOrigin(
            stamp(followed.text, *(part.text if part else None for part in numbered)),
            merged(followed.reads, *(part.reads for part in numbered if part)),
        )

    def _numbered(self, span: Span, items: list[Item]) -> ColumnOrigin | None:
        """Return the column whose number stands in GROUP BY, None if an expression does."""
        one = self.reader.text.lexemes[span[0]]
        if span[1] - span[0] != 1 or one.kind is not TokenKind.NUMBER:
            return None
        if not one.text.isdigit() or not 0 < int(one.text) <= len(items):
            raise Unproven("number of a column")
        if any(isinstance(output, PassThrough) for output in items[: int(one.text)]):
            raise Unproven("number after *")
        return _part(items[int(one.text) - 1])


def _part(output: Item) -> ColumnOrigin:
    return output.part if isinstance(output, OutputColumn) else output.everything()


def _stacked(branches: list[QueryResult]) -> QueryResult:
    """Return UNION ALL: column by column where all are known, by place."""
    if any(not isinstance(output, OutputColumn) for branch in branches for output in branch.items):
        return _opaque(["union", "all"], branches)
    rows = stamp("stacked", *(branch.rows for branch in branches))
    reads = frozenset(read for branch in branches for read in branch.reads)
    columns = [[output for output in branch.items if isinstance(output, OutputColumn)] for branch in branches]
    if len({len(some) for some in columns}) > 1:
        raise Unproven("branches with other numbers of columns")
    items = tuple(
        OutputColumn(
            same[0].name,
            ColumnOrigin(
                stamp("stacked", *(one.part.text for one in same)), merged(*(one.part.reads for one in same))
            ),
        )
        for same in zip(*columns, strict=True)
    )
    return QueryResult(rows, reads, items)


def _opaque(signs: list[Json], branches: list[QueryResult]) -> QueryResult:
    """Return a set operation of which every column of every branch decides the rows."""
    whole = [branch.everything() for branch in branches]
    rows = stamp("set", signs, *(part.text for part in whole))
    reads = frozenset(read for part in whole for read in part.reads)
    named = all(isinstance(output, OutputColumn) for branch in branches for output in branch.items)
    if not named or "name" in signs:
        return QueryResult(rows, reads, (PassThrough("set", None),))
    items = [output for output in branches[0].items if isinstance(output, OutputColumn)]
    return QueryResult(
        rows,
        reads,
        tuple(OutputColumn(output.name, ColumnOrigin(f"set {at}", ())) for at, output in enumerate(items)),
    )
