"""A session of DuckDB on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import duckdb

from prefect_sluice.warehouse.base import Engine, quoted
from prefect_sluice.warehouse.duckdb.literals import literal
from prefect_sluice.warehouse.duckdb.opening import CONFIG

_OF_ROWS = (
    "binary_as_string", "calendar", "default_collation", "default_null_order", "default_order",
    "ieee_floating_point_ops", "integer_division", "lambda_syntax", "old_implicit_casting",
    "preserve_insertion_order", "scalar_subquery_error_on_multiple_rows", "timezone",
)  # fmt: skip
"""Settings that change what a query answers; memory, threads and folders do not."""


_UTC = frozenset({"Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "GMT", "Etc/GMT"})
"""Other names of UTC, which containers and laptops go by."""


def engine(settings: Mapping[str, str]) -> Engine:
    """Return its settings and extensions, `settings` applied as far as they are its own. The time zone is the machine's,
    where nobody says otherwise."""
    wanted = ", ".join(f"'{name}'" for name in _OF_ROWS)
    with duckdb.connect(":memory:", config=dict(CONFIG)) as connection:
        for name, value in settings.items():
            with contextlib.suppress(duckdb.Error):  # an extension's, or none: it counts as it is written
                connection.execute(f"set {quoted(name)} = {literal(value)}")
        found = connection.execute(
            f"select lower(name), value from duckdb_settings() where lower(name) in ({wanted})"
        ).fetchall()
        extensions = connection.execute(
            "select extension_name, extension_version from duckdb_extensions() "
            "where installed and install_mode <> 'STATICALLY_LINKED'"
        ).fetchall()
    return Engine(
        {str(name): "UTC" if value in _UTC else str(value) for name, value in found},
        {str(name): f"installed, {version or 'no version'}" for name, version in extensions},
    )
