"""What a process imports, and has dbt do once, before it forks a child for each command: no child pays for it again."""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import pkgutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbt_common.tests import enable_test_caching

import prefect_sluice
from prefect_sluice.dbt import implementation
from prefect_sluice.runtime.collector import quieten

_HEAVY = (
    "alembic.command",
    "dbt.adapters.duckdb",
    "dbt.cli.main",
    "pandas",
    "psutil",
    "pyarrow",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sqlglot",
    "sqlparse",
    "tomllib",
)
_NEVER = (
    "prefect_sluice.flows",
    "prefect_sluice.tasks",
    "prefect_sluice.orchestration",
    "prefect_sluice.local_server",
    "prefect_sluice.cli",
    "prefect_sluice.state.migrations",
)
_SILENT = ("--log-level", "none", "--log-level-file", "none", "--no-print")
_PDEATHSIG = 1
"""Linux's PR_SET_PDEATHSIG."""

ROOT = Path(__file__).resolve().parents[1]


def python_path() -> str:
    """Return the PYTHONPATH of a process that imports what this one does, and `tests`."""
    return os.pathsep.join([str(ROOT), *sys.path])


def warm(write: Callable[[Path], object]) -> None:
    """Import all that a release imports on its way, and have dbt build the project that `write` writes into a folder.

    dbt builds the schemas of its own classes as it first needs them, a second long; and it keeps what it made of each
    macro's text, another second. No child looks through what is there already for garbage.
    """
    quieten()
    enable_test_caching()
    for name in _HEAVY:
        importlib.import_module(name)
    for found in pkgutil.walk_packages(prefect_sluice.__path__, "prefect_sluice."):
        if not found.name.startswith(_NEVER):
            importlib.import_module(found.name)
    _use_dbt(write)
    _use_what_gates_and_pages_need()
    implementation.get_ready("preferred")  # what dbt is asked in: one process for all children
    # DuckDB, numpy and Arrow start threads of their own as they are imported; no child uses what these work for.
    assert threading.active_count() == 1, "what forks has no threads"
    gc.collect()
    gc.freeze()


def end_with(parent: int) -> None:
    """Have the kernel kill this process once `parent`, which started it, is gone, whatever it is at, asleep too.

    Who kills pytest with -9 cannot have it tidy up, and a child of a process with threads of its own libraries may hang where no
    handler of a signal is run. Where the kernel has no such thing (it is Linux's) nothing is done.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it went before the kernel knew
            os._exit(1)


def _use_dbt(write: Callable[[Path], object]) -> None:
    """Have dbt parse a project, once more from what it kept of that, and build it."""
    from prefect_sluice.dbt.texts.template_reads import uses

    runner: Any = importlib.import_module("dbt.cli.main").dbtRunner
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        os.chdir(folder)
        found = runner().invoke([*_SILENT, "--no-static-parser", "parse", "--profiles-dir", "."])
        again = runner().invoke([*_SILENT, "parse", "--profiles-dir", "."])
        built = runner().invoke([*_SILENT, "build", "--profiles-dir", "."])
        os.chdir(before)
        let_go()
    for answer in (found, again, built):
        assert answer.exception is None, answer.exception
    for macro in found.result.macros.values():
        uses(macro.macro_sql)


def _use_what_gates_and_pages_need() -> None:
    """Have the report's templates compiled, and SQL and secrets looked at: what these import, they import as they are used."""
    from prefect_sluice.gates.secrets.detector import SecretRules, find_secrets
    from prefect_sluice.reporting.report.html import _templates  # pyright: ignore[reportPrivateUsage]
    from prefect_sluice.sql.tokens import lexemes

    pages = Path(prefect_sluice.__path__[0]) / "reporting" / "report" / "templates"
    for page in pages.glob("*.html"):
        _templates().get_template(page.name)
    assert lexemes("select 1", "duckdb")
    assert not find_secrets({"a.sql": "select 1 as id"}, SecretRules())["a.sql"]


def let_go() -> None:
    """Close what dbt opened: DuckDB's threads end with it."""
    connections: Any = importlib.import_module("dbt.adapters.duckdb.connections")
    connections.DuckDBConnectionManager.close_all_connections()
    gc.collect()
