"""`sluice check`: a commit through Source, Build, Test and Stage, and nothing published."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.cli.forge_report import ForgeReport
    from prefect_sluice.promotions.work import Work


@click.command()
@click.argument("ref", default="HEAD")
@options.environment
@options.wait_for_checks
@click.option(
    "--report-to",
    type=click.Choice(["github", "gitlab"]),
    default=None,
    help="Tell the forge whose job this is: a status, one comment. Default: nobody.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar="FILE",
    help="Write the report there, as one page.",
)
@click.option(
    "--serve",
    "preview",
    is_flag=False,
    flag_value="*",
    default="",
    metavar="[NAME]",
    help="Show what passed as a preview, under names of its own. Without NAME: the branch's. See sluice previews.",
)
@options.base
@options.of_check
def check(
    ref: str,
    environment: str,
    wait: timedelta,
    report_to: str | None,
    output: Path | None,
    preview: str,
    base: str,
    actor: str,
    via: str,
    folder: Path,
    console: Console,
) -> int:
    """Build and judge a commit as its release would be, and publish nothing.

    REF is a commit, branch or tag; HEAD by default. What changed is built off to the side on the environment's data, and
    every gate is asked. Nobody is asked for a yes, what waits for one goes on waiting, and a hold or freeze does not stop it.
    A release of the same commit afterwards takes what was built here. Exit code 0: every gate said yes.
    """
    from prefect_sluice.cli.run_stages import run_and_show
    from prefect_sluice.promotions.request import CheckRequest

    with ExitStack() as stack:
        teller: ForgeReport | None = None
        if report_to:
            from prefect_sluice.cli.forge_report import base_of_job, told_to

            teller = stack.enter_context(told_to(report_to, folder, ref, environment))
            base = base or base_of_job(teller.forge.job, folder, ref)

        def then(work: Work, code: int) -> None:
            if output is not None:
                _write_page(work, output)
            if teller is not None:
                teller.ended(work, code)

        if output is not None:
            # An older check's is no report of this one, and would lie uncommitted in the checkout.
            output.unlink(missing_ok=True)
        branch = teller.forge.job.branch if teller is not None else ""
        request = CheckRequest(
            folder, environment, ref, actor=who(actor, folder), branch=branch, preview=preview, base=base
        )
        return run_and_show(request, console, wait=wait, via=via, then=then)


def _write_page(work: Work, output: Path) -> None:
    """Write the report of a check; a check that has none, since nothing is new, leaves no file."""
    from prefect_sluice.cli.commands.report import write_file
    from prefect_sluice.reporting.gather_report import of_work
    from prefect_sluice.reporting.report.html import page
    from prefect_sluice.reporting.report.make_report import report

    if work.promotion is not None:
        write_file(output, page(report(of_work(work))))
