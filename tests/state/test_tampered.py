"""A state store or backup that somebody tampered with is read, or refused in one line, and no entry changes unseen."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Table

from prefect_sluice.domain import ledger
from prefect_sluice.domain.errors import BadInput, SluiceError
from prefect_sluice.domain.untrusted_text import one_line
from prefect_sluice.state import backup as copying
from prefect_sluice.state.store import StateStore
from prefect_sluice.state.tables import LEDGER, METADATA
from tests.state.test_backup import fill

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SEEDED = settings(derandomize=True, deadline=None, database=None, max_examples=25)
ODD = (
    "x", "", b"\xff\xfe", -1, 2**62, 1.5, "[", "{}", "[]", "null", "2026-99-99", "2026-03-01T12:00:00", '"\\ud800"',
    '{"a": NaN}', '{"gate": 1}', "9" * 5000,
)  # fmt: skip
FILLED = ("ledger", "promotion", "approval", "report", "lease", "refresh", "poll", "alert", "sign", "timing")
COLUMNS = [
    (table, column)
    for table in METADATA.sorted_tables
    for column in table.columns
    if table.name.removeprefix("sluice_") in FILLED and not column.primary_key
]
_NUMBERS = count()


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    fill(str(folder / "state.db"))
    copying.back_up(str(folder / "state.db"), folder / "backup.db")
    return folder / "backup.db"


def readers(store: StateStore) -> tuple[Callable[[], object], ...]:
    return (
        lambda: ledger.verify(store.entries()),
        store.promotions,
        store.approvals,
        store.signs,
        lambda: store.promotion("p2"),
        lambda: store.reports("p2"),
        lambda: store.lease("prod"),
        lambda: store.refresh("prod"),
        lambda: store.poll("prod"),
        lambda: store.alert("all"),
        lambda: store.timings("p0"),
    )


def refused(read: Callable[[], object]) -> bool:
    try:
        read()
    except SluiceError as error:
        assert len(one_line(str(error))) < 1000  # noqa: PT017
        return True
    return False


def tampered(backup: Path, table: Table, column: Column[object], value: object) -> Path | None:
    """Return a copy in which the last row of a table holds another value; None where the database itself refuses it."""
    file = backup.with_name(f"tampered-{next(_NUMBERS)}.db")
    shutil.copyfile(backup, file)
    last = f"rowid = (select max(rowid) from {table.name})"
    with closing(sqlite3.connect(file)) as connection:
        for (trigger,) in connection.execute(
            "select name from sqlite_master where type = 'trigger'"
        ).fetchall():
            connection.execute(f"drop trigger {trigger}")
        try:
            connection.execute(f'update {table.name} set "{column.name}" = ? where {last}', [value])
        except sqlite3.Error:
            return None
        connection.commit()
    return file


@SEEDED
@given(st.sampled_from(COLUMNS), st.sampled_from(ODD))
def test_any_row_is_read_or_refused_and_no_entry_of_the_ledger_changes_unseen(
    backup: Path, where: tuple[Table, Column[object]], value: object
) -> None:
    table, column = where
    file = tampered(backup, table, column, value)
    if file is None:
        return
    with StateStore.open(str(file)) as store:
        no = [refused(read) for read in readers(store)]
    assert any(no) or table is not LEDGER, (column.name, value)


def test_a_backup_with_a_time_that_is_none_is_refused(backup: Path, tmp_path: Path) -> None:
    table = METADATA.tables["sluice_promotion"]
    file = tampered(backup, table, table.c.created_at, "2026-03-01T12:J0:00")
    assert file is not None
    with pytest.raises(BadInput, match="a row of sluice_promotion is not what was written"):
        copying.restore(file, str(tmp_path / "new.db"), actor="Ada", at=NOW)


@settings(SEEDED, max_examples=8)
@given(st.integers(0, 2**20), st.binary(min_size=1, max_size=40), st.booleans())
def test_any_bytes_are_restored_with_the_same_ledger_or_refused(
    backup: Path, place: int, odd: bytes, cut: bool
) -> None:
    whole = backup.read_bytes()
    at = place % len(whole)
    number = next(_NUMBERS)
    file, new = backup.with_name(f"odd-{number}.db"), backup.with_name(f"new-{number}.db")
    file.write_bytes(whole[:at] if cut else whole[:at] + odd + whole[at + len(odd) :])
    if not refused(lambda: copying.restore(file, str(new), actor="Ada", at=NOW)):
        with StateStore.open(str(new)) as now, StateStore.open(str(backup)) as then:
            assert now.entries()[:-1] == then.entries()
