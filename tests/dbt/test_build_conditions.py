"""What a project is built under: its packages, and what a target says."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_sluice.dbt import profile
from prefect_sluice.dbt.build_conditions import packages, target
from tests.dbt.conftest import Shop


@pytest.mark.slow
def test_packages_by_version(shop: Shop) -> None:
    assert packages(shop.folder) == {}
    shop.write("dbt_packages/utils/dbt_project.yml", "name: utils\nversion: 1.3.0\n")
    shop.write("dbt_packages/bare/dbt_project.yml", "name: bare\n")
    assert packages(shop.folder) == {"utils": "1.3.0", "bare": "no version"}


def test_what_a_target_says_of_rows() -> None:
    said: dict[str, Any] = {
        "type": "duckdb", "path": "x.duckdb", "threads": 4, "schema": "main", "token": "canary",
        "settings": {"TimeZone": "UTC", "memory_limit": "1GB", "s3_secret_access_key": "canary"},
        "config_options": {"default_order": "desc", "threads": 2},
        "extensions": ["httpfs", {"name": "h3", "repo": "community"}],
        "attach": [{"path": "/x/ref.duckdb", "read_only": True}, {"path": "y", "alias": "z", "type": "sqlite"}],
        "plugins": [{"module": "excel", "config": {"password": "canary"}}],
    }  # fmt: skip
    settings, extensions = target(said)
    hidden = {"s3_secret_access_key", "plugins.0.config.password"}
    assert {name: text for name, text in settings.items() if name not in hidden} == {
        "timezone": "UTC",
        "default_order": "desc",
        "attach.ref": "duckdb, read only",
        "attach.z": "sqlite",
        "plugins.0.module": "excel",
    }
    assert hidden <= settings.keys()
    assert "canary" not in str(settings)
    assert extensions == {"httpfs": "asked for", "h3": "asked for, of community"}


@pytest.mark.slow
def test_a_target_that_says_nothing(shop: Shop) -> None:
    assert target(profile.load(shop.folder, {}).target("dev").settings) == ({}, {})
