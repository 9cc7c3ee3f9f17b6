"""A file opened as dbt opens it, and let go of again."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from prefect_sluice.dbt import profile
from prefect_sluice.dbt.implementation import connector
from tests.dbt.conftest import FILES


def test_what_cannot_be_attached_leaves_the_file_open_to_nobody(tmp_path: Path) -> None:
    """In one process DuckDB opens a file only once with one configuration: dbt comes next, with its own."""
    (tmp_path / "profiles.yml").write_text(FILES["profiles.yml"])
    (tmp_path / "dbt_project.yml").write_text(FILES["dbt_project.yml"])
    target = profile.load(tmp_path, {}).target("dev")
    gone = {"attach": [{"path": str(tmp_path / "gone" / "other.duckdb"), "alias": "other"}]}
    opens = connector(
        replace(target, raw={**target.raw, **gone}, settings={**target.settings, **gone}), tmp_path, {}
    )
    assert opens is not None
    file = tmp_path / "shop.duckdb"
    gc.disable()
    try:
        with pytest.raises(duckdb.Error) as caught:
            opens(file, read_only=False, config={"default_order": "desc"})
        with duckdb.connect(str(file), config={"threads": 1}) as connection:
            assert connection.execute("select current_setting('threads')").fetchone() == (1,)
    finally:
        gc.enable()
    assert "other.duckdb" in str(caught.value)
