"""A Prefect server and a worker as processes of their own, to be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

_STEP = 0.2


def until(found: Callable[[], bool], seconds: float, what: str) -> None:
    """Look again and again until it is so. Raises TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    never = threading.Event()
    while not found():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        never.wait(_STEP)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a server keeps its database and answers; both stay the same when it is started again."""

    home: Path
    port: int

    @classmethod
    def at(cls, home: Path) -> Site:
        """Take a free port of this machine."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return cls(home, free.getsockname()[1])

    @property
    def url(self) -> str:
        """The API's URL."""
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of its processes."""
        ours = {
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": self.url,
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }
        return {**os.environ, **ours}

    @contextmanager
    def server(self) -> Generator[None]:
        """Run the server while the block runs; it is killed then."""
        with self._run("server", "start", "--host", "127.0.0.1", "--port", str(self.port)):
            until(self._answers, 120, "the server answers")
            yield

    @contextmanager
    def worker(self, pool: str) -> Generator[None]:
        """Run a worker of a pool while the block runs; it is killed then, with all it started."""
        with self._run("worker", "start", "--pool", pool, "--type", "process"):
            yield

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    @contextmanager
    def _run(self, *words: str) -> Generator[None]:
        with (self.home / "processes.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "prefect", *words],
                env=dict(self.environ), stdout=log, stderr=log, start_new_session=True, cwd=self.home,
            )  # fmt: skip
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
