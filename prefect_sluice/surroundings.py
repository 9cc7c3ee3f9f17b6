"""The process's surroundings: environment variables, user, host, clock. Read here, and handed down as values."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime

QUIET = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
}
"""Nothing phones home; whoever wants telemetry sets the variable to something else beforehand."""


def be_quiet() -> None:
    """Switch off the telemetry of dbt and Prefect in this process and its children. Repeatable."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def environment() -> Mapping[str, str]:
    """Return a copy of the environment variables."""
    return dict(os.environ)


def user() -> str:
    """Return the name of who runs this: SLUICE_ACTOR, or the operating system's user, or "unknown"."""
    try:
        return os.environ.get("SLUICE_ACTOR") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def reports_url() -> str:
    """Return where the pages of reports are served on the web, without a slash at its end: SLUICE_REPORTS_URL, or ""."""
    return os.environ.get("SLUICE_REPORTS_URL", "").rstrip("/")


def host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)
