"""`sluice history`: what was served, when and by whom; and whether the ledger is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.domain.controls import Control
    from prefect_sluice.domain.digests import Json
    from prefect_sluice.reporting.terminal.history import HistoryEvent
    from prefect_sluice.state.store import StateStore
    from prefect_sluice.workspace.workspace import Environment, Workspace


@click.command()
@options.environment
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many lines to show."
)
@options.common
def history(environment: str, limit: int, folder: Path, console: Console) -> int:
    """List the generations of an environment, newest first.

    Attempts that were refused, rejected or superseded stand between them. The last line says whether the
    ledger is whole.
    """
    from prefect_sluice.promotions.lookups import displaced, existing_store
    from prefect_sluice.reporting.terminal.displaced_names import displaced_lines
    from prefect_sluice.reporting.terminal.history import history_lines, ledger_line
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    resolved = workspace.environment(environment)
    store = existing_store(workspace)
    events = _events(workspace, resolved, store)
    entries, problem = _ledger(store)
    taken = displaced(workspace, resolved)
    console.page([
        *displaced_lines(taken, width=console.width),
        *history_lines(events, limit=limit, width=console.width),
        ledger_line(entries, problem),
    ])  # fmt: skip
    console.answer({
        "environment": resolved.name,
        "displaced": [displaced_name.document() for displaced_name in taken],
        "events": [_document(event) for event in events[:limit]],
        "ledger": {"entries": entries, "unbroken": not problem, "problem": problem},
    })  # fmt: skip
    return 1 if problem else 0


def _events(
    workspace: Workspace, environment: Environment, store: StateStore | None
) -> tuple[HistoryEvent, ...]:
    from prefect_sluice.domain.generation import Cause
    from prefect_sluice.reporting.terminal.history import events

    if store is None and not environment.database.exists():
        return ()
    generations = workspace.warehouse(environment).history(environment.name)
    if store is None:
        return events(generations, (), {}, {})
    promotions = store.promotions(environment=environment.name, but=Cause.CHECK)
    ids = {record.release for record in (*generations, *promotions)}
    releases = {release.id: release for release in store.releases() if release.id in ids}
    return events(
        generations,
        promotions,
        releases,
        {approval.promotion: approval.by for approval in store.approvals()},  # the last one of each
        _controls(store, environment, ids),
    )


def _controls(store: StateStore, environment: Environment, releases: set[str]) -> tuple[Control, ...]:
    """Return every hold and freeze there ever was here, and the blocks of releases that came to this environment."""
    from prefect_sluice.domain.controls import ControlKind, on

    everything = store.controls(lifted=True)
    blocks = (
        control for control in everything if control.kind is ControlKind.BLOCK and control.target in releases
    )
    return (*on(everything, environment.name), *blocks)


def _ledger(store: StateStore | None) -> tuple[int, str]:
    """Return how many entries there are, and what is wrong with them."""
    from prefect_sluice.domain import ledger
    from prefect_sluice.domain.errors import LedgerBroken

    if store is None:
        return 0, ""
    try:
        entries = store.entries()
        ledger.verify(entries)
    except LedgerBroken as error:
        return error.number, str(error)
    return len(entries), ""


def _document(event: HistoryEvent) -> Json:
    from prefect_sluice.reporting import json_documents

    return {
        "at": event.at.isoformat(),
        "generation": json_documents.generation(event.generation) if event.generation else None,
        "promotion": json_documents.promotion(event.promotion) if event.promotion else None,
        "release": json_documents.release(event.release) if event.release else None,
        "approver": event.approver,
        "approver_authenticated": event.authenticated if event.approver else None,
        "control": json_documents.control(event.control) if event.control else None,
    }
