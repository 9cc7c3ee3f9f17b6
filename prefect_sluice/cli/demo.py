"""`make demo`: a year of flights, a release, a change, a mistake, a night, a way back. Real git, dbt, DuckDB and Prefect."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from urllib.error import URLError
from urllib.request import urlopen

from prefect_sluice.cli import main as sluice
from prefect_sluice.runtime import process as surroundings

_PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
_SERVER_SECONDS = 120

_TIGHTER = (
    "models/marts/carrier_punctuality.sql",
    (
        "count(*) filter (where is_on_time) as on_time_flights",
        "count(*) filter (where arrival_delay_minutes < 10) as on_time_flights",
    ),
)
_TIGHTER_SAYS = (
    "Count a flight as on time below 10 minutes",
    "Expect: carrier_punctuality.on_time_* up to 100%",
)
_MISTAKE = (
    "models/marts/routes.sql",
    ("    group by origin, destination\n", "    group by origin, destination, carrier_code\n"),
    ("    counted.mean_air_time_minutes,\n", ""),
)


Ready = Callable[[], None]


class DemoFailed(Exception):
    """A step did not end as the story says."""


def main() -> int:
    """Tell the story; return the exit code. Leaves a folder in the temporary directory, and says where."""
    started = perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="sluice-demo-"))
    project = folder / "nyc_flights"
    _surroundings(folder)
    try:
        with _server(folder) as ready:
            _prepare(project)
            ready()
            _story(project)
    except DemoFailed as error:
        print(f"\ndemo: {error}; see {folder}", file=sys.stderr)
        return 1
    _farewell(folder, project, perf_counter() - started)
    return 0


def _story(project: Path) -> None:
    _act(
        "1. The first release, Source to Monitor, into an empty warehouse. Production asks for one approval."
    )
    _sluice(project, "release", expect=3)
    _sluice(project, "approve", "--as", "Grace Hopper", "--comment", "first release")
    _sluice(project, "release")

    _act(
        "2. A commit tightens what counts as on time, and says so. What is rebuilt, and what changes for readers?"
    )
    _edit(project, *_TIGHTER, message=_TIGHTER_SAYS)
    _sluice(project, "plan")
    _sluice(project, "release", expect=3)
    _sluice(project, "report", "--format", "html", "--output", str(project.with_name("on-time.html")))
    _sluice(project, "approve", "--as", "Grace Hopper", "--comment", "agreed with the airport")
    _sluice(project, "release")

    _act("3. A commit counts routes twice, and drops a column that people read. Three gates stop it.")
    _edit(project, *_MISTAKE, message=("Split routes by carrier",))
    _sluice(project, "release", expect=1)
    _git(project, "revert", "--no-edit", "HEAD")

    _act("4. A night's flights arrive and are refreshed in.")
    _load(project, "2013-02-01")
    _sluice(project, "refresh")

    _act("5. Back to the former release, at once.")
    _sluice(project, "rollback")

    _act("6. What happened.")
    _sluice(project, "history")


def _act(text: str) -> None:
    print(f"\n{text}", flush=True)


def _sluice(project: Path, *arguments: str, expect: int = 0) -> None:
    print(f"\n$ sluice {' '.join(_quoted(argument) for argument in arguments)}", flush=True)
    started = perf_counter()
    code = sluice([*arguments, "-C", str(project)])
    print(f"  ({perf_counter() - started:.1f} s)", flush=True)
    if code != expect:
        raise DemoFailed(f"`sluice {arguments[0]}` ended with {code}, not {expect}")


def _quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument else argument


def _prepare(project: Path) -> None:
    """Make a git repository of the data project, load January, and write its sluice.yml."""
    shutil.copytree(
        _PROJECT, project, ignore=shutil.ignore_patterns("warehouse", "target", "logs", "__pycache__")
    )
    _git(project, "init", "-q", "-b", "main")
    _load(project, "2013-01-31")
    _sluice(project, "init")
    settings = project / "sluice.yml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("default_environment: dev", "default_environment: prod"),
        encoding="utf-8",
    )
    _commit(project, "New York flights, as delivered")


def _load(project: Path, through: str) -> None:
    print(f"\n$ python etl/load.py --through {through}", flush=True)
    done = subprocess.run([sys.executable, "etl/load.py", "--through", through], cwd=project, check=False)
    if done.returncode:
        raise DemoFailed(f"the ETL job ended with {done.returncode}")


def _edit(project: Path, name: str, *edits: tuple[str, str], message: Sequence[str]) -> None:
    path = project / name
    text = path.read_text(encoding="utf-8")
    for old, new in edits:
        if text.count(old) != 1:
            raise DemoFailed(f"{name} is not what the demo was written for")
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    _commit(project, *message)


def _commit(project: Path, *message: str) -> None:
    options = [word for paragraph in message for word in ("-m", paragraph)]
    _git(project, "add", "-A")
    _git(project, "commit", "-q", *options)
    print(f"\n$ git commit {' '.join(_quoted(word) for word in options)}", flush=True)


def _git(project: Path, *arguments: str) -> None:
    identity = [
        "-c",
        "user.name=Ada Lovelace",
        "-c",
        "user.email=ada@example.org",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "core.hooksPath=",
    ]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=project, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoFailed(f"git {arguments[0]}: {done.stderr.strip()}")


def _surroundings(folder: Path) -> None:
    surroundings.disable_telemetry()
    port = _free_port()
    os.environ.update(
        PREFECT_HOME=str(folder / "prefect"),
        PREFECT_API_URL=f"http://127.0.0.1:{port}/api",
        PREFECT_UI_API_URL=f"http://127.0.0.1:{port}/api",
        PREFECT_SERVER_API_PORT=str(port),
        SLUICE_ACTOR="Ada Lovelace",
    )
    for name in ("NYC_FLIGHTS_WAREHOUSE", "DBT_PROFILES_DIR"):
        os.environ.pop(name, None)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def _server(folder: Path) -> Generator[Ready]:
    """Start a Prefect server of our own, give a function that waits until it answers, and end it by its pid."""
    command = [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        os.environ["PREFECT_SERVER_API_PORT"],
    ]
    with (folder / "prefect-server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            yield lambda: _wait_for(process)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    deadline = perf_counter() + _SERVER_SECONDS
    while process.poll() is None and perf_counter() < deadline:
        try:
            with urlopen(f"{os.environ['PREFECT_API_URL']}/health", timeout=5):
                return
        except (URLError, OSError):
            threading.Event().wait(0.2)
    raise DemoFailed("the Prefect server did not start (prefect-server.log says why)")


def _farewell(folder: Path, project: Path, seconds: float) -> None:
    port, programs = os.environ["PREFECT_SERVER_API_PORT"], Path(sys.executable).parent
    warehouse = project / "warehouse" / "nyc_flights.duckdb"
    print(
        f"\nThat took {seconds:.0f} s. It is all still there:\n\n"
        f"cd {project}\n"
        f"{programs}/sluice status\n"
        f'{sys.executable} -c "import duckdb; '
        f"print(duckdb.connect('{warehouse}', read_only=True).sql('from marts.carrier_punctuality'))\"\n"
        f"PREFECT_HOME={folder}/prefect {programs}/prefect server start --port {port}"
        f"    # then open http://127.0.0.1:{port}/runs\n"
    )


if __name__ == "__main__":
    sys.exit(main())
