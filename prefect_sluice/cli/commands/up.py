"""`sluice up`: Prefect for this project on this machine, in one command: server, worker, forms and schedules."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.domain.digests import Json
    from prefect_sluice.local_server.up import Running, Up, UpOptions
    from prefect_sluice.workspace.workspace import Workspace


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65534), default=4200, show_default=True,
    help="Where the server listens, on this machine only. The next one is for the reports.",
)  # fmt: skip
@click.option("--pool", default="sluice", show_default=True, metavar="NAME", help="The work pool.")
@click.option(
    "--notify", default="", metavar="TYPE/NAME",
    help="The Prefect notification block that hears of failed and late runs. Default: notify in sluice.yml.",
)  # fmt: skip
@click.option(
    "--open", "opens", is_flag=True, help="Open the page with the forms in a browser once it is up."
)
@click.option("--no-server", is_flag=True, help="Use the server at PREFECT_API_URL.")
@click.option("--no-worker", is_flag=True, help="Start no worker: others work for the pool.")
@click.option(
    "--only",
    type=click.Choice(["deployments"]),
    help="Only tell the server at PREFECT_API_URL about the Prefect deployments, and end.",
)
@options.common
def up(
    port: int,
    pool: str,
    notify: str,
    opens: bool,
    no_server: bool,
    no_worker: bool,
    only: str | None,
    folder: Path,
    console: Console,
) -> int:
    """Start a Prefect server, a worker and the forms for this project.

    Runs until Ctrl-C, and leaves nothing running. Runs that wait for an approval wait on, and continue when it
    is up again.
    """
    from prefect_sluice.runtime import process
    from prefect_sluice.workspace.workspace import Workspace

    _check_installed()
    workspace = Workspace.at(folder)
    _ = workspace.environments  # what is wrong in there is said before anything is started
    process.disable_telemetry()
    from prefect_sluice.local_server.up import UpOptions

    serves = not (no_server or only)
    api = _api(workspace, port) if serves else _configured_server()
    # Only this machine reaches a server of our own: whoever fills in its forms is whoever started it.
    me = who("", folder) if serves else ""
    wish = UpOptions(api, port, pool, serves, not (no_worker or only), notify, me)
    return _run(workspace, wish, console, stays=not only, opens=opens)


def _check_installed() -> None:
    from prefect_sluice.domain.errors import BadInput

    if find_spec("prefect") is None:
        raise BadInput("Prefect is not installed", fix="pip install 'prefect-sluice[prefect]'")


def _api(workspace: Workspace, port: int) -> str:
    """Return the address of our own server, and set the environment of it, the worker and this process."""
    from prefect_sluice.local_server.prefect_server import api_of, variables
    from prefect_sluice.local_server.up import home

    api = api_of(port)
    os.environ.update(variables(os.environ, home(workspace), api))
    return api


def _configured_server() -> str:
    """Return the address of the server that is there already. Raises BadInput."""
    from prefect_sluice.domain.errors import BadInput
    from prefect_sluice.local_server.prefect_server import answers, configured_api

    api = configured_api()
    if not api:
        raise BadInput(
            "no Prefect server is configured", "PREFECT_API_URL", "set it, or leave --no-server out"
        )
    if not answers(api, timeout=10):
        raise BadInput("no Prefect server answers there", api, "start it, or leave --no-server out")
    return api


def _run(workspace: Workspace, wish: UpOptions, console: Console, *, stays: bool, opens: bool) -> int:
    from prefect_sluice.local_server.up import Up

    stop = threading.Event()
    tell = _Teller(console)
    one = Up(workspace, wish, dict(os.environ), tell=tell, stop=stop)
    _end_on_signals(one, stop)
    try:
        ready = one.start()
        if ready is not None:
            _show(ready, wish, console, stays=stays)
            if opens:
                _open(ready.ui)
            while stays and not stop.wait(0.5):
                one.step()
    finally:
        if stays:
            tell("stopping: the worker, then the server")
        one.close()
    if stays:
        tell("stopped; nothing is left running")
    return 0


def _open(address: str) -> None:
    """Show a page in the browser of whoever is here. One that takes the terminal does not keep us from our work."""
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), name="browser", daemon=True).start()


class _Teller:
    """Shows a line at once; nothing in JSON mode."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, text: str) -> None:
        from prefect_sluice.reporting.styled_text import line

        self._console.show([line(text)])
        sys.stdout.flush()


def _end_on_signals(one: Up, stop: threading.Event) -> None:
    def heard(_number: int, _frame: object) -> None:
        if stop.is_set():
            one.family.kill_now()
        stop.set()

    # Also where the shell had Ctrl-C ignored (a script's `&`): a worker that inherits that can never be ended nicely.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, heard)


def _show(ready: Running, wish: UpOptions, console: Console, *, stays: bool) -> None:
    from prefect_sluice.reporting.styled_text import BLANK, line, strong

    if console.json:
        print(json.dumps(_document(ready, wish), ensure_ascii=False), flush=True)
        return
    width = max(len(one.row.name) for one in ready.applied)
    console.show([
        BLANK,
        line("Sluice is up: " if stays else "Prefect deployments are made: ", strong(ready.ui)),
        *(line(f"  {one.row.name:<{width}}  {_when(one.timing)}") for one in ready.applied),
        *(line(note) for note in ready.notes),
        *([line(f"reports: {ready.reports}")] if ready.reports else []),
        line("in another terminal: ", strong(f"export PREFECT_API_URL={ready.api}")),
        *([line("next: open that address; ⋮ → Custom Run in a row is its form. Ctrl-C stops everything")] if stays else []),
        BLANK,
    ])  # fmt: skip
    sys.stdout.flush()


def _when(timing: object) -> str:
    from prefect_sluice.deployments.catalog import Timing

    if not isinstance(timing, Timing):
        return "by hand"
    return f"at {timing.cron} ({timing.timezone})" if timing.cron else f"each {_interval_text(timing.every)}"


def _interval_text(every: timedelta | None) -> str:
    seconds = round(every.total_seconds()) if every else 0
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds and seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _document(ready: Running, wish: UpOptions) -> Mapping[str, Json]:
    return {
        "ready": True,
        "pid": os.getpid(),
        "ui": ready.ui,
        "api": ready.api,
        "reports": ready.reports,
        "pool": wish.pool,
        "deployments": [f"{one.row.flow_name}/{one.row.name}" for one in ready.applied],
        "notes": list(ready.notes),
    }
