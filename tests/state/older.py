"""State stores as an older version left them: made by its migrations, not by undoing those of now."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from prefect_sluice.state import engine as database
from prefect_sluice.state import migrate


def engine_at(url: str, version: str) -> Engine:
    """Return an engine on a new store whose tables are those of a version."""
    engine, _ = database.connect(url)
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    return engine
