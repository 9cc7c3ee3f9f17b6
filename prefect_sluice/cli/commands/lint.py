"""`sluice lint`: the gate `lint` in the working tree, without dbt."""

from __future__ import annotations

from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@options.environment
@click.option("--all", "everything", is_flag=True, help="Lint every model and snapshot.")
@click.option("--fix", is_flag=True, help="Have sqlfluff mend the files in place first.")
@options.common
def lint(
    paths: tuple[Path, ...], environment: str, everything: bool, fix: bool, folder: Path, console: Console
) -> int:
    """Lint the SQL that you edited, and mend it with --fix.

    PATHS are .sql files, or folders of models. By default what differs from the commit that the environment
    serves.
    """
    from prefect_sluice.cli.progress import progress
    from prefect_sluice.gates.lint.working_tree import chosen, mend
    from prefect_sluice.gates.lint.working_tree import lint as linted
    from prefect_sluice.promotions.lookups import existing_store
    from prefect_sluice.reporting.terminal.linted import document, lint_lines
    from prefect_sluice.stages.candidate.ask_gates import remembering
    from prefect_sluice.workspace.workspace import Workshop

    workshop = Workshop.at(folder)
    picked = chosen(workshop, workshop.place(environment), paths, everything=everything)
    memory = remembering(workshop, "lint") if existing_store(workshop) else None
    with progress(console):
        mended = mend(workshop, picked.files) if fix else ()
        report = linted(workshop, picked.files, memory)
    warns = "lint" in workshop.settings.gates and workshop.settings.gates["lint"].on == "warn"
    code = 0 if report.not_applicable or warns or report.verdict.lets_through else 1
    console.show(lint_lines(picked, report, mended, root=workshop.root, width=console.width))
    console.answer(document(picked, report, mended, code, root=workshop.root))
    return code
