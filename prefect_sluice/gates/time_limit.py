"""Time limits of gates: what a gate asks of the warehouse is stopped when its time is over."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

from prefect_sluice.domain.verdict import Finding, GateReport, Verdict, WayPast
from prefect_sluice.warehouse.base import Reader

_AGAIN = 0.02
"""Seconds between two stops: a gate may go on with its next query."""


@contextmanager
def within(limit: timedelta | None, reader: Reader | None) -> Generator[threading.Event]:
    """Stop every query of `reader` from `limit` on, until the block ends. Gives an event that is set when it came to that."""
    over, done = threading.Event(), threading.Event()
    if limit is None:
        yield over
        return

    def watch() -> None:
        if done.wait(limit.total_seconds()):
            return
        over.set()
        while reader is not None and not done.wait(_AGAIN):
            reader.stop()

    watcher = threading.Thread(target=watch, name="gate-timeout", daemon=True)
    watcher.start()
    try:
        yield over
    finally:
        done.set()
        watcher.join()


def too_long(report: GateReport, limit: timedelta) -> GateReport:
    """Return the report of a gate that took longer than `limit`: it could not tell, whatever it found until then."""
    seconds = limit.total_seconds()
    said = f"it took longer than {seconds:g} s"
    fix = f"give it more time: gates.{report.gate}.timeout in sluice.yml"
    bad = tuple(item for item in report.findings if item.verdict is Verdict.FAILED)
    late = Finding(
        report.gate, "timeout", Verdict.ERRORED, said, limit=seconds, fix=fix, way_past=WayPast.NAMED
    )
    return GateReport(report.gate, (late, *bad))
