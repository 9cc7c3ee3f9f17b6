"""`sluice lint`: the gate `lint` in the working tree, without dbt."""

from __future__ import annotations

from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@options.environment
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Lint every model and snapshot, and tell old findings one by one.",
)
@click.option("--fix", is_flag=True, help="Have sqlfluff mend the files in place first.")
@options.common
def lint(
    paths: tuple[Path, ...], environment: str, everything: bool, fix: bool, folder: Path, console: Console
) -> int:
    """Lint the SQL that you edited, and mend it with --fix.

    PATHS are .sql files, or folders of models. By default what differs from the commit that the environment
    serves. What stands on lines that are as they were there is counted apart, and holds no release.
    """
    from prefect_sluice.cli.progress import progress
    from prefect_sluice.gates.lint.working_tree import chosen, mend
    from prefect_sluice.gates.lint.working_tree import lint as linted
    from prefect_sluice.promotions.lookups import existing_store
    from prefect_sluice.reporting.terminal.linted import document, lint_lines
    from prefect_sluice.stages.candidate.ask_gates import remembering
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    resolved = workspace.environment(environment)
    picked = chosen(workspace, resolved, paths, everything=everything)
    memory = remembering(workspace, "lint") if existing_store(workspace) else None
    with progress(console):
        mended = mend(workspace, picked.files) if fix else ()
        report = linted(workspace, resolved, picked.files, memory, everything=everything)
    warns = "lint" in workspace.settings.gates and workspace.settings.gates["lint"].on == "warn"
    code = 0 if report.not_applicable or warns or report.verdict.lets_through else 1
    console.show(lint_lines(picked, report, mended, root=workspace.root, width=console.width))
    console.answer(document(picked, report, mended, code, root=workspace.root))
    return code
