"""The SQL that compares two states of a relation in the warehouse; only counts and samples leave it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prefect_sluice.errors import BadInput
from prefect_sluice.warehouse.base import Column
from prefect_sluice.widening import widens

SAMPLE_ROWS = 20
"""How many rows of each kind (changed, added, removed) are shown."""

# A relation may be written without its schema, and no name of ours may then stand for it.
_BEFORE, _AFTER, _MOVED = "sluice_before", "sluice_after", "sluice_moved"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an engine hashes values, and which of its types it cannot be trusted to hash or to compare.

    `row_hash` takes SQL expressions and returns one that is a 64-bit number, never NULL; `total` sums such
    numbers without overflow; `as_text` says of a type (lower case) that its values are compared as text;
    `fold` makes names equal that the engine takes for the same. `has_order` says of a type that its values have a smallest
    and a largest, `is_number` that they have a mean, which `mean` asks for as a float. `number_text` is a number's value as
    a text, the same for all types of numbers. `estimate` counts distinct values by a sketch (None: the engine has none).
    """

    row_hash: Callable[[Sequence[str]], str]
    total: Callable[[str], str]
    as_text: Callable[[str], bool]
    fold: Callable[[str], str]
    has_order: Callable[[str], bool]
    is_number: Callable[[str], bool]
    mean: Callable[[str], str]
    number_text: Callable[[str], str]
    estimate: Callable[[str], str] | None = None


_NUMBERS = (
    "tinyint", "smallint", "integer", "int", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint",
    "decimal", "numeric", "float", "real", "double",
)  # fmt: skip
_ORDERED = ("varchar", "text", "char", "date", "time")
"""How types begin; more than one is behind `time`."""


def _is_number(kind: str) -> bool:
    return "[" not in kind and not kind.startswith("interval") and kind.startswith(_NUMBERS)


def _has_order(kind: str) -> bool:
    return "[" not in kind and (_is_number(kind) or kind.startswith(_ORDERED))


# A sum over rows is order-free, but hash(a, b) of DuckDB ends in an exclusive or with the last column's hash:
# exchange that column's values between two rows, and each bit leaves the sum as it was in 3 of 4 cases. Hence
# the outer hash.
_DUCKDB = Dialect(
    row_hash=lambda values: f"hash(hash({', '.join(values)}))",
    total=lambda value: f"sum(CAST({value} AS HUGEINT))",
    # DuckDB 1.5 gives [], [NULL] and NULL one hash, and a struct of NULLs that of NULL.
    as_text=lambda kind: "[" in kind or kind.startswith(("struct", "map", "union", "variant")),
    fold=str.lower,
    has_order=lambda kind: (
        _has_order(kind) or ("[" not in kind and kind.startswith(("boolean", "uuid", "enum", "interval")))
    ),
    is_number=_is_number,
    mean=lambda value: f"avg(CAST({value} AS DOUBLE))",
    # Whole numbers to the last digit: an id beyond 2^53 that became a DOUBLE may be another one.
    number_text=lambda value: (
        f"CASE WHEN abs({value}) < 1e37 AND {value} = trunc({value}) THEN CAST(CAST({value} AS HUGEINT) AS VARCHAR)"
        f" ELSE CAST(CAST({value} AS DOUBLE) AS VARCHAR) END"
    ),
    estimate=lambda value: f"approx_count_distinct({value})",
)
_POSTGRES = Dialect(
    row_hash=lambda values: f"hashtextextended(CAST(ROW({', '.join(values)}) AS TEXT), 0)",
    total=lambda value: f"sum(CAST({value} AS NUMERIC))",
    as_text=lambda kind: kind.startswith(("json", "xml", "point", "line", "polygon", "path", "box")),
    fold=str,
    has_order=_has_order,
    is_number=_is_number,
    mean=lambda value: f"CAST(avg({value}) AS DOUBLE PRECISION)",
    number_text=lambda value: f"CAST(trim_scale(CAST({value} AS NUMERIC)) AS TEXT)",
)
_DIALECTS = {"duckdb": _DUCKDB, "postgres": _POSTGRES}


def dialect(name: str) -> Dialect:
    """Return how the engine of that sqlglot name is asked. Raises BadInput for one that is not known here."""
    if name not in _DIALECTS:
        raise BadInput(f"relations in {name!r} cannot be compared", fix=f"known are: {', '.join(_DIALECTS)}")
    return _DIALECTS[name]


