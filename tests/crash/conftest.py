"""What all crash tests of one process share: the processes that fork, and the state before each way in."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from prefect_sluice.domain.generation import Cause
from tests.crash.watching import Before, Nursery, nursing, twin


@pytest.fixture(scope="session")
def nursery() -> Generator[Nursery]:
    """The process that forks, for the whole session."""
    with nursing() as process:
        yield process


@pytest.fixture(scope="session")
def dormitory(nursery: Nursery) -> Generator[Nursery]:
    """Another one, for the runs that sleep while others go on."""
    with twin(nursery) as process:
        yield process


@pytest.fixture(scope="session")
def released(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose first release serves."""
    folder = tmp_path_factory.mktemp("first") / "shop"
    nursery.scene("make", folder)
    assert nursery.go(folder, Cause.RELEASE) == 0
    return folder


@pytest.fixture(scope="session")
def before(nursery: Nursery, released: Path, tmp_path_factory: pytest.TempPathFactory) -> Before:
    """The state before each way in, for the whole session."""
    return Before(nursery, released, tmp_path_factory.mktemp("before"))
