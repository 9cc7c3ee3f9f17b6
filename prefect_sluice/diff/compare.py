"""Compares two states of one relation, in the warehouse, exactly (but for a collision of 64-bit hashes)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from prefect_sluice.diff.float_tolerance import RELATIVE, FloatComparison
from prefect_sluice.diff.measure import measure
from prefect_sluice.diff.relation import (
    Cell,
    ChangedColumn,
    ChangedRow,
    NameCaseChange,
    RelationDiff,
    TypeChange,
)
from prefect_sluice.diff.remembered import address, remembered
from prefect_sluice.diff.sql import ColumnPair, Comparison, Side, compared, comparison_forms, how, quoted
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.verdict import Evidence
from prefect_sluice.warehouse.base import Column, Reader
from prefect_sluice.warehouse.engines import functions
from prefect_sluice.warehouse.functions import Functions

ALL_VALUES = 20_000_000
"""Up to how many values (rows times columns) of a relation whose rows came or went all its columns are measured."""


@dataclass(frozen=True, slots=True)
class _Columns:
    before: tuple[Column, ...]
    after: tuple[Column, ...]
    pairs: tuple[ColumnPair, ...]

    @property
    def added(self) -> tuple[Column, ...]:
        return tuple(column for column in self.after if column not in [pair.after for pair in self.pairs])

    @property
    def removed(self) -> tuple[Column, ...]:
        return tuple(column for column in self.before if column not in [pair.before for pair in self.pairs])

    @property
    def retyped(self) -> tuple[TypeChange, ...]:
        pairs = [pair for pair in self.pairs if pair.before.type != pair.after.type]
        return tuple(TypeChange(pair.name, pair.before.type, pair.after.type) for pair in pairs)

    @property
    def respelled(self) -> tuple[NameCaseChange, ...]:
        pairs = [pair for pair in self.pairs if pair.before.name != pair.after.name]
        return tuple(NameCaseChange(pair.before.name, pair.after.name) for pair in pairs)


def compare(
    reader: Reader,
    before: str,
    after: str,
    key: tuple[str, ...],
    name: str,
    memory: Memory | None = None,
    tolerance: Callable[[str], float] = lambda _: RELATIVE,
) -> RelationDiff:
    """Return what differs between two relations, written as quoted SQL; `name` is what to call them.

    `key` are the columns that tell rows apart, () for none. A key that is not unique and not NULL on both
    sides is not used, and `key_problem` says so. Values of a retyped column are compared as the wider type, numbers by
    their value; those of a nested one, and of types with nothing in common, as text. Floats are the same within the relative
    `tolerance` of their column (0: exactly); rows that differ no further are counted apart, and are no change.
    What `memory` holds of two relations with the same rows is not compared again.
    One query per side where nothing differs, at most fifteen more where something does. Repeatable.
    Raises QueryFailed when the warehouse refuses one, BadInput for an engine that is not known.
    """
    engine = functions(reader.dialect)
    columns = _match(engine, reader.columns(before), reader.columns(after), tolerance)
    keys, problem = _keys(engine, columns, key)
    comparison = _comparison(engine, before, after, columns, keys)
    totals = [reader.query(comparison.totals(side)).rows[0] for side in (comparison.before, comparison.after)]
    diff = RelationDiff(
        name,
        *(_integer(total[0]) for total in totals),
        key=tuple(pair.name for pair in keys),
        key_problem=problem,
        columns_added=columns.added,
        columns_removed=columns.removed,
        columns_retyped=columns.retyped,
        columns_respelled=columns.respelled,
    )
    same = bool(columns.pairs) and _common(totals[0], columns) == _common(totals[1], columns)
    if same and replace(diff, key_problem="").identical:
        return replace(diff, key_problem="")

    def differing() -> RelationDiff:
        if same:
            return _with_numbers(reader, engine, comparison, columns, replace(diff, key_problem=""))
        sized = _sized(reader, comparison)
        rows = _rows(reader, sized, diff, columns, keys, totals)
        return rows if rows.identical else _with_numbers(reader, engine, sized, columns, rows)

    sides = ((columns.before, totals[0]), (columns.after, totals[1]))
    near = [pair.near.relative if pair.near else 0.0 for pair in columns.pairs]
    return remembered(memory, address(reader.dialect, sides, key, near), name, differing)


def _common(total: Sequence[object], columns: _Columns) -> Sequence[object]:
    """Return the totals without that of the columns that one side alone has."""
    return total[: 2 + len(columns.pairs)]


def _sized(reader: Reader, comparison: Comparison) -> Comparison:
    """Return the comparison with absolute tolerances, which the size of the values decides."""
    if not any(tolerance and tolerance.is_number for tolerance in comparison.nears):
        return comparison
    before, after = (
        reader.query(comparison.largest(side)).rows[0] for side in (comparison.before, comparison.after)
    )
    sized = (
        tolerance and tolerance.over(max(float(str(size)) for size in (one, two, 0) if size is not None))
        for tolerance, one, two in zip(comparison.nears, before, after, strict=True)
    )
    return replace(comparison, nears=tuple(sized))


def _rows(
    reader: Reader,
    comparison: Comparison,
    diff: RelationDiff,
    columns: _Columns,
    keys: Sequence[ColumnPair],
    totals: Sequence[Sequence[object]],
) -> RelationDiff:
    if not columns.pairs:
        return _nothing_in_common(diff, columns)
    values = [pair for pair in columns.pairs if pair not in keys]
    fault = _key_fault(reader, comparison, keys) if keys else ""
    if keys and not fault:
        by_key = _by_key(reader, comparison, diff, values)
        if not (by_key.rows_added and by_key.rows_removed and any(comparison.nears[: len(keys)])):
            return by_key
        fault = f"key {', '.join(pair.name for pair in keys)} differs in its last digits"
        loose = _without_key(reader, comparison, diff, [*keys, *values], totals, fault)
        return loose if loose.rows_close else by_key
    return _without_key(reader, comparison, diff, [*keys, *values], totals, fault)


def _without_key(
    reader: Reader,
    comparison: Comparison,
    diff: RelationDiff,
    pairs: Sequence[ColumnPair],
    totals: Sequence[Sequence[object]],
    fault: str,
) -> RelationDiff:
    one, two = (total[2 : 2 + len(pairs)] for total in totals)
    diff = replace(diff, key=(), key_problem=fault or diff.key_problem)
    if any(comparison.nears):
        rows, *counts = (_integer(cell) for cell in reader.query(comparison.close_rows()).rows[0])
        close = tuple(pair.name for pair, count in zip(pairs, counts, strict=True) if count)
        diff = replace(diff, rows_close=rows, columns_close=close)
        if not rows:
            comparison = replace(comparison, nears=())  # they would be looked for again by each question
        else:  # sums over all rows tell of last digits, too
            one, two = (
                reader.query(comparison.left_totals(side)).rows[0]
                for side in (comparison.before, comparison.after)
            )
    other = [
        ChangedColumn(pair.name, None) for pair, old, new in zip(pairs, one, two, strict=True) if old != new
    ]
    return _as_multiset(reader, comparison, replace(diff, columns_changed=tuple(other)))


def _with_numbers(
    reader: Reader, engine: Functions, comparison: Comparison, columns: _Columns, diff: RelationDiff
) -> RelationDiff:
    """Return the difference with the numbers of the columns that changed; those of a column that did not say something only
    where rows came or went, and in a big relation nobody waits for them."""
    changed = {column.name for column in diff.columns_changed} | {column.name for column in columns.retyped}
    moved = bool(diff.rows_added or diff.rows_removed)
    values = max(diff.rows_before, diff.rows_after) * len(columns.pairs)
    wanted = [
        (pair.before, pair.after)
        for pair in columns.pairs
        if pair.name in changed or (moved and (values <= ALL_VALUES or pair.name in diff.key))
    ]
    alone: list[tuple[Column | None, Column | None]] = [
        *((None, column) for column in columns.added),
        *((column, None) for column in columns.removed),
    ]
    sides = (
        (comparison.before.relation, diff.rows_before),
        (comparison.after.relation, diff.rows_after),
    )
    numbers = measure(reader, engine, sides, [*wanted, *alone])
    shown = [stats for stats in numbers if stats.name in changed or stats.before != stats.after]
    order = {column.name: n for n, column in enumerate(diff.columns_changed)}
    return replace(diff, numbers=tuple(sorted(shown, key=lambda stats: order.get(stats.name, len(order)))))


def _match(
    engine: Functions,
    before: Sequence[Column],
    after: Sequence[Column],
    tolerance: Callable[[str], float],
) -> _Columns:
    old_columns = {engine.fold(column.name): column for column in before}
    pairs: list[ColumnPair] = []
    for column in after:
        old = old_columns.get(engine.fold(column.name))
        if old is not None:
            pairs.append(
                ColumnPair(old, column, *comparison_forms(engine, old, column, tolerance(column.name)))
            )
    return _Columns(tuple(before), tuple(after), tuple(pairs))


def _keys(engine: Functions, columns: _Columns, key: Sequence[str]) -> tuple[tuple[ColumnPair, ...], str]:
    pairs_by_name = {engine.fold(pair.name): pair for pair in columns.pairs}
    wanted = list(dict.fromkeys(engine.fold(name) for name in key))
    missing = [name for name in key if engine.fold(name) not in pairs_by_name]
    if missing:
        return (), f"key column {', '.join(missing)} is not on both sides"
    return tuple(pairs_by_name[name] for name in wanted), ""


def _comparison(
    engine: Functions, before: str, after: str, columns: _Columns, keys: Sequence[ColumnPair]
) -> Comparison:
    values = [pair for pair in columns.pairs if pair not in keys]

    def side(relation: str, own_columns: tuple[Column, ...], of: Callable[[ColumnPair], Column]) -> Side:
        own = [of(pair) for pair in columns.pairs]
        return Side(
            relation,
            own_columns,
            tuple(compared(engine, of(pair), pair.how) for pair in keys),
            tuple(compared(engine, of(pair), pair.how) for pair in values),
            tuple(
                compared(engine, column, how(engine, column.type, column.type))
                for column in own_columns
                if column not in own
            ),
            tuple(
                quoted(of(pair).name)
                if pair.near and not pair.near.is_number
                else compared(engine, of(pair), pair.how)
                for pair in values
            ),
        )

    return Comparison(
        engine,
        side(before, columns.before, lambda pair: pair.before),
        side(after, columns.after, lambda pair: pair.after),
        (*(_of_key(pair.near) for pair in keys), *(pair.near for pair in values)),
    )


def _of_key(near: FloatComparison | None) -> FloatComparison | None:
    """Return how a key's column is compared where the key is of no use: one of lists or structs is text, and stays so."""
    return near if near and near.is_number else None


