"""`sluice show`: everything about a release, a promotion or a generation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console
from prefect_sluice.domain.untrusted_text import number

if TYPE_CHECKING:
    from prefect_sluice.domain.promotion import Promotion
    from prefect_sluice.domain.release import Release
    from prefect_sluice.reporting.report.model import ReleaseRecord
    from prefect_sluice.state.store import StateStore
    from prefect_sluice.workspace.workspace import Workspace


@click.command()
@click.argument("what", metavar="RELEASE|PROMOTION|GENERATION", default="")
@options.environment
@options.common
def show(what: str, environment: str, folder: Path, console: Console) -> int:
    """Show all about a release, a promotion or a generation.

    It is named by the beginning of its id, of its commit, or by a generation's number; by default what serves
    now.
    """
    from prefect_sluice.reporting.report.document import dossier_document
    from prefect_sluice.reporting.report.make_report import report
    from prefect_sluice.reporting.terminal.show import dossier_lines
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    record = _dossier(workspace, environment, what)
    console.page(dossier_lines(report(record), width=console.width))
    console.answer(dossier_document(record))
    return 0


def _dossier(workspace: Workspace, environment: str, what: str) -> ReleaseRecord:
    from prefect_sluice.promotions.lookups import existing_store
    from prefect_sluice.reporting.gather_report import dossier

    release, promotion = find_by_name(workspace, existing_store(workspace), environment, what)
    return dossier(workspace, promotion, release)


def _unknown(what: str) -> Exception:
    from prefect_sluice.domain.errors import BadInput

    if not what:
        return BadInput("nothing was released here yet", fix="release something: sluice release")
    return BadInput(
        f"no release, promotion, commit or generation {what!r}", fix="see which there are: sluice history"
    )


def find_by_name(
    workspace: Workspace, store: StateStore | None, environment: str, what: str
) -> tuple[Release | None, Promotion | None]:
    """Return what the user names; at least one of the two. A number is a generation's if there is such a one. Raises
    BadInput when there is no such thing."""
    release, promotion = _find_by_name(workspace, store, environment, what) if store else (None, None)
    if release is None and promotion is None:
        raise _unknown(what)
    return release, promotion


def _find_by_name(
    workspace: Workspace, store: StateStore, environment: str, what: str
) -> tuple[Release | None, Promotion | None]:
    from prefect_sluice.promotions.lookups import release_of

    if not what or number(what) is not None:
        resolved = workspace.environment(environment)
        history = workspace.warehouse(resolved).history(resolved.name) if resolved.database.exists() else ()
        numbered = [generation for generation in history if not what or generation.number == number(what)]
        if numbered:
            return store.release(numbered[0].release), store.promotion(numbered[0].promotion)
    if not what:
        return None, None
    promotion = store.promotion(what)
    if promotion is not None:
        return None, promotion
    release = release_of(store, what)
    if release is None:
        return None, None
    of_it = [
        promotion
        for promotion in store.promotions(environment=environment or None)
        if promotion.release == release.id
    ]
    return release, of_it[0] if of_it else None
