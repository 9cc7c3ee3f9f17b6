"""The process's surroundings: environment variables, user, host, clock. Read here, and handed down as values."""

from __future__ import annotations

import getpass
import os
import socket
import threading
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prefect_sluice.domain.errors import Refused

QUIET = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
}
"""Nothing phones home; whoever wants telemetry sets the variable to something else beforehand."""


def disable_telemetry() -> None:
    """Switch off the telemetry of dbt and Prefect in this process and its children. Repeatable."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def environment() -> Mapping[str, str]:
    """Return a copy of the environment variables, with those that `without_variables` hides at the moment."""
    with _withholding:
        return {**_withheld, **os.environ}


_withholding = threading.RLock()
_withheld: dict[str, str] = {}
_withholders = 0


@contextmanager
def without_variables(is_private: Callable[[str, str], bool]) -> Generator[None]:
    """Have no variable in this process, while the block runs, of which `is_private` says so by its name and value.

    `environment` gives them all the same. Blocks may overlap; the last one that ends puts them back. It keeps them from what
    looks for variables (dbt's `env_var`, a library's defaults), not from code that looks through this process's memory.
    """
    global _withholders  # the environment is one for the process
    with _withholding:
        _withholders += 1
        for name, value in tuple(os.environ.items()):
            if is_private(name, value):
                _withheld[name] = os.environ.pop(name)
    try:
        yield
    finally:
        with _withholding:
            _withholders -= 1
            if not _withholders:
                for name, value in _withheld.items():
                    os.environ.setdefault(name, value)
                _withheld.clear()


def user() -> str:
    """Return the name of who runs this: SLUICE_ACTOR, or the operating system's user, or "unknown"."""
    try:
        return os.environ.get("SLUICE_ACTOR") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def reports_url() -> str:
    """Return where the pages of reports are served on the web, without a slash at its end: SLUICE_REPORTS_URL, or ""."""
    return os.environ.get("SLUICE_REPORTS_URL", "").rstrip("/")


def reports_are_at(url: str) -> None:
    """Have this process, which serves the reports itself, link to them there."""
    os.environ["SLUICE_REPORTS_URL"] = url


def host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def home() -> Path:
    """Return the folder of what Sluice keeps for a user: SLUICE_HOME, or `sluice` in the user's cache folder."""
    given = os.environ.get("SLUICE_HOME")
    caches = os.environ.get("XDG_CACHE_HOME")
    return Path(given) if given else (Path(caches) if caches else Path.home() / ".cache") / "sluice"


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


@contextmanager
def inside(folder: Path) -> Generator[None]:
    """Have the process work in `folder` while the block runs: projects read files by paths relative to themselves."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@dataclass(slots=True)
class _Loan:
    """Variables that this process has for a while: whose they are, what they were before, and for how many runs."""

    name: str
    before: Mapping[str, str | None]
    secrets: frozenset[str]
    users: int = 1


_lending = threading.Lock()
_loans: list[_Loan] = []


@contextmanager
def temporary_variables(
    name: str, variables: Mapping[str, str], secrets: Collection[str] = ()
) -> Generator[None]:
    """Have these environment variables in this process while the block runs; `secrets` are the values never to be shown.

    The environment is one for the whole process. So runs that name the same share it, and one that names something else
    (or nothing) is refused while others are at work, since it would see what is not its own. Raises Refused.
    """
    _begin(name, variables, secrets)
    try:
        yield
    finally:
        _end()


def _begin(name: str, variables: Mapping[str, str], secrets: Collection[str]) -> None:
    with _lending:
        if not _loans:
            _loans.append(_Loan(name, {key: os.environ.get(key) for key in variables}, frozenset(secrets)))
            os.environ.update(variables)
        elif _loans[0].name == name:
            _loans[0].users += 1
        else:
            raise Refused(
                f"another run in this process works with the connections {_loans[0].name!r}, this one names {name!r}",
                "start it in a process of its own, as a worker does",
            )


def _end() -> None:
    with _lending:
        loan = _loans[0]
        loan.users -= 1
        if loan.users:
            return
        for key, value in loan.before.items():
            with _withholding:
                _withheld.pop(key, None)
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
        _loans.clear()


def temporary_secrets() -> frozenset[str]:
    """Return the values that `temporary_variables` was told never to show."""
    with _lending:
        return _loans[0].secrets if _loans else frozenset()
