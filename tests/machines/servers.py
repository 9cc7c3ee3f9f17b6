"""Prefect servers and workers as processes of their own, started by a test and ended by it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def free_port() -> int:
    """Return a port of the loopback that nobody listens at now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def wait_until(true: Callable[[], bool], what: str, *, seconds: float = 120) -> None:
    """Return when `true` says so. Raises TimeoutError that names `what`."""
    tick, end = threading.Event(), time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(what)
        tick.wait(0.2)


@contextmanager
def started(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], *, module: str = "prefect"
) -> Generator[subprocess.Popen[bytes]]:
    """Run `python -m MODULE WORDS` in a folder of its own, and end it with all that it started."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{'-'.join(words[:2])}.log"
    own = {
        "HOME": str(folder),
        "PREFECT_HOME": str(folder / "prefect"),
        "SLUICE_HOME": str(folder / "sluice"),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *words],
            cwd=folder, env={**os.environ, **own, **environ}, stdout=out, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    # The group, which is its own; nothing that a test looks at comes after.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def answers(url: str) -> bool:
    """Say whether something is there that answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def serving(folder: Path, database: str, **environ: str) -> Generator[str]:
    """Run a Prefect server on a PostgreSQL; yield its API's URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    given = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database.replace("postgresql:", "postgresql+asyncpg:")}
    words = ["server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with started(words, folder, {**given, **environ}) as process:
        wait_until(lambda: process.poll() is not None or answers(f"{url}/health"), "the server's start")
        assert process.poll() is None, (folder / "server-start.log").read_text()[-3000:]
        yield url
