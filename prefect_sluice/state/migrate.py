"""Brings the tables of a state store up to what this version of Sluice works with."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.state.engine import READ
from prefect_sluice.state.tables import VERSION_TABLE

HEAD = "0010"
"""The newest migration. Kept here so that a store that is up to date opens without Alembic."""

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 5_783_211  # any number, the same in all processes


def bring_up(engine: Engine, place: str) -> None:
    """Create or upgrade the tables, in one transaction; do nothing when they are up to date. Safe to repeat.

    Several processes may do it at once: one works, the others wait and find it done. Raises BadInput for a
    store that a newer version made.
    """
    with engine.connect().execution_options(**{READ: True}) as connection, connection.begin():
        if _is_current(connection, place):
            return
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if not _is_current(connection, place):
            _upgrade(connection)


def _is_current(connection: Connection, place: str) -> bool:
    if not inspect(connection).has_table(VERSION_TABLE):
        return False
    version = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    if version is not None and str(version) > HEAD:
        what = f"the state store was made by a newer version of Sluice (tables {version}, ours {HEAD})"
        raise BadInput(
            what, where=place, fix="upgrade Sluice: git pull && pip install '.[all]', in its checkout"
        )
    return version == HEAD


def _upgrade(connection: Connection) -> None:
    # Here, not above: Alembic takes longer to import than most commands to run.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