class As(StrEnum):
    """In what form values are compared, where not as they are."""

    ITSELF = "itself"
    TEXT = "text"
    NUMBER = "number"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class How:
    """The form in which the values of a column are hashed and compared; `type` is the engine's spelling for As.TYPE."""

    form: As = As.ITSELF
    type: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A column on both sides, perhaps spelled or typed differently; `how` is how both are compared."""

    before: Column
    after: Column
    how: How

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


@dataclass(frozen=True, slots=True)
class Comparison:
    """The queries for one pair of relations. Each method returns one, whose shape its docstring says."""

    engine: Dialect
    before: Side
    after: Side

    def totals(self, side: Side) -> str:
        """One row: rows, sum of row hashes, one of hashes per column, keys first, and where the side has columns of its own,
        one of the hashes of whole rows; NULL sums for no rows."""
        compared = [*side.keys, *side.values]
        hashes = [self.engine.row_hash(each) for each in (compared, *([each] for each in compared)) if each]
        if side.others:
            hashes.append(self.engine.row_hash([*compared, *side.others]))
        sums = [self.engine.total(each) for each in hashes]
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
        """One row: rows added, removed, changed, then per value column the rows in which it changed."""
        differ = [f"(b.v{n} IS DISTINCT FROM a.v{n})" for n in range(len(self.before.values))]
        anything = " OR ".join(differ) or "false"
        counts = [f"count(*) FILTER (WHERE {each})" for each in [anything, *differ]]
        return (
            f"{self._moved_keys()} SELECT (SELECT count(*) FROM {_MOVED} WHERE how = 'added'),"
            f" (SELECT count(*) FROM {_MOVED} WHERE how = 'removed'), {', '.join(counts)}"
            f" {self._both_sides()}"
        )

    def changed_sample(self, columns: Sequence[int]) -> str:
        """Rows: the key's texts, then per column of `columns` its text before, after, and if it changed."""
        differ = [f"(b.v{n} IS DISTINCT FROM a.v{n})" for n in columns]
        shown = [_text(f"b.k{n}") for n in range(len(self.before.keys))]
        for n, changed in zip(columns, differ, strict=True):
            shown.extend([_text(f"b.v{n}"), _text(f"a.v{n}"), changed])
        # Of these columns alone: to hash all of them again would cost more than the join.
        b, a = (
            "(SELECT "
            + ", ".join([_named("k", side.keys), *(f"{side.values[n]} AS v{n}" for n in columns)])
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
            f" (SELECT s.* FROM (SELECT {_named('k', side.keys)}, {_named('t', raw)} FROM {side.relation}) s"
            f" WHERE NOT EXISTS (SELECT 1 FROM (SELECT {_named('k', other.keys)} FROM {other.relation}) o"
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
        return (
            f"{self._moved_hashes()} SELECT {shown} FROM (SELECT s.*, {sign}m.surplus AS surplus,"
            f" row_number() OVER (PARTITION BY s.h) AS copy FROM {_MOVED} m JOIN"
            f" (SELECT {_named('t', _texts(side))}, {self._hash(side)} AS h FROM {side.relation}) s"
            f" ON m.h = s.h WHERE {sign}m.surplus > 0) r WHERE copy <= surplus"
            f" ORDER BY {shown} LIMIT {SAMPLE_ROWS}"
        )

    def _hash(self, side: Side) -> str:
        return self.engine.row_hash([*side.keys, *side.values])

    def _moved_keys(self) -> str:
        b, a = (
            f"SELECT {_named('k', side.keys)}, {self._hash(side)} AS h FROM {side.relation}"
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
            f" JOIN (SELECT {', '.join(filter(None, [_named('k', side.keys), _named('v', side.values)]))}"
            f" FROM {side.relation}) {alias} ON {self._on('m', alias)}"
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
        return (
            f"WITH {_BEFORE} AS ({b}), {_AFTER} AS ({a}),"
            f" {_MOVED} AS MATERIALIZED (SELECT coalesce(b.h, a.h) AS h,"
            " coalesce(b.n, 0) - coalesce(a.n, 0) AS surplus"
            f" FROM {_BEFORE} b FULL JOIN {_AFTER} a ON b.h = a.h WHERE b.n IS DISTINCT FROM a.n)"
        )


def how(engine: Dialect, before: str, after: str) -> How:
    """Return how values of two types are compared: as they are where it is one type, as the wider type where one holds all
    values of the other, numbers by their value, and all else as text. Pure."""
    if engine.as_text(before.lower()) or engine.as_text(after.lower()):
        return How(As.TEXT)
    if before == after:
        return How()
    if widens(before, after) or widens(after, before):
        return How(As.TYPE, after if widens(before, after) else before)
    both_numbers = engine.is_number(before.lower()) and engine.is_number(after.lower())
    return How(As.NUMBER if both_numbers else As.TEXT)


def compared(engine: Dialect, column: Column, how: How) -> str:
    """Return the SQL expression by which a column is hashed and compared."""
    name = quoted(column.name)
    match how.form:
        case As.ITSELF:
            return name
        case As.TEXT:
            return _text(name)
        case As.TYPE:
            return f"CAST({name} AS {how.type})"
        case As.NUMBER:
            return engine.number_text(name)


def quoted(name: str) -> str:
    """Return an identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def _text(expression: str) -> str:
    return f"CAST({expression} AS VARCHAR)"


def _texts(side: Side) -> list[str]:
    return [_text(quoted(column.name)) for column in side.columns]


def _named(letter: str, expressions: Sequence[str]) -> str:
    return ", ".join(f"{expression} AS {letter}{n}" for n, expression in enumerate(expressions))


def _numbered(prefix: str, count: int) -> str:
    return ", ".join(f"{prefix}{n}" for n in range(count))
