"""A Prefect server as a team has it: on PostgreSQL."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.postgres import running_postgres


@pytest.fixture(scope="session")
def postgres_server() -> Generator[str]:
    """A PostgreSQL of our own on a Unix socket, thrown away at the end."""
    with running_postgres() as url:
        yield url
