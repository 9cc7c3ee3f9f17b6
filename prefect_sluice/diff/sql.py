"""The SQL that compares two states of a relation in the warehouse; only counts and samples leave it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from prefect_sluice.diff.float_tolerance import NUMBERS, FloatComparison, near
from prefect_sluice.planning.type_changes import widens
from prefect_sluice.warehouse.base import Column
from prefect_sluice.warehouse.functions import Functions, TypeClass

SAMPLE_ROWS = 20
"""How many rows of each kind (changed, added, removed) are shown."""

# A relation may be written without its schema, and no name of ours may then stand for it.
_BEFORE, _AFTER, _MOVED = "sluice_before", "sluice_after", "sluice_moved"
_EXACT, _PAIRS = "sluice_exact", "sluice_pairs"


class ComparedAs(StrEnum):
    """In what form values are compared, where not as they are."""

    ITSELF = "itself"
    TEXT = "text"
    NUMBER = "number"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class ColumnForm:
    """The form in which the values of a column are hashed and compared; `type` is the engine's spelling for As.TYPE."""

    form: ComparedAs = ComparedAs.ITSELF
    type: str = ""


@dataclass(frozen=True, slots=True)
class ColumnPair:
    """A column on both sides, perhaps spelled or typed differently; `how` is how both are compared, `near` what they are held
    against each other by where it is not exact."""

    before: Column
    after: Column
    how: ColumnForm
    near: FloatComparison | None = None

    @property
    def name(self) -> str:
        return self.after.name


