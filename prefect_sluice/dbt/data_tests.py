"""Which data tests only dbt can judge, and what the others ask the warehouse."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.data_test import DataTest
from prefect_sluice.dbt.hooks import prepares

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_DBT = frozenset({"dbt", "dbt_duckdb"})
_JUDGES = re.compile(r"(\w+__)?(get_test_sql|get_limit_sql|get_limit_subquery_sql)|materialization_test_\w+")
"""Macros by which dbt makes a verdict of a test's rows."""
_HARMLESS = frozenset(
    [
        "type",
        "path",
        "schema",
        "database",
        "threads",
        "retries",
        "keep_open",
        "disable_transactions",
        "config_options",
    ]
)
"""Keys of a profile that change nothing of what a query answers."""
_HARMLESS_OPTIONS = frozenset(
    [
        "access_mode",
        "allow_unsigned_extensions",
        "autoinstall_known_extensions",
        "autoload_known_extensions",
        "default_block_size",
        "max_memory",
        "memory_limit",
        "preserve_insertion_order",
        "temp_directory",
        "threads",
        "worker_threads",
    ]
)


def only_dbt(manifest: Manifest, profile: Mapping[str, Any]) -> frozenset[str]:
    """Return the unique ids of data tests that have to run inside dbt: what they answer may depend on more than their SQL.

    `profile` is the target's mapping. All of them, where dbt's connection is prepared in a way of its own, or the project
    has its own macros to judge tests by.
    """
    tests = {uid: node for uid, node in manifest.nodes.items() if node.resource_type.value == "test"}
    if _is_prepared(profile) or prepares(manifest) or _judges_itself(manifest):
        return frozenset(tests)
    return frozenset(uid for uid, node in tests.items() if _is_odd(node))


def _is_prepared(profile: Mapping[str, Any]) -> bool:
    """Say whether the profile sets, loads or attaches anything that queries may see."""
    options = cast(Mapping[str, Any], profile.get("config_options") or {})
    said = {key for key, value in profile.items() if value not in (None, "", [], {})}
    return not (said <= _HARMLESS and options.keys() <= _HARMLESS_OPTIONS)


def _judges_itself(manifest: Manifest) -> bool:
    return any(
        macro.package_name not in _DBT and _JUDGES.fullmatch(str(macro.name))
        for macro in manifest.macros.values()
    )


def _is_odd(node: Any) -> bool:
    config = node.config
    stored = config.get("store_failures_as")
    return bool(
        str(config.materialized) != "test"
        or config.get("sql_header")
        or stored not in {None, "table", "view", "ephemeral"}
        or not isinstance(config.limit, int | None)
    )


@contextmanager
def whole_rows(manifest: Manifest, uids: Collection[str]) -> Generator[None]:
    """Have these tests compile as if their rows were stored: `not_null` then gives whole rows, not a column of NULLs."""
    configs: list[Any] = [manifest.nodes[uid].config for uid in uids]
    before = [(config.store_failures, config.store_failures_as) for config in configs]
    for config in configs:
        config.store_failures = True
    try:
        yield
    finally:
        for config, (stored, stored_as) in zip(configs, before, strict=True):
            config.store_failures, config.store_failures_as = stored, stored_as


def data_test(manifest: Manifest, uid: str, sql: str, parents: tuple[str, ...]) -> DataTest:
    """Return a test with its compiled SQL."""
    node: Any = manifest.nodes[uid]
    config = node.config
    return DataTest(
        unique_id=uid,
        sql=sql,
        parents=parents,
        path=str(node.original_file_path),
        severity=str(config.severity).lower(),
        warn_if=str(config.warn_if),
        error_if=str(config.error_if),
        fail_calc=str(config.fail_calc),
        limit=config.limit,
        strict=_warnings_fail(),
    )


def _warnings_fail() -> bool:
    """Say what dbt itself asks of its flags before it lets a test's warning be one; they are those of the last command."""
    from dbt.flags import get_flags

    flags = cast(Any, get_flags())
    options = getattr(flags, "WARN_ERROR_OPTIONS", None)
    return bool(
        getattr(flags, "WARN_ERROR", False) or (options is not None and options.includes("LogTestResult"))
    )
