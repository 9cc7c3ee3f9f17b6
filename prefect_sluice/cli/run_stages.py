"""Runs the stages for release, refresh and approve, here or as a Prefect flow, and shows the outcome."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from prefect_sluice.cli.console import Console
from prefect_sluice.cli.progress import progress
from prefect_sluice.promotions.request import Request
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.reporting import json_documents
from prefect_sluice.reporting.terminal.outcome import outcome_lines

if TYPE_CHECKING:
    from prefect_sluice.planning.column_reach import ChangeReach
    from prefect_sluice.reporting.terminal.dashboard import DashboardStory
    from prefect_sluice.workspace.workspace import Workspace

EXIT_CODES = {
    Status.DONE: 0,
    Status.UNCHANGED: 0,
    Status.PARTIAL: 1,
    Status.WAITING: 3,
    Status.REFUSED: 1,
    Status.REJECTED: 1,
    Status.SUPERSEDED: 1,
    Status.EXPIRED: 1,
    Status.CHECKED: 0,
}


def run_and_show(
    request: Request,
    console: Console,
    *,
    wait: timedelta,
    via: str,
    opened: Workspace | None = None,
    then: Callable[[Work, int], None] | None = None,
) -> int:
    """Run all stages of a request, show how it ended, and return the exit code. `opened` is the project where it is open; `then`
    is told of the end, with the exit code."""
    from prefect_sluice.reporting.terminal.dashboard import story_lines
    from prefect_sluice.workspace.policy_in_force import rules_of
    from prefect_sluice.workspace.workspace import Workspace

    # First, because a mistake there should not cost the seconds that dbt and Prefect take to import.
    workspace = opened or Workspace.at(request.folder)
    named_request = replace(request, environment=workspace.environment(request.environment or None).name)
    through = _through_prefect if wants_prefect(via) else _here
    work = through(workspace, named_request, console, wait)
    code = EXIT_CODES[work.outcome.status] if work.outcome else 0
    gates = rules_of(workspace.anew(), work.promotion).gates if work.promotion else workspace.settings.gates
    warns = {gate for gate, policy in gates.items() if policy.on == "warn"}
    story, output = _dashboard_story(work), console.told(code)
    output.show(story_lines(story, width=console.width) if story else [])
    reach = _reach(work)
    output.show(outcome_lines(work, warns=warns, reach=reach, width=console.width))
    if then is not None:
        then(work, code)
    if work.unseen:  # the gates said yes all the same: whoever hears of the check is told so
        code = code or 1
    beside = {"report": story} if story else {}
    beside |= {"column_reach": reach} if reach else {}
    console.answer(
        {**json_documents.work(work, code), **{key: value.document() for key, value in beside.items()}}
    )
    return code


def _reach(work: Work) -> ChangeReach | None:
    """Return what the columns that a check found changed reach. A release does not wait for it: its page has it."""
    from prefect_sluice.reporting.gather_reach import reach_of_work

    return None if work.request.cause.publishes else reach_of_work(work)


def _dashboard_story(work: Work) -> DashboardStory | None:
    """Return what changes for a dashboard's readers, where its promotion was built by this run."""
    from prefect_sluice.reporting.dashboard_story import dashboard_story

    return None if work.resumed else dashboard_story(work)


def wants_prefect(via: str) -> bool:
    """Say whether Prefect is to run the stages: if asked for, or a server is set and nothing else was said."""
    return via == "prefect" or (via == "auto" and bool(os.environ.get("PREFECT_API_URL")))


def _here(workspace: Workspace, request: Request, console: Console, wait: timedelta) -> Work:
    from prefect_sluice import pipeline

    with progress(console):
        return pipeline.run(request, wait=wait, workspace=workspace)


def _through_prefect(_: Workspace, request: Request, console: Console, wait: timedelta) -> Work:
    with progress(console) as shown:
        shown.hear("starting Prefect")
        # The stages, and how they end, are shown here; the server keeps every line of the log.
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        from prefect_sluice.flows import run

        return run(request, wait=wait)