def _nothing_in_common(diff: RelationDiff, columns: _Columns) -> RelationDiff:
    gone, new = diff.rows_before, diff.rows_after
    return replace(
        diff,
        rows_removed=gone,
        rows_added=new,
        rows_changed=None,
        removed=Evidence(tuple(column.name for column in columns.before), (), gone) if gone else None,
        added=Evidence(tuple(column.name for column in columns.after), (), new) if new else None,
    )


def _key_fault(reader: Reader, comparison: Comparison, keys: Sequence[ColumnPair]) -> str:
    """Return why the key cannot tell rows apart, or ""; a join by such a key would multiply rows."""
    named = ", ".join(pair.name for pair in keys)
    for where, side in (("after", comparison.after), ("before", comparison.before)):
        empty, surplus = (_integer(cell) for cell in reader.query(comparison.key_faults(side)).rows[0])
        if empty:
            return f"key {named} is NULL in {count(empty, 'row')} {where}"
        if surplus:
            return f"key {named} is not unique {where}: {count(surplus, 'row')} too many"
    return ""


def _by_key(
    reader: Reader, comparison: Comparison, diff: RelationDiff, values: Sequence[ColumnPair]
) -> RelationDiff:
    answer = [_integer(cell) for cell in reader.query(comparison.by_key()).rows[0]]
    added, removed, changed, *counts = answer
    counts, (near, *nears) = counts[: len(values)], counts[len(values) :]
    touched = [n for n, count in enumerate(counts) if count]
    return replace(
        diff,
        rows_added=added,
        rows_removed=removed,
        rows_changed=changed,
        rows_close=near,
        columns_close=tuple(pair.name for pair, count in zip(values, nears, strict=True) if count),
        columns_changed=tuple(ChangedColumn(values[n].name, counts[n]) for n in touched),
        changed=_changed(reader, comparison, values, touched) if changed else (),
        added=_sample(reader, comparison.moved_sample("added"), comparison.after, added),
        removed=_sample(reader, comparison.moved_sample("removed"), comparison.before, removed),
    )


