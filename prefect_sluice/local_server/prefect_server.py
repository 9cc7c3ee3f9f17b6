"""The Prefect server of one machine: its command, its settings, whether it answers, and who else has its port."""

from __future__ import annotations

import json
import shlex
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from prefect_sluice.domain.errors import Refused
from prefect_sluice.runtime.process import QUIET

HOST = "127.0.0.1"
"""The server knows no persons, so only this machine reaches it."""

_NAMES = frozenset({HOST, "localhost", "[::1]"})


def api_of(port: int) -> str:
    """Return the address of the server's API."""
    return f"http://{HOST}:{port}/api"


def ui_of(api: str) -> str:
    """Return the address of the UI that belongs to an API."""
    return api.removesuffix("/").removesuffix("/api")


def server_command(port: int) -> Sequence[str]:
    """Return the command of the server."""
    return (sys.executable, "-P", "-m", "prefect_sluice.local_server.server_app", str(port))


def run_command() -> str:
    """Return what starts a flow run on this machine, by the interpreter that this is. Without it Prefect's worker starts a
    process before the run's, which looks for code to fetch and packages to install: seconds for each run, and there are none."""
    return shlex.join((sys.executable, "-m", "prefect.engine"))


def is_this_machine(host: str) -> bool:
    """Say whether a request's `Host` is a name of this machine for itself: a name from elsewhere may lead here, too. Pure."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdecimal() else host) in _NAMES


def worker_command(pool: str, name: str) -> Sequence[str]:
    """Return the command of the worker."""
    return (
        sys.executable, "-m", "prefect", "worker", "start",
        "--pool", pool, "--name", name, "--type", "process", "--install-policy", "never",
    )  # fmt: skip


def variables(environ: Mapping[str, str], home: Path, api: str) -> dict[str, str]:
    """Return the environment of everything that `sluice up` starts, and of itself. Pure.

    Prefect's database and profiles are the project's, in `home`, unless PREFECT_HOME says otherwise; a profile of the
    user's that names another server is ignored.
    """
    return {
        **QUIET,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        # Somebody looks at the form that was sent: Prefect's own ten seconds until a run begins are for many machines.
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        # Pages of any origin could start runs here otherwise: the server listens where every browser page can send to.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join((ui_of(api), ui_of(api).replace(HOST, "localhost"))),
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        # Links in notifications and logs lead to the UI in which everything works.
        "PREFECT_UI_URL": f"{ui_of(api)}/v2",
        **environ,
        "PREFECT_API_URL": api,
        "PREFECT_UI_API_URL": api,  # or the UI looks for its server at port 4200
    }


def answers(api: str, *, timeout: float = 2.0) -> bool:
    """Say whether a Prefect server answers there."""
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=timeout) as answer:
            return json.loads(answer.read()) is True
    except (OSError, ValueError, urllib.error.URLError):
        return False


def check_free(port: int) -> None:
    """Raise Refused when somebody listens at the port, with who it is as far as one can tell."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            api = api_of(port)
            if answers(api):
                raise Refused(
                    f"a Prefect server that is not of this project answers at {api}",
                    f"use it (PREFECT_API_URL={api} and --no-server), or take another port: --port {port + 10}",
                ) from error
            raise Refused(
                f"port {port} of {HOST} is taken ({error.strerror})", f"take another: --port {port + 10}"
            ) from error


def configured_api() -> str:
    """Return the address that PREFECT_API_URL or Prefect's active profile names, "" when there is none."""
    from prefect.settings import PREFECT_API_URL

    return str(PREFECT_API_URL.value() or "").rstrip("/")
