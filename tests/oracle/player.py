"""A process that has imported everything, and forks a child for each line of JSON it reads: a run of Sluice, or of plain dbt.

Each child is a process of its own, as each command is: it may die at a fault point, and leaves no state behind.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.generation import Cause
from prefect_sluice.promotions.request import RollbackFollowUp, RollbackRequest, request_for
from prefect_sluice.runtime.faults import VARIABLE
from tests.warm import end_with, warm
from tests.warm_commands import write


def sluice(asked: dict[str, Any]) -> dict[str, Any]:
    """Run one command of ours; say how it ended."""
    os.environ.pop(VARIABLE, None)
    if asked["fault"]:
        os.environ[VARIABLE] = asked["fault"]
    request = request_for(Cause(asked["cause"]), Path(asked["folder"]), "dev", actor="oracle")
    if isinstance(request, RollbackRequest):
        request = replace(request, after=RollbackFollowUp(hold=False))
    try:
        work = pipeline.run(request)
    except SluiceError as error:
        return {"status": "error", "message": f"{type(error).__name__}: {error}"}
    assert work.outcome is not None
    bad = [
        f"{finding.gate}/{finding.check} {finding.subject}: {finding.summary}"
        for report in work.reports
        for finding in report.findings
        if not finding.verdict.lets_through
    ]
    return {"status": work.outcome.status.value, "message": "; ".join((work.outcome.message, *bad))}


def plain(asked: dict[str, Any]) -> dict[str, Any]:
    """Run plain dbt in a folder; say what of it went wrong."""
    os.chdir(asked["folder"])
    os.environ["ORACLE_FILE"] = asked["file"]
    quiet = ("--log-level", "none", "--log-level-file", "none", "--no-print", "--no-write-json")
    answer = dbtRunner().invoke([asked["words"][0], *quiet, *asked["words"][1:]])  # pyright: ignore[reportUnknownMemberType]  # its keywords
    results: Any = getattr(answer.result, "results", None) or ()
    bad = [
        f"{item.node.unique_id} {item.status}: {item.message}" for item in results if item.status not in FINE
    ]
    if answer.exception is not None:
        bad.append(str(answer.exception))
    return {"status": "failed" if bad else "done", "message": "; ".join(bad)}


FINE = ("success", "pass", "warn", "no-op")


def child(line: str, answer: int, parent: int) -> None:
    """Do what a line asks, and write the answer; never returns."""
    end_with(parent)
    try:
        asked = json.loads(line)
        if asked["planted"]:
            import_module("planted").plant(asked["planted"])
        told = sluice(asked) if asked["who"] == "sluice" else plain(asked)
    except BaseException as error:
        told = {"status": "crashed", "message": f"{type(error).__name__}: {error}"}
    with suppress(OSError):  # whom it would tell may be gone
        os.write(answer, json.dumps(told).encode())
    os._exit(0)


def serve() -> None:
    """Answer each line with one line: what the child said, or that it was killed."""
    told, itself = os.fdopen(os.dup(1), "w"), os.getpid()
    os.dup2(2, 1)  # whatever a library prints is not an answer
    for line in sys.stdin:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            child(line, write, itself)
        os.close(write)
        with os.fdopen(read) as stream:
            said = stream.read()
        _, status = os.waitpid(pid, 0)
        killed = json.dumps({"status": "killed", "message": str(os.waitstatus_to_exitcode(status))})
        print(said or killed, file=told, flush=True)


if __name__ == "__main__":
    end_with(os.getppid())
    warm(write)
    serve()
