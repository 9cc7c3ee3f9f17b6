"""Relative paths of a profile, made absolute where people run dbt; Jinja and URLs are left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_sluice.dbt.profile_paths import at_home, outputs_at

HOME = Path("/home/ann/shop")


@pytest.mark.parametrize(
    ("written", "rendered", "expected"),
    [
        ("ext.duckdb", "ext.duckdb", "/home/ann/shop/ext.duckdb"),
        ("./ext.duckdb", "./ext.duckdb", "/home/ann/shop/ext.duckdb"),
        ("../ext.duckdb", "../ext.duckdb", "/home/ann/shop/../ext.duckdb"),
        ("/srv/ext.duckdb", "/srv/ext.duckdb", "/srv/ext.duckdb"),
        ("~/ext.duckdb", "~/ext.duckdb", "~/ext.duckdb"),
        ("s3://b/ext.duckdb", "s3://b/ext.duckdb", "s3://b/ext.duckdb"),
        (":memory:", ":memory:", ":memory:"),
        ("ducklake:meta.db", "ducklake:meta.db", "ducklake:/home/ann/shop/meta.db"),
        ("ducklake:sqlite:m.db", "ducklake:sqlite:m.db", "ducklake:sqlite:/home/ann/shop/m.db"),
        ("ducklake:postgres:dbname=x", "ducklake:postgres:dbname=x", "ducklake:postgres:dbname=x"),
        ("{{ env_var('E') }}.duckdb", "ext.duckdb", "/home/ann/shop/{{ env_var('E') }}.duckdb"),
        ("{{ env_var('E') }}", "/srv/ext.duckdb", "{{ env_var('E') }}"),
        ("{{ env_var('E') }}", "postgres:dbname=x", "{{ env_var('E') }}"),
    ],
)
def test_the_path_of_an_attached_database(written: str, rendered: str, expected: str) -> None:
    found = at_home({"attach": [{"path": written}]}, {"attach": [{"path": rendered}]}, HOME)
    assert found["attach"] == [{"path": expected}]


def test_folders_of_settings_and_of_a_lake() -> None:
    raw: dict[str, Any] = {
        "path": "w.duckdb",
        "settings": {"TimeZone": "UTC", "temp_directory": "tmp", "threads": 2},
        "config_options": {"extension_directory": "{{ env_var('X') }}"},
        "attach": [{"path": "ducklake:m.db", "options": {"data_path": "files", "encrypted": True}}, "odd"],
    }
    rendered = {**raw, "config_options": {"extension_directory": "ext"}}
    found = at_home(raw, rendered, HOME)
    assert found["settings"] == {"TimeZone": "UTC", "temp_directory": f"{HOME}/tmp", "threads": 2}
    assert found["config_options"] == {"extension_directory": f"{HOME}/{{{{ env_var('X') }}}}"}
    assert found["attach"][0]["options"] == {"data_path": f"{HOME}/files", "encrypted": True}
    assert (found["attach"][1], found["path"]) == ("odd", "w.duckdb")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "/ours/external/."),
        ({"external_root": "out"}, "/ours/external/out"),
        ({"external_root": "/srv/out"}, "/srv/out"),
        ({"external_root": "s3://lake/out"}, "s3://lake/out"),
    ],
)
def test_external_models_write_into_a_folder_of_ours_where_the_profile_names_none(
    settings: dict[str, str], expected: str
) -> None:
    assert outputs_at(settings, settings, Path("/ours/external")) == expected
