"""What a refresh brought into a relation, in numbers: one aggregate query over its new rows, whatever the number of columns."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.node import Node, NodeKind
from prefect_sluice.warehouse.base import Column, Reader, quoted
from prefect_sluice.warehouse.engines import functions
from prefect_sluice.warehouse.functions import Functions, TypeClass, finite

BINS = 8
"""Into so many parts the values of a column are dealt, by their hash: their shares tell a distribution of any values."""
_TIMES = ("_loaded_at", "loaded_at", "event_time", "event_at", "occurred_at", "updated_at", "created_at")
"""Columns of a time type that are taken for the time of a row where nobody named one, the surest first."""


@dataclass(frozen=True, slots=True)
class RelationPart:
    """Which rows of a relation are looked at: those beyond the greatest `column` that is served, or all ("")."""

    relation: str
    live: str
    column: str = ""

    @property
    def sql(self) -> str:
        """The relation to select from."""
        if not self.column:
            return self.relation
        column = quoted(self.column)
        served = f"(select max({column}) from {self.live})"
        return f"(select * from {self.relation} where {served} is null or {column} > {served}) part"


@dataclass(frozen=True, slots=True)
class RelationNumbers:
    """The numbers of one relation by metric, which become history; `rows` is how many rows were looked at, `part` says which.

    `ranges` gives by metric of a mean how far apart the least and the greatest value are.
    """

    numbers: Mapping[str, float]
    rows: int
    part: RelationPart
    total: int = 0
    before: int = 0
    ranges: Mapping[str, float] = field(default_factory=dict[str, float])


def profile(
    reader: Reader,
    node: Node,
    relation: str,
    live: str,
    now: datetime,
    time: str | None = None,
    ignored: Collection[str] = (),
) -> RelationNumbers:
    """Measure the new rows of a relation. `time` names its time column ("": it has none; None: guess, carefully).

    Columns in `ignored` are not looked at. Distinct values are left out where the engine has no sketch of them.

    Raises QueryFailed when the engine refuses, BadInput for an engine not known and a time column that is none.
    """
    engine = functions(reader.dialect)
    every = tuple(reader.columns(relation))
    named = time_column(engine, node, every, time)
    part = RelationPart(relation, live, _beyond(engine, node, every, named))
    blind = {name.lower() for name in ignored}
    columns = [column for column in every if column.name.lower() not in blind]
    asked = {"n": "count(*)"}
    asked |= {"total": f"(select count(*) from {relation})", "before": f"(select count(*) from {live})"}
    if named:
        asked["newest"] = engine.epoch(f"max({quoted(named)})")
    keys = {key.lower() for key in node.unique_key}
    for n, column in enumerate(columns):
        asked |= _column_aggregates(engine, n, column, is_key=column.name.lower() in keys)
    asked["hash"] = engine.bucket("'sluice'", 65536)
    sql = ", ".join(f"{what} as {name}" for name, what in asked.items())
    answer = reader.query(f"select {sql} from {part.sql}")
    found = {name: _number(value) for name, value in zip(answer.columns, answer.rows[0], strict=True)}
    numbers = dict(_metric_values(found, columns, part, now))
    sizes = [int(found[name] or 0) for name in ("n", "total", "before")]
    return RelationNumbers(numbers, sizes[0], part, *sizes[1:], ranges=_ranges(found, columns, part))


def time_column(engine: Functions, node: Node, columns: Sequence[Column], told: str | None) -> str:
    """Return the column that tells the time of a row, "" if none does. Raises BadInput for a told one that does not."""
    times = {
        column.name.lower(): column.name
        for column in columns
        if engine.type_class(column.type) is TypeClass.MOMENT
    }
    if told:
        if told.lower() not in times:
            raise BadInput(f"{node.short} has no column {told!r} of a time type")
        return times[told.lower()]
    if told == "":
        return ""
    first = ("dbt_valid_from",) if node.kind is NodeKind.SNAPSHOT else ()
    return next((times[name] for name in (*first, *_TIMES) if name in times), "")


def _beyond(engine: Functions, node: Node, columns: Sequence[Column], time: str) -> str:
    """Return the column by which new rows are told: only where rows stay, and others are added to them."""
    if not node.kind.keeps_history:
        return ""
    if time:
        return time
    [key, *others] = node.unique_key or ("", "")
    ordered = {
        column.name.lower(): column.name
        for column in columns
        if engine.type_class(column.type) in {TypeClass.WHOLE, TypeClass.MOMENT}
    }
    return ordered.get(key.lower(), "") if not others else ""


def _column_aggregates(engine: Functions, n: int, column: Column, *, is_key: bool) -> dict[str, str]:
    name, kind = quoted(column.name), engine.type_class(column.type)
    good = finite(name) if kind is TypeClass.FLOAT else f"{name} is not null"
    asked = {f"filled{n}": f"count(*) filter (where {good})"}
    is_word = kind is TypeClass.WORD
    if not (is_word or engine.is_number(column.type)):
        return asked
    if engine.estimate:
        asked[f"distinct{n}"] = engine.estimate(name)
    if is_key:
        return asked
    if is_word:
        dealt = engine.bucket(name, BINS)
        return asked | {f"bin{b}of{n}": f"count(*) filter (where {dealt} = {b})" for b in range(BINS)}
    return asked | {f"{what}{n}": f"{what}({name}) filter (where {good})" for what in ("avg", "min", "max")}


def _number(value: object) -> float | None:
    number = None if value is None else float(str(value))
    return number if number is not None and math.isfinite(number) else None


def _ranges(
    found: Mapping[str, float | None], columns: Sequence[Column], part: RelationPart
) -> dict[str, float]:
    ends = [(column.name, found.get(f"min{n}"), found.get(f"max{n}")) for n, column in enumerate(columns)]
    of = "new " if part.column else ""
    return {
        f"{of}mean {name}": most - least
        for name, least, most in ends
        if least is not None and most is not None
    }


def _metric_values(
    found: Mapping[str, float | None], columns: Sequence[Column], part: RelationPart, now: datetime
) -> Iterable[tuple[str, float]]:
    """Yield the numbers under the names that they are kept by; those of a part are never compared with those of all."""
    rows, of = found["n"] or 0, "new " if part.column else ""
    total, before = found["total"] or 0, found["before"] or 0
    yield ("rows new" if part.column else "rows"), rows
    yield "rows added", total - before
    newest = found.get("newest")
    if newest is not None:
        yield "age", (now.timestamp() - newest) / 3600
    if not rows:
        return
    for n, column in enumerate(columns):
        filled = found[f"filled{n}"] or 0
        yield f"{of}missing {column.name}", 1 - filled / rows
        for asked, what in (("avg", "mean"), ("distinct", "distinct")):
            value = found.get(f"{asked}{n}")
            if value is not None and filled:
                yield f"{of}{what} {column.name}", value
        if f"bin0of{n}" in found and filled:
            # What the hash makes of a value may be another thing in the engine's next version.
            dealt = f"{of}share {int(found['hash'] or 0):x}"
            for b in range(BINS):
                yield f"{dealt}.{b} {column.name}", (found[f"bin{b}of{n}"] or 0) / filled
