"""What is said where DuckDB cannot open something: what helps with it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.warehouse.duckdb.errors import translated


def test_an_extension_that_cannot_be_downloaded_is_no_damage_to_the_file(tmp_path: Path) -> None:
    """A profile names it: dbt-duckdb and Sluice install what it names as they open the file."""
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as refused:
        connection.install_extension("no_such_extension", repository_url="http://127.0.0.1:9")
    told = translated(refused.value, tmp_path / "w.duckdb")
    assert isinstance(told, BadInput)
    assert "extension no_such_extension is not installed here" in str(told)
    assert "INSTALL no_such_extension" in str(told)
    assert "the DuckDB version that wrote it" not in str(told)
