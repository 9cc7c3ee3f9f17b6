"""Which data tests only dbt can judge, and what the others ask the warehouse."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.dbt.core.hooks import prepares
from prefect_sluice.domain.data_test import DataTest, counts_rows

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_DBT = frozenset({"dbt", "dbt_duckdb"})
_JUDGES = re.compile(r"(\w+__)?(get_test_sql|get_limit_sql|get_limit_subquery_sql)|materialization_test_\w+")
"""Macros by which dbt makes a verdict of a test's rows."""
_STORED = "store_failures"
"""What is in the text of a macro that asks whether a test's rows are stored, by whatever name it asks."""
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
        "extension_directory",
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
    keys = {key for key, value in profile.items() if value not in (None, "", [], {})}
    return not (keys <= _HARMLESS and options.keys() <= _HARMLESS_OPTIONS)


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
def asked_as_dbt_does(manifest: Manifest, *, whole_rows: Collection[str] = ()) -> Generator[None]:
    """Have each data test compile as dbt does without `--store-failures`, which we give, and which a test's macro may ask for.

    dbt's `not_null` then selects whole rows, and not one column; so does it here for those in `whole_rows` (unique ids), but only
    where rows are all that is counted: what a `fail_calc` names has to be there for dbt as well. A test of which the project
    itself says `store_failures` is left alone.
    """
    own = _Macros(manifest)
    changed: list[Any] = []
    for uid, node in manifest.nodes.items():
        config: Any = node.config
        if node.resource_type.value != "test" or config.store_failures is not None or not own.asks(node):
            continue
        whole = counts_rows(str(config.fail_calc)) and own.is_dbts_not_null(node)
        config.store_failures = True if whole and uid in whole_rows else None if whole else False
        changed.append(config)
    try:
        yield
    finally:
        for config in changed:
            config.store_failures = None


class _Macros:
    """What the macros of a project ask for."""

    def __init__(self, manifest: Manifest) -> None:
        self._all = manifest.macros
        self._asks: dict[str, bool] = {}
        self._named: dict[str, list[str]] = {}
        for uid, macro in manifest.macros.items():
            self._named.setdefault(str(macro.name).rpartition("__")[2], []).append(uid)

    def asks(self, node: Any) -> bool:
        """Say whether the SQL of a test may depend on whether its rows are stored."""
        return _STORED in str(node.raw_code) or any(
            self._mentions_store_failures(uid) for uid in node.depends_on.macros
        )

    def is_dbts_not_null(self, node: Any) -> bool:
        """Say whether a test is the `not_null` that comes with dbt."""
        metadata = getattr(node, "test_metadata", None)
        is_one = metadata is not None and (metadata.namespace, metadata.name) == (None, "not_null")
        return is_one and all(self._all[uid].package_name in _DBT for uid in self._named["test_not_null"])

    def _mentions_store_failures(self, uid: str) -> bool:
        if uid not in self._asks:
            self._asks[uid] = False  # it may call itself
            macro = self._all.get(uid)
            if macro is not None:
                # What `adapter.dispatch` chooses from is not all among what dbt says that a macro depends on.
                called = {*macro.depends_on.macros, *self._named.get(str(macro.name), ())} - {uid}
                self._asks[uid] = _STORED in str(macro.macro_sql) or any(
                    map(self._mentions_store_failures, sorted(called))
                )
        return self._asks[uid]


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
