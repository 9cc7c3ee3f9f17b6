"""Server, worker and Prefect deployments of one project on one machine: started in order, kept up, ended in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_sluice import config
from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.local_server import prefect_server
from prefect_sluice.local_server.report_pages import Pages
from prefect_sluice.local_server.supervisor import ChildDied, Family
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Workspace

if TYPE_CHECKING:  # Prefect is imported while the server starts
    from prefect_sluice.deployments.applying import Applied
    from prefect_sluice.planning.choices import FormChoices

Tell = Callable[[str], None]

REPORTS = "reports"
REPORTS_URL = "SLUICE_REPORTS_URL"
"""Where the flows' links to HTML reports lead: the address under which the folder of reports is served."""
_SERVER, _WORKER = "server", "worker"
_PATIENCE = timedelta(minutes=3)
_STEP = 0.2
_LOOK = 3.0
"""Seconds from one look whether what the forms offer has changed to the next."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The options of `sluice up`. `api` is the server's address; `server` whether it is ours to run, on `port`.

    `notify` is the notification block that hears of failed and late runs ("": that of sluice.yml). `actor` is who uses this
    machine, as far as nobody else reaches the server ("": others do).
    """

    api: str
    port: int
    pool: str
    server: bool = True
    worker: bool = True
    notify: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """The running server and worker. `ui` is the page with the forms, in the UI in which everything works; `reports` is
    "" where no worker of ours makes any; `notes` say what else was made or found."""

    api: str
    ui: str
    reports: str
    applied: tuple[Applied, ...]
    choices: FormChoices
    notes: tuple[str, ...] = ()


def home(workspace: Workspace) -> Path:
    """Return the folder of the project's own Prefect server: its database, its profiles."""
    return workspace.folder / "prefect"


