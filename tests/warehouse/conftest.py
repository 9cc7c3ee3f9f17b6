"""Every adapter, for the contract that each has to fulfil."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.warehouse.scenes import ADAPTERS, Scene


@pytest.fixture(params=ADAPTERS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """A warehouse that does not exist yet."""
    return Scene(ADAPTERS[str(request.param)](tmp_path), tmp_path)
