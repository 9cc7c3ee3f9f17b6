"""The two databases that the contract of the state store runs against."""

from __future__ import annotations

from collections.abc import Generator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from prefect_sluice.state.store import StateStore
from tests.postgres import running_postgres

_SCHEMAS = count()


@pytest.fixture(scope="session")
def postgres_server() -> Generator[str]:
    """A PostgreSQL of our own on a Unix socket, thrown away at the end."""
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/state.db"
    server: str = request.getfixturevalue("postgres_server")
    schema = f"store_{next(_SCHEMAS)}"
    engine = create_engine(server.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine.dispose()
    return f"{server}&options=-csearch_path%3D{schema}"


@pytest.fixture
def store(url: str) -> Generator[StateStore]:
    """An open store with nothing in it."""
    with StateStore.open(url) as store:
        yield store
