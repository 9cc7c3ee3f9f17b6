"""A process that has imported everything, and forks a child for each line it reads: `folder cause fault` -> `ended STATUS ERROR`.

One that goes to sleep has `asleep PID` written, and its end when somebody woke it.

A release in a process of its own costs seconds of imports; a fork costs nothing, and dies as thoroughly.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import scenario

import prefect_sluice
from prefect_sluice.generation import Cause

HEAVY = (
    "alembic.command",
    "dbt.adapters.duckdb",
    "dbt.cli.main",
    "pandas",
    "pyarrow",
    "sqlglot",
    "sqlparse",
    "tomllib",
)
"""What a release imports on its way: here, so that no child has to."""
for name in HEAVY:
    importlib.import_module(name)
for found in pkgutil.walk_packages(prefect_sluice.__path__, "prefect_sluice."):
    if not found.name.startswith(
        (
            "prefect_sluice.flows",
            "prefect_sluice.tasks",
            "prefect_sluice.cli",
            "prefect_sluice.state.migrations",
        )
    ):
        importlib.import_module(found.name)


def warm() -> None:
    """Have dbt parse the project once: it builds the schemas of its own classes as it first needs them, a second long."""
    from prefect_sluice.dbt.jinja import uses

    runner: Any = importlib.import_module("dbt.cli.main").dbtRunner
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        scenario.write(Path(folder))
        os.chdir(folder)
        found = runner().invoke(["--quiet", "--no-static-parser", "parse", "--profiles-dir", "."])
        os.chdir(before)
    assert found.success, found.exception
    for macro in found.result.macros.values():
        uses(macro.macro_sql)
    assert threading.active_count() == 1, "what forks has no threads"


def child(answer: int, folder: str, cause: str, fault: str) -> None:
    """Do the scenario's part, and write the name of the error that ends it; never returns."""
    try:
        if cause == "collect":
            scenario.collect(Path(folder), fault)
        elif cause == "ask":
            scenario.ask(Path(folder), fault)
        elif cause == "leave":
            scenario.leave(Path(folder), fault)
        else:
            scenario.go(Path(folder), Cause(cause), fault)
    except BaseException as error:
        code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 70
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os.write(answer, type(error).__name__.encode())
        os._exit(code)
    os._exit(0)


warm()
for line in sys.stdin:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(write, *line.rstrip("\n").split("\t"))
    os.close(write)
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):  # asleep, until the test wakes it
        print("asleep", pid, "", flush=True)
        _, status = os.waitpid(pid, 0)
    with os.fdopen(read) as stream:
        print("ended", os.waitstatus_to_exitcode(status), stream.read(), flush=True)
