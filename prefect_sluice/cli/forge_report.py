"""A check told to the forge that runs it: a status as it begins and ends, one comment, the job's summary.

What the forge does not take is a line on stderr: it never changes what the check came to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prefect_sluice.cli.failures import error_line
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.untrusted_text import one_line
from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.forges import forge
from prefect_sluice.reporting.forges.base import CommitState, Forge, ForgeFailed, Job, persistently
from prefect_sluice.reporting.forges.comment import comment, marker, short_comment
from prefect_sluice.reporting.gather_report import of_work
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.report.markdown import LIMITS
from prefect_sluice.runtime import process
from prefect_sluice.runtime.redaction import concealed
from prefect_sluice.source import git
from prefect_sluice.source.fork_point import fork_point
from prefect_sluice.state.exported import imported_here


@dataclass
class ForgeReport:
    """One check, told to one forge under one `context`: `sluice/prod` for --env prod, `sluice` where none is named."""

    forge: Forge
    limit: int
    context: str
    shown: set[str] = field(default_factory=set[str])

    def begins(self) -> None:
        """Say that the check runs."""
        self._status(CommitState.RUNNING, "the check runs")

    def ended(self, work: Work, code: int) -> None:
        """Say what it came to."""
        message = work.outcome.message if work.outcome else ""
        url = self.forge.job.url
        if work.promotion is None:
            copy = imported_here(
                work.workspace.store, work.workspace.environment(work.request.environment).name
            )
            whole = f"{message}; this is {copy.line}" if copy else message
            body = short_comment(self.context, "❌ Refused" if code else "✅ Nothing is new", whole, url)
        else:
            made = report(of_work(work))
            body = comment(made, self.context, url, limit=self.limit)
        self._end(CommitState.REFUSED if code else CommitState.PASSED, message, body)

    def failed(self, error: BaseException) -> None:
        """Say that it could not be made."""
        message = concealed(error_line(error)[0])
        body = short_comment(self.context, "❌ The check could not be made", message, self.forge.job.url)
        self._end(CommitState.ERROR, message, body)

    def _end(self, state: CommitState, message: str, body: str) -> None:
        job = self.forge.job
        self._status(state, message)
        if job.change:
            self._try(lambda: self.forge.upsert_comment(job.change, marker(self.context), body))
        if job.summary:
            self._try(lambda: _append(Path(job.summary), body))

    def _status(self, state: CommitState, description: str) -> None:
        job, plain = self.forge.job, concealed(one_line(description))
        self._try(
            lambda: self.forge.set_status(
                job.commit, state, context=self.context, description=plain, target_url=job.url
            )
        )

    def _try(self, act: Callable[[], None]) -> None:
        """Do it, or say once why it could not be done."""
        try:
            persistently(act)
        except (ForgeFailed, OSError) as error:
            line = concealed(error_line(error)[0])
            if line not in self.shown:
                self.shown.add(line)
                print(
                    f"sluice: {line}; the check goes on, and its exit code says what it came to",
                    file=sys.stderr,
                )


def _append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8") as summary:
        summary.write(text)


@contextmanager
def told_to(name: str, folder: Path, ref: str, environment: str) -> Generator[ForgeReport]:
    """Tell a forge that a check of `ref` begins, and why it failed if the block raises; the value is to be told how it `ended`.

    Raises BadInput where no job of that forge runs, and where `ref` is not the commit that the job is for: another one's yes
    is no yes for that.
    """
    teller = ForgeReport(forge(name, process.environment()), LIMITS[name], _context(folder, environment))
    teller.begins()
    try:
        _refuse_another(teller.forge.job, folder, ref)
        yield teller
    except BaseException as error:
        teller.failed(error)
        raise


def base_of_job(job: Job, folder: Path, ref: str) -> str:
    """Return the branch that the change of a forge's job goes to, for `ref` to be looked at beside; "" where there is none.

    Where git cannot tell the two apart, a line on stderr says so, and it is "": nobody asked for it.
    """
    if not job.base:
        return ""
    repository = git.root(folder)
    try:
        fork_point(repository, job.base, git.resolve(repository, ref, "").commit)
    except BadInput as error:
        print(
            f"sluice: the check is not told beside {job.base}: {concealed(error_line(error)[0])}",
            file=sys.stderr,
        )
        return ""
    return job.base


def _context(folder: Path, environment: str) -> str:
    """Return under which name a forge knows this check: two projects of one repository have two."""
    place = folder.resolve().relative_to(git.root(folder).resolve()).as_posix()
    return "/".join(part for part in ("sluice", place if place != "." else "", environment) if part)


def _refuse_another(job: Job, folder: Path, ref: str) -> None:
    commit = git.resolve(git.root(folder), ref, "").commit
    if commit not in job.checkable:
        fix = f"check out that commit, or name it: sluice check {job.commit[:7]}"
        raise BadInput(
            f"{ref!r} is commit {commit[:7]}, and the job is for {job.commit[:7]}", "--report-to", fix
        )