@dataclass(frozen=True, slots=True)
class Side:
    """One of two relations: its text in SQL, its columns, and what of it is compared, as SQL expressions."""

    relation: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    values: tuple[str, ...]
    """Of the pairs that are no keys."""
    others: tuple[str, ...] = ()
    """Of the columns that are on this side only."""
    whole: tuple[str, ...] = ()
    """The values as they are held against each other, where that is not as they are hashed: lists and structs."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The queries for one pair of relations. Each method returns one, whose shape its docstring says."""

    engine: Functions
    before: Side
    after: Side
    nears: tuple[FloatComparison | None, ...] = ()
    """Of keys and values, in their order; those of keys count only where rows are not told apart by them."""

    def totals(self, side: Side) -> str:
        """One row: rows, sum of row hashes, one of hashes per column, keys first, and where the side has columns of its own,
        one of the hashes of whole rows; NULL sums for no rows."""
        compared = [*side.keys, *side.values]
        hashes = [
            self.engine.row_hash(expressions)
            for expressions in (compared, *([expressions] for expressions in compared))
            if expressions
        ]
        if side.others:
            hashes.append(self.engine.row_hash([*compared, *side.others]))
        sums = [self.engine.total(row_hash) for row_hash in hashes]
        return f"SELECT {', '.join(['count(*)', *sums])} FROM {side.relation}"

    def key_faults(self, side: Side) -> str:
        """One row: rows whose key is NULL in part, and surplus rows of keys that occur more than once."""
        whole = " AND ".join(f"{key} IS NOT NULL" for key in side.keys)
        distinct = side.keys[0] if len(side.keys) == 1 else f"({', '.join(side.keys)})"
        return (
            f"SELECT count(*) - count(*) FILTER (WHERE {whole}),"
            f" count(*) FILTER (WHERE {whole}) - count(DISTINCT {distinct}) FILTER (WHERE {whole})"
            f" FROM {side.relation}"
        )

    def by_key(self) -> str:
        """One row: rows added, removed, changed, then per value column the rows in which it changed; then the rows that differ
        in last digits only, and per value column those of them in which it does."""
        columns = range(len(self.before.values))
        differ = [self._differs(n) for n in columns]
        anything = " OR ".join(differ) or "false"
        counts = [f"count(*) FILTER (WHERE {condition})" for condition in [anything, *differ]]
        counts.append(f"count(*) FILTER (WHERE NOT ({anything}))")
        counts += [
            f"count(*) FILTER (WHERE NOT ({anything}) AND b.v{n} IS DISTINCT FROM a.v{n})"
            if self._near(n)
            else "0"
            for n in columns
        ]
        return (
            f"{self._moved_keys()} SELECT (SELECT count(*) FROM {_MOVED} WHERE how = 'added'),"
            f" (SELECT count(*) FROM {_MOVED} WHERE how = 'removed'), {', '.join(counts)}"
            f" {self._both_sides()}"
        )

    def changed_sample(self, columns: Sequence[int]) -> str:
        """Rows: the key's texts, then per column of `columns` its text before, after, and if it changed."""
        differ = [self._differs(n) for n in columns]
        shown = [_text(f"b.k{n}") for n in range(len(self.before.keys))]
        for n, changed in zip(columns, differ, strict=True):
            shown.extend([_text(f"b.v{n}"), _text(f"a.v{n}"), changed])
        # Of these columns alone: to hash all of them again would cost more than the join.
        b, a = (
            "(SELECT "
            + ", ".join(
                [_aliased_columns("k", side.keys), *(f"{_compared_values(side)[n]} AS v{n}" for n in columns)]
            )
            + f" FROM {side.relation})"
            for side in (self.before, self.after)
        )
        return (
            f"SELECT {', '.join(shown)} FROM {b} b JOIN {a} a ON {self._on('b', 'a')}"
            f" WHERE {' OR '.join(differ)} ORDER BY {self._keys('b')} LIMIT {SAMPLE_ROWS}"
        )

    def moved_sample(self, how: str) -> str:
        """Whole rows, as text: those 'added' (of the side after) or 'removed' (of the side before)."""
        side, other = (self.after, self.before) if how == "added" else (self.before, self.after)
        raw = [quoted(column.name) for column in side.columns]
        return (
            f"SELECT {', '.join(_text(f'r.t{n}') for n in range(len(raw)))} FROM"
            f" (SELECT s.* FROM (SELECT {_aliased_columns('k', side.keys)}, {_aliased_columns('t', raw)} FROM {side.relation}) s"
            f" WHERE NOT EXISTS (SELECT 1 FROM (SELECT {_aliased_columns('k', other.keys)} FROM {other.relation}) o"
            f" WHERE {self._on('s', 'o')}) ORDER BY {self._keys('s')} LIMIT {SAMPLE_ROWS}) r"
            f" ORDER BY {self._keys('r')}"
        )

    def as_multiset(self) -> str:
        """One row: rows only after, rows only before."""
        return (
            f"{self._moved_hashes()} SELECT coalesce(sum(CASE WHEN surplus < 0 THEN -surplus END), 0),"
            f" coalesce(sum(CASE WHEN surplus > 0 THEN surplus END), 0) FROM {_MOVED}"
        )

    def multiset_sample(self, how: str) -> str:
        """Whole rows, as text, that are on one side only: `how` as in `moved_sample`."""
        side, sign = (self.after, "-") if how == "added" else (self.before, "")
        shown = _numbered("t", len(side.columns))
        rows = self._surplus(side, f"{_aliased_columns('t', _texts(side))}", sign)
        return f"{self._moved_hashes()} SELECT {shown} FROM {rows} r ORDER BY {shown} LIMIT {SAMPLE_ROWS}"

    def left_totals(self, side: Side) -> str:
        """One row: of the rows that only this side has, a sum of hashes per column, keys first; NULL where there are none."""
        values = [*side.keys, *side.values]
        rows = self._surplus(side, _aliased_columns("t", values), "" if side is self.before else "-")
        sums = [self.engine.total(self.engine.row_hash([f"t{n}"])) for n in range(len(values))]
        return f"{self._moved_hashes()} SELECT {', '.join(sums)} FROM {rows} r"

    def close_rows(self) -> str:
        """One row: rows that have one on the other side that differs in last digits only; then per column, keys first, those of
        them in which it does."""
        columns = range(len(self.nears))
        counts = [
            f"count(*) FILTER (WHERE bv{n} IS DISTINCT FROM av{n})" if self.nears[n] else "0" for n in columns
        ]
        return f"{self._moved_hashes()} SELECT count(*), {', '.join(counts)} FROM {_PAIRS}"

    def largest(self, side: Side) -> str:
        """One row: the largest finite value of each of `nears` that is of numbers, NULL for the others."""
        values = [*side.keys, *_compared_values(side)]
        sizes = [
            near.largest(value) if near and near.is_number else "NULL"
            for near, value in zip(self.nears, values, strict=True)
        ]
        return f"SELECT {', '.join(sizes)} FROM {side.relation}"

    def _near(self, value: int) -> FloatComparison | None:
        return self.nears[len(self.before.keys) + value] if self.nears else None

    def _differs(self, value: int) -> str:
        """Return the condition that a value column changed. Never NULL."""
        exact, close = f"b.v{value} IS DISTINCT FROM a.v{value}", self._near(value)
        return f"({exact} AND NOT {close.close(f'b.v{value}', f'a.v{value}')})" if close else f"({exact})"

    def _surplus(self, side: Side, columns: str, sign: str) -> str:
        """Return the rows that one side has more of than the other, in brackets; `sign` is that side's."""
        return (
            f"(SELECT * FROM (SELECT s.*, {sign}m.surplus AS surplus, row_number() OVER (PARTITION BY s.h) AS copy"
            f" FROM {_MOVED} m JOIN (SELECT {columns}, {self._hash(side)} AS h FROM {side.relation}) s"
            f" ON m.h = s.h WHERE {sign}m.surplus > 0) x WHERE copy <= surplus)"
        )

    def _hash(self, side: Side) -> str:
        return self.engine.row_hash([*side.keys, *side.values])

    def _moved_keys(self) -> str:
        b, a = (
            f"SELECT {_aliased_columns('k', side.keys)}, {self._hash(side)} AS h FROM {side.relation}"
            for side in (self.before, self.after)
        )
        either = ", ".join(f"coalesce(b.k{n}, a.k{n}) AS k{n}" for n in range(len(self.before.keys)))
        how = "CASE WHEN b.h IS NULL THEN 'added' WHEN a.h IS NULL THEN 'removed' ELSE 'changed' END"
        return (
            f"WITH {_BEFORE} AS ({b}), {_AFTER} AS ({a}),"
            f" {_MOVED} AS MATERIALIZED (SELECT {either}, {how} AS how"
            f" FROM {_BEFORE} b FULL JOIN {_AFTER} a ON {self._on('b', 'a')} WHERE b.h IS NULL OR a.h IS NULL OR b.h <> a.h)"
        )

    def _both_sides(self) -> str:
        joins = (
            f" JOIN (SELECT {_keys_and_values(side)} FROM {side.relation}) {alias} ON {self._on('m', alias)}"
            for alias, side in (("b", self.before), ("a", self.after))
        )
        return f"FROM {_MOVED} m{''.join(joins)} WHERE m.how = 'changed'"

    def _on(self, one: str, two: str) -> str:
        return " AND ".join(f"{one}.k{n} = {two}.k{n}" for n in range(len(self.before.keys)))

    def _keys(self, alias: str) -> str:
        return _numbered(f"{alias}.k", len(self.before.keys))

    def _moved_hashes(self) -> str:
        b, a = (
            f"SELECT h, count(*) AS n FROM (SELECT {self._hash(side)} AS h FROM {side.relation}) s GROUP BY h"
            for side in (self.before, self.after)
        )
        close = any(self.nears)
        moved = (
            f"WITH {_BEFORE} AS ({b}), {_AFTER} AS ({a}),"
            f" {_EXACT if close else _MOVED} AS MATERIALIZED (SELECT coalesce(b.h, a.h) AS h,"
            " coalesce(b.n, 0) - coalesce(a.n, 0) AS surplus"
            f" FROM {_BEFORE} b FULL JOIN {_AFTER} a ON b.h = a.h WHERE b.n IS DISTINCT FROM a.n)"
        )
        return f"{moved}, {self._matched()}" if close else moved

    def _matched(self) -> str:
        """Return the further tables in which rows that differ in last digits only have found each other, and the surplus without
        them. A row is looked for among those in the same intervals, in order; who stood on both sides of an interval's end is
        looked for again with others."""
        ones, twos = (self._rough(side, sign) for side, sign in ((self.before, ""), (self.after, "-")))
        first = self._pairs("rough1", f"{_BEFORE}_rows", f"{_AFTER}_rows")
        left = [
            f"(SELECT * FROM {rows}_rows WHERE id NOT IN (SELECT {letter}id FROM {_PAIRS}_1))"
            for rows, letter in ((_BEFORE, "b"), (_AFTER, "a"))
        ]
        second = self._pairs("rough2", *left)
        matched_rows = f"SELECT bh AS h, 1 AS n FROM {_PAIRS} UNION ALL SELECT ah, -1 FROM {_PAIRS}"
        counted = f"SELECT h, sum(n) AS n FROM ({matched_rows}) x GROUP BY h"
        return (
            f"{_BEFORE}_rows AS MATERIALIZED ({ones}), {_AFTER}_rows AS MATERIALIZED ({twos}),"
            f" {_PAIRS}_1 AS MATERIALIZED ({first}), {_PAIRS}_2 AS MATERIALIZED ({second}),"
            f" {_PAIRS} AS (SELECT * FROM {_PAIRS}_1 UNION ALL SELECT * FROM {_PAIRS}_2),"
            f" {_MOVED} AS MATERIALIZED (SELECT e.h, e.surplus - coalesce(c.n, 0) AS surplus FROM {_EXACT} e"
            f" LEFT JOIN ({counted}) c ON e.h = c.h WHERE e.surplus <> coalesce(c.n, 0))"
        )

    def _rough(self, side: Side, sign: str) -> str:
        """Return the surplus rows of a side, with hashes that close rows have in common; only these are hashed once more."""
        held = [*side.keys, *_compared_values(side)]
        shifted = (
            [near.coarse(f"v{n}", shift) if near else f"v{n}" for n, near in enumerate(self.nears)]
            for shift in (0.0, 0.5)
        )
        rough = ", ".join(
            f"{self.engine.row_hash(shifted_values)} AS rough{n}"
            for n, shifted_values in enumerate(shifted, 1)
        )
        rows = self._surplus(side, _aliased_columns("v", held), sign).replace(_MOVED, _EXACT)
        return f"SELECT *, {rough}, row_number() OVER () AS id FROM {rows} r"

    def _pairs(self, rough: str, before: str, after: str) -> str:
        order = ", ".join(f"v{n}" for n, near in enumerate(self.nears) if near)
        b, a = (
            f"(SELECT *, row_number() OVER (PARTITION BY {rough} ORDER BY {order}) AS place FROM {rows} r)"
            for rows in (before, after)
        )
        close = [near.close(f"b.v{n}", f"a.v{n}") for n, near in enumerate(self.nears) if near]
        shown = [f"{side}.v{n} AS {side}v{n}" for side in "ba" for n in range(len(self.nears))]
        return (
            f"SELECT b.id AS bid, a.id AS aid, b.h AS bh, a.h AS ah, {', '.join(shown)} FROM {b} b JOIN {a} a"
            f" ON b.{rough} = a.{rough} AND b.place = a.place WHERE {' AND '.join(close)}"
        )