def _changed(
    reader: Reader, comparison: Comparison, values: Sequence[ColumnPair], touched: Sequence[int]
) -> tuple[ChangedRow, ...]:
    width = len(comparison.before.keys)
    rows: list[ChangedRow] = []
    for row in reader.query(comparison.changed_sample(touched)).rows:
        cells = [
            Cell(values[n].name, _text(row[at]), _text(row[at + 1]))
            for n, at in zip(touched, range(width, len(row), 3), strict=True)
            if row[at + 2]
        ]
        rows.append(ChangedRow(tuple(str(cell) for cell in row[:width]), tuple(cells)))
    return tuple(rows)


def _as_multiset(reader: Reader, comparison: Comparison, diff: RelationDiff) -> RelationDiff:
    added, removed = (_integer(cell) for cell in reader.query(comparison.as_multiset()).rows[0])
    return replace(
        diff,
        rows_added=added,
        rows_removed=removed,
        rows_changed=None,
        added=_sample(reader, comparison.multiset_sample("added"), comparison.after, added),
        removed=_sample(reader, comparison.multiset_sample("removed"), comparison.before, removed),
    )


def _sample(reader: Reader, sql: str, side: Side, total: int) -> Evidence | None:
    if not total:
        return None
    rows = tuple(tuple(_text(cell) for cell in row) for row in reader.query(sql).rows)
    return Evidence(tuple(column.name for column in side.columns), rows, total)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _integer(value: object) -> int:
    return int(str(value))