class Up:
    """One `sluice up`. `stop` set from outside ends every wait in here."""

    def __init__(
        self,
        workspace: Workspace,
        wish: UpOptions,
        environ: Mapping[str, str],
        *,
        tell: Tell,
        stop: threading.Event,
    ) -> None:
        """Take the project's folder, and end what a killed one left there. Raises Refused when another is up."""
        self._workspace, self._wish, self._tell, self._stop = workspace, wish, tell, stop
        self._environ = dict(environ)
        self.family = Family(workspace.folder / "up", tell)
        self._pages: Pages | None = None
        self._applied: tuple[Applied, ...] = ()
        self._choices: FormChoices | None = None
        self._seen: object = None
        self._looked = 0.0

    def start(self) -> Running | None:
        """Start everything and return what is up; None when it was stopped meanwhile. Raises SluiceError."""
        if self._wish.server:
            self._serve()
        if not self._until(lambda: prefect_server.answers(self._wish.api), _SERVER):
            return None
        from prefect_sluice.deployments import applying
        from prefect_sluice.deployments.after import after_apply
        from prefect_sluice.deployments.offers import offered
        from prefect_sluice.local_server import cut_off_runs

        notes: tuple[str, ...] = ()
        if self._wish.worker:
            applying.ensure_pool(self._wish.pool)
            if self._wish.server:
                notes = tuple(
                    f"was cut off when it ended last time: {name}"
                    for name in cut_off_runs.close_cut_runs(self._wish.pool, self._workspace)
                )
            self._work()
        self._tell("making the Prefect deployments")
        self._remember()
        self._choices = offered(self._workspace, self._wish.actor)
        self._applied = applying.apply(
            self._workspace, self._choices, pool=self._wish.pool, command=self._command
        )
        notes = (*notes, *after_apply(self._workspace, self._wish.notify))
        if self._wish.worker and not self._until(self._worker_is_online, _WORKER):
            return None
        from prefect_sluice.orchestration.shown.links import deployments_url

        ui = deployments_url()
        self.family.note(ui=ui, api=self._wish.api)
        url = self._pages.url if self._pages else ""
        return Running(self._wish.api, ui, url, self._applied, self._choices, notes)

    def step(self) -> None:
        """Start again what ended, and renew the forms if what they offer changed. To be called again and again."""
        if _WORKER in self.family.watch():
            self._close_cut_runs()  # before the new one, seconds from now, takes up any
        if time.monotonic() - self._looked >= _LOOK:
            self._looked = time.monotonic()
            self._renew()

    def close(self) -> None:
        """End the worker, then the server. Runs that wait for an approval go on when it is up again. Safe to repeat."""
        if self.family.child(_WORKER):  # without it, what answers at the port may be somebody else's server
            self.family.end(_WORKER)
            self._close_cut_runs()
        self.family.close()
        if self._pages:
            self._pages.close()

    def _close_cut_runs(self) -> None:
        """Say of the runs that ended with the worker that they did; where that cannot be done, the next start does it."""
        if self._wish.server and self._wish.worker and prefect_server.answers(self._wish.api):
            from prefect_sluice.local_server.cut_off_runs import close_cut_runs

            with suppress(Exception):
                close_cut_runs(self._wish.pool, self._workspace)

    def _serve(self) -> None:
        prefect_server.check_free(self._wish.port)
        self._tell("starting the Prefect server, which takes 15 to 30 seconds")
        self.family.start(_SERVER, prefect_server.server_command(self._wish.port), self._environ)

    def _work(self) -> None:
        self._tell("starting the worker")
        self._pages = _pages(self._workspace.folder / REPORTS, self._wish.port + 1)
        self._started = datetime.now(UTC)
        environ = {**self._environ, REPORTS_URL: self._pages.url}
        process.reports_are_at(self._pages.url)
        self.family.start(_WORKER, prefect_server.worker_command(self._wish.pool, self._name), environ)

    @property
    def _command(self) -> str:
        return prefect_server.run_command() if self._wish.server and self._wish.worker else ""

    @property
    def _name(self) -> str:
        return f"sluice up in {self._workspace.root.name}"

    def _worker_is_online(self) -> bool:
        from prefect_sluice.deployments.applying import worker_is_online

        return worker_is_online(self._wish.pool, self._name, since=self._started)

    def _until(self, holds: Callable[[], bool], name: str) -> bool:
        """Wait until it holds; False when we are to stop. Raises ChildDied when the child ends, or takes too long."""
        until = time.monotonic() + _PATIENCE.total_seconds()
        while not holds():
            child = self.family.child(name)
            code = child.process.poll() if child and child.process else None
            if child and (code is not None or time.monotonic() > until):
                raise ChildDied(name, str(child.log), self.family.last_line(child))
            if self._stop.wait(_STEP):
                return False
        return not self._stop.is_set()

    def _remember(self) -> bool:
        """Take note of what the forms are made from; say whether it is another than before."""
        from prefect_sluice.deployments.offers import moved

        now = moved(self._workspace)
        same, self._seen = now == self._seen, now
        return not same

    def _renew(self) -> None:
        """Renew the forms; where that cannot be done now (a server that starts again, a file that is held), try next time."""
        import httpx

        from prefect_sluice.deployments import applying
        from prefect_sluice.deployments.after import after_apply
        from prefect_sluice.deployments.offers import offered

        before = self._seen
        try:
            if not self._remember():
                return
            fresh = Workspace(self._workspace.file, config.load(self._workspace.file))
            choices = offered(fresh, self._wish.actor)
            if fresh.settings != self._workspace.settings:
                self._applied = applying.apply(fresh, choices, pool=self._wish.pool, command=self._command)
                after_apply(fresh, self._wish.notify)
                self._tell("sluice.yml changed: the Prefect deployments follow it")
            elif choices != self._choices:
                applying.renew(self._applied, choices)
            self._workspace, self._choices = fresh, choices
        except (SluiceError, OSError, httpx.HTTPError) as error:
            self._seen = before
            self._complain(str(error))
        else:
            self._complained = ""

    _complained = ""
    _started = datetime.min.replace(tzinfo=UTC)

    def _complain(self, why: str) -> None:
        if why != self._complained:
            self._complained = why
            self._tell(f"the forms could not be renewed yet: {why}")


def _pages(folder: Path, port: int) -> Pages:
    """Serve the reports, at a port that stays the same if it can: links to them are kept in the run history."""
    try:
        return Pages(folder, port)
    except OSError:
        return Pages(folder)
