"""A process whose dbt runs a query of days, and that is then told to stop: prints what it raised, and its threads."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType

from prefect_sluice import pipeline
from prefect_sluice.promotions.request import ReleaseRequest
from tests.repository import repository
from tests.warm import end_with

FILES = {
    ".gitignore": "shop.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, threads: 2}}}\n",
    "sluice.yml": "environments:\n  prod: {approvals: 0, isolation: off}\n",  # dbt in this process
    "models/slow.sql": (
        "{{ config(materialized='table') }}\n"
        "select sum(a.i * b.i) as n from range(30000000) a(i), range(30000000) b(i)\n"
    ),
}


class Stop(BaseException):
    """As Prefect's TerminationSignal."""


def stop(_number: int, _frame: FrameType | None) -> None:
    """Raise in the main thread, wherever it is."""
    raise Stop


def is_busy(thread: threading.Thread) -> bool:
    """Say whether a thread is in the query."""
    frame = sys._current_frames().get(thread.ident or 0)  # pyright: ignore[reportPrivateUsage]  # there is no other way
    return (
        frame is not None and frame.f_code.co_name == "execute" and "slow" in str(frame.f_locals.get("sql"))
    )


def watch() -> None:
    """Send SIGTERM as soon as the query runs."""
    tick = threading.Event()
    while not any(is_busy(thread) for thread in threading.enumerate()):
        tick.wait(0.05)
    tick.wait(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


end_with(os.getppid())
folder = repository(Path(sys.argv[1]), FILES)
signal.signal(signal.SIGTERM, stop)
watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
try:
    pipeline.run(ReleaseRequest(folder, "prod", actor="Ada"))
except BaseException as error:
    watcher.join()
    with suppress(OSError):  # whom it would tell may be gone
        print(type(error).__name__, *(thread.name for thread in threading.enumerate()), flush=True)
os._exit(0)
