"""Records get tables of their own: they stood in the cache, which may be emptied. What is left in it says when it was used."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_Row: TypeAlias = dict[str, Any]
_Read: TypeAlias = Callable[[str, Any], Iterator[_Row]]

_CACHE = sa.table("sluice_cache", *(sa.column(name, sa.Text) for name in ("kind", "key", "value", "used_at")))


def upgrade() -> None:
    """Create the tables, move the records there, and say of what stays that it was used now."""
    _create()
    op.add_column("sluice_cache", sa.Column("used_at", sa.Text, nullable=False, server_default=""))
    connection = op.get_bind()
    for kind, (table, read) in _KINDS.items():
        records = connection.execute(sa.select(_CACHE).where(_CACHE.c.kind == kind).order_by(_CACHE.c.key))
        rows = [row for record in records.mappings().all() for row in _rows(record, read)]
        if rows:
            connection.execute(sa.insert(_table(table, rows[0])), rows)
    moved = tuple(kind.partition(".")[0] for kind in _KINDS)
    connection.execute(sa.delete(_CACHE).where(sa.or_(*(_CACHE.c.kind.like(f"{name}.%") for name in moved))))
    connection.execute(sa.update(_CACHE).values(used_at=_time(datetime.now(UTC).isoformat())))


def _create() -> None:
    op.create_table("sluice_declared", *_keys("environment", "release"), *_texts("document"))
    op.create_table("sluice_conditions", *_keys("promotion"), *_texts("at", "document"))
    op.create_table(
        "sluice_refresh",
        *_keys("environment"),
        *_texts("at"),
        sa.Column("ended", sa.Text),
        *_texts("status", "message", "by"),
    )
    op.create_table(
        "sluice_poll",
        *_keys("environment"),
        *_texts("commit"),
        sa.Column("generation", sa.Integer, nullable=False),
        *_texts("release", "message"),
    )
    op.create_table("sluice_alert", *_keys("scope"), *_texts("problems", "at"))
    op.create_table(
        "sluice_timing", sa.Column("seq", sa.Integer, primary_key=True), *_texts("promotion", "at", "took")
    )
    op.create_index("sluice_timing_by_promotion", "sluice_timing", ["promotion"])
    op.create_table("sluice_sign", *_keys("run"), *_texts("holder", "seen"))


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _table(name: str, row: _Row) -> sa.TableClause:
    columns: list[sa.ColumnClause[Any]] = [sa.column(column) for column in row]
    return sa.table(name, *columns)


def _rows(record: Mapping[Any, Any], read: _Read) -> tuple[_Row, ...]:
    """Return the rows of a record; none for one that cannot be read: it told nobody anything before, either."""
    try:
        return tuple(read(record["key"], json.loads(record["value"])))
    except (KeyError, ValueError, TypeError):
        return ()


def _time(text: str) -> str:
    """Return a time as the tables keep it: UTC, with a fixed width."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _declared(key: str, value: Any) -> Iterator[_Row]:
    environment, _, release = key.rpartition(" ")
    yield {"environment": environment, "release": release, "document": _text(value)}


def _conditions(key: str, value: Any) -> Iterator[_Row]:
    yield {"promotion": key, "at": _time(value["at"]), "document": _text(value["conditions"])}


def _refresh(key: str, value: Any) -> Iterator[_Row]:
    ended = _time(value["ended"]) if value["ended"] else None
    texts = {name: str(value[name]) for name in ("status", "message", "by")}
    yield {"environment": key, "at": _time(value["at"]), "ended": ended, **texts}


def _poll(key: str, value: Any) -> Iterator[_Row]:
    texts = {name: str(value[name]) for name in ("commit", "release", "message")}
    yield {"environment": key, "generation": int(value["generation"]), **texts}


def _alert(key: str, value: Any) -> Iterator[_Row]:
    yield {"scope": key, "problems": _text(value["problems"]), "at": _time(value["told"])}


def _timing(key: str, value: Any) -> Iterator[_Row]:
    for run in value:
        yield {"promotion": key, "at": _time(run["at"]), "took": _text(run["took"])}


def _sign(key: str, value: Any) -> Iterator[_Row]:
    yield {"run": key, "holder": str(value["holder"]), "seen": _time(value["seen"])}


_KINDS: Mapping[str, tuple[str, _Read]] = {
    "declared.3": ("sluice_declared", _declared),
    "conditions.1": ("sluice_conditions", _conditions),
    "refresh.1": ("sluice_refresh", _refresh),
    "poll.1": ("sluice_poll", _poll),
    "health.1": ("sluice_alert", _alert),
    "times.1": ("sluice_timing", _timing),
    "sign.1": ("sluice_sign", _sign),
}
"""Where each kind of record goes, and how it is read. Records of older forms were never read again; they go."""
