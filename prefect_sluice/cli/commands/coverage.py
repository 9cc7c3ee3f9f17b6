"""`sluice coverage`: what each model of the working tree has, and the baseline of what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.domain.coverage import Covered
    from prefect_sluice.workspace.workspace import Workspace


@click.command()
@options.environment
@click.option(
    "--write-baseline",
    is_flag=True,
    help="Write down what is missing, to be let pass. What stands there already only becomes less.",
)
@options.common
def coverage(environment: str, write_baseline: bool, folder: Path, console: Console) -> int:
    """Show what each model has: a key test, a contract, descriptions, a unit test.

    Nothing is built, and no warehouse is opened.
    """
    from prefect_sluice.domain.coverage import BASELINE, lacking, read_baseline
    from prefect_sluice.reporting.terminal import coverage_table as page
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    baseline = read_baseline(workspace.project)
    now = _covered(workspace, environment)
    file = workspace.project / BASELINE
    if write_baseline:
        baseline = lacking(now, baseline)
        file.write_text(baseline.text(), encoding="utf-8")
    written = file if write_baseline else None
    console.page(page.lines(now, baseline, written, width=console.width))
    console.answer(page.document(now, baseline, written))
    return 0


def _covered(workspace: Workspace, environment: str) -> Covered:
    from prefect_sluice.dbt import implementation
    from prefect_sluice.dbt.session import Session
    from prefect_sluice.domain.coverage import covered
    from prefect_sluice.gates.catalog import settings_of
    from prefect_sluice.gates.coverage.gate import Settings
    from prefect_sluice.runtime import process

    process.disable_telemetry()
    resolved = workspace.environment(environment)
    # A folder of its own: in the shared one a release may be at work, and it is of another checkout.
    work = f"work/{resolved.name}.tree"
    session = Session(
        resolved.target,
        workspace.project,
        workspace.home,
        workspace.folder / work,
        workspace.warehouse(resolved).side(work),
        workspace.settings.vars,
        workspace.home,
    )
    dbt = implementation.parse(session)
    settings = settings_of("coverage", workspace.settings.gates)
    assert isinstance(settings, Settings)
    return covered(dbt.declared(), dbt.facts.name, settings.key_tests)
