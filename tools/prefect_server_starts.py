"""Starts the Prefect server of this Python's environment, waits until it is healthy, and stops it.

Exits with 0 if it became healthy in time; otherwise shows the end of its log and exits with 1. Everything
that it writes goes to a temporary folder.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ALLOWED_SECONDS = 180
LOG_LINES = 40


def free_port() -> int:
    """Return a TCP port on the loopback interface that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def is_healthy(url: str) -> bool:
    """Say whether a GET of `url` answers 200 within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_until_healthy(server: subprocess.Popen[bytes], url: str) -> bool:
    """Return True as soon as `url` answers, False when the server ended or the time is over."""
    end = time.monotonic() + ALLOWED_SECONDS
    while time.monotonic() < end:
        if is_healthy(url):
            return True
        try:
            server.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            continue
        return False
    return False


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and the processes that it started: asked first, killed after 20 seconds."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, sign)
            server.wait(timeout=20)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def surroundings(home: Path, port: int) -> dict[str, str]:
    """Return the environment for a server that shares nothing with the user's own Prefect."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | {
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }


def main() -> int:
    """Return 0 if a server starts here, else 1."""
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home, log = Path(folder, "home"), Path(folder, "server.log")
        command = [
            sys.executable,
            "-m",
            "prefect",
            "server",
            "start",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        with log.open("wb") as output:
            server = subprocess.Popen(
                command,
                cwd=folder,
                env=surroundings(home, port),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        began = time.monotonic()
        try:
            healthy = wait_until_healthy(server, f"http://127.0.0.1:{port}/api/health")
        finally:
            stop(server)
        if healthy:
            print(f"a Prefect server was healthy after {time.monotonic() - began:.0f} s")
            return 0
        print("\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:]))
        print(f"no Prefect server was healthy within {ALLOWED_SECONDS} s; the end of its log is above")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
