"""Opening a store: what is made, what is refused, and how long it takes."""

from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import SAWarning

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.state import engine as database
from prefect_sluice.state import migrate
from prefect_sluice.state.engine import StoreBusy
from prefect_sluice.state.store import StateStore
from prefect_sluice.state.tables import BY_PROMOTION, METADATA, VERSION_TABLE

REPOSITORY = Path(__file__).parents[2]


def is_described(_object: object, name: str, *_rest: object) -> bool:
    return name != BY_PROMOTION


def test_the_migrations_make_the_tables_that_the_code_expects(url: str) -> None:
    StateStore.open(url).close()
    engine, _ = database.connect(url)
    opts: dict[str, Any] = {"version_table": VERSION_TABLE, "include_object": is_described}
    with engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # of the index over an expression, which it leaves out
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_the_newest_migration_is_the_one_we_look_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_a_store_of_a_newer_version_is_refused(url: str) -> None:
    StateStore.open(url).close()
    engine, _ = database.connect(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '0999'")
    engine.dispose()
    with pytest.raises(BadInput, match="newer version of Sluice") as caught:
        StateStore.open(url)
    assert "upgrade" in caught.value.fix


@pytest.mark.parametrize(
    "url", ["nonsense://x", "sqlite://", "sqlite:///:memory:", "mysql://me@host/db", "sqlite://a b c://"]
)
def test_what_is_no_url_of_a_store_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="use sqlite"):
        StateStore.open(url)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(BadInput) as caught:
        StateStore.open("mysql://me:secret@host/db")
    assert "secret" not in str(caught.value)


def test_a_server_that_does_not_answer_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="whether the server runs"):
        StateStore.open(f"postgresql://me:secret@/db?host={tmp_path}")


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="folder cannot be made"):
        StateStore.open(f"sqlite:///{tmp_path}/file/state.db")


def test_a_folder_in_the_place_of_the_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be used"):
        StateStore.open(f"sqlite:///{tmp_path}")


def test_a_file_of_something_else_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database at all\n" * 500)
    with pytest.raises(BadInput, match="is damaged") as caught:
        StateStore.open(f"sqlite:///{path}")
    assert str(path) in caught.value.where
    assert "backup" in caught.value.fix


def test_a_file_damaged_in_the_middle_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    StateStore.open(str(path)).close()
    with path.open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xa5" * (path.stat().st_size - 4096))
    with pytest.raises(BadInput, match="is damaged"):
        StateStore.open(str(path)).releases()


def test_sqlite_keeps_what_was_committed_through_a_power_cut(tmp_path: Path) -> None:
    engine, _ = database.connect(str(tmp_path / "state.db"))
    with engine.connect() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    engine.dispose()
    assert settings == ["wal", 2, 30_000]


def test_a_lock_that_lasts_is_store_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)
    with StateStore.open(str(path)) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert store.promotions() == ()  # readers do not wait for writers
        with pytest.raises(StoreBusy) as caught, store.transaction():
            pass
        other.execute("ROLLBACK")
        other.close()
        with store.transaction():
            pass
    assert caught.value.retry
    assert pickle.loads(pickle.dumps(caught.value)).place == store.place


def test_an_up_to_date_store_opens_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    StateStore.open(url).close()
    code = (
        "import sys\n"
        "from prefect_sluice.state.store import StateStore\n"
        f"StateStore.open({url!r}).close()\n"
        "print('alembic' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", code]
    answer = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_closing_twice_is_closing_once(url: str) -> None:
    store = StateStore.open(url)
    store.close()
    store.close()