def _keys_and_values(side: Side) -> str:
    return ", ".join(
        filter(None, [_aliased_columns("k", side.keys), _aliased_columns("v", _compared_values(side))])
    )


def _compared_values(side: Side) -> tuple[str, ...]:
    return side.whole or side.values


def comparison_forms(
    engine: Functions, before: Column, after: Column, relative: float
) -> tuple[ColumnForm, FloatComparison | None]:
    """Return how a column on both sides is hashed, and how its values are held against each other. Pure."""
    form = how(engine, before.type, after.type)
    kinds = (before.type, after.type)
    match form.form:
        case ComparedAs.ITSELF | ComparedAs.TYPE:
            return form, near(kinds, form.type or after.type, relative, engine.nested)
        case ComparedAs.NUMBER:
            return form, near(kinds, NUMBERS, relative)
        case ComparedAs.TEXT:
            same = before.type == after.type
            return form, near(kinds, after.type, relative, engine.nested) if same else None


def how(engine: Functions, before: str, after: str) -> ColumnForm:
    """Return how values of two types are compared: as they are where it is one type, as the wider type where one holds all
    values of the other, numbers by their value, and all else as text. Pure."""
    if engine.compared_as_text(before.lower()) or engine.compared_as_text(after.lower()):
        return ColumnForm(ComparedAs.TEXT)
    if before == after:
        return ColumnForm()
    for one, other in ((before, after), (after, before)):
        if widens(one, other) and not _is_unbounded(engine, one):
            return ColumnForm(ComparedAs.TYPE, other)
    both_numbers = engine.is_number(before) and engine.is_number(after)
    return ColumnForm(ComparedAs.NUMBER if both_numbers else ComparedAs.TEXT)


def _is_unbounded(engine: Functions, kind: str) -> bool:
    """Say whether a decimal has no size: what people declare so has the engine's own, what a relation has so holds any number."""
    return engine.type_class(kind) is TypeClass.DECIMAL and "(" not in kind


def compared(engine: Functions, column: Column, how: ColumnForm) -> str:
    """Return the SQL expression by which a column is hashed and compared."""
    name = quoted(column.name)
    match how.form:
        case ComparedAs.ITSELF:
            return name
        case ComparedAs.TEXT:
            return _text(name)
        case ComparedAs.TYPE:
            return f"CAST({name} AS {how.type})"
        case ComparedAs.NUMBER:
            return engine.number_text(name)


def quoted(name: str) -> str:
    """Return an identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def _text(expression: str) -> str:
    return f"CAST({expression} AS VARCHAR)"


def _texts(side: Side) -> list[str]:
    return [_text(quoted(column.name)) for column in side.columns]


def _aliased_columns(letter: str, expressions: Sequence[str]) -> str:
    return ", ".join(f"{expression} AS {letter}{n}" for n, expression in enumerate(expressions))


def _numbered(prefix: str, count: int) -> str:
    return ", ".join(f"{prefix}{n}" for n in range(count))
