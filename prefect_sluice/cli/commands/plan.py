"""`sluice plan`: what a release would do, and nothing done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.promotions.request import Request
    from prefect_sluice.reporting.plan_preview import PlanPreview

CHANGES, BREAKS = 4, 5
"""What --exit-code says of a plan that changes something for readers, and of one that may break a consumer."""


@click.command()
@click.argument("ref", default="HEAD")
@options.environment
@click.option(
    "--dirty", is_flag=True, help="Plan for the working tree as it is; only where no approval is needed."
)
@click.option("--adopt", is_flag=True, help="Plan to take over what stands under the project's names.")
@click.option(
    "--why",
    "named",
    multiple=True,
    metavar="NODE",
    help="Say why this node is built or reused; may be repeated.",
)
@options.base
@click.option(
    "--exit-code",
    "tells",
    is_flag=True,
    help="Say it by the exit code: 0 nothing changes for readers, 4 something does, 5 it may break a consumer.",
)
@options.common
def plan(
    ref: str,
    environment: str,
    dirty: bool,
    adopt: bool,
    named: tuple[str, ...],
    base: str,
    tells: bool,
    folder: Path,
    console: Console,
) -> int:
    """Show what a release would build, reuse and remove, and why.

    REF is a commit, branch or tag; HEAD by default. Nothing is built, and a release that is at work is not
    disturbed.
    """
    from prefect_sluice.promotions.request import ReleaseRequest

    request = ReleaseRequest(folder, environment, ref, dirty, adopt, actor=who("", folder))
    return show_planned(request, console, named, tells=tells, base=base)


def exit_code(preview: PlanPreview) -> int:
    """Return what --exit-code says of a plan."""
    if any(consumer.breaking for consumer in preview.reached):
        return BREAKS
    return 0 if preview.plan.changes_nothing else CHANGES


def _show_preview(preview: PlanPreview, console: Console) -> None:
    from prefect_sluice.reporting.styled_text import BLANK, line, strong
    from prefect_sluice.reporting.terminal.dashboard import story_lines
    from prefect_sluice.reporting.terminal.plan import plan_lines
    from prefect_sluice.reporting.terminal.policy import policy_lines
    from prefect_sluice.reporting.terminal.publishing import taken_lines

    console.show(
        plan_lines(
            preview.plan,
            preview.release,
            width=console.width,
            expected=preview.expected,
            reached=preview.reached,
            given_up=preview.given_up,
            costs=preview.costs,
            commits=preview.commits,
            base=preview.base,
        )
    )
    console.show([BLANK, *taken_lines(preview.taken, width=console.width), BLANK] if preview.taken else [])
    console.show([line(preview.protection.description)] if preview.protection else [])
    console.show([line(f"rows of {edit.relation} were edited: {edit.words}") for edit in preview.edited])
    policy = policy_lines(preview.policy, width=console.width)
    console.show([line(strong("Policy")), *policy] if policy else [])
    console.show(story_lines(preview.story, width=console.width) if preview.story else [])


def _document(preview: PlanPreview) -> dict[str, Any]:
    from dataclasses import asdict

    from prefect_sluice.reporting import json_documents
    from prefect_sluice.reporting.terminal.check_results import branch_document, check_document
    from prefect_sluice.reporting.terminal.policy import policy_document

    return {
        **json_documents.plan(preview.plan),
        "publish": preview.expected.facts(),
        "displaced": [displaced_name.document() for displaced_name in preview.displaced],
        "expected": preview.costs.document() if preview.costs else None,
        "policy": policy_document(preview.policy),
        "change": json_documents.change(preview.release.change),
        "commits": preview.commits.document() if preview.commits else None,
        **({"against_base": preview.base.document(whole=True)} if preview.base else {}),
        "consumers": [consumer.document() for consumer in preview.reached],
        "given_up": [consumer.document() for consumer in preview.given_up],
        "edited": [asdict(edit) for edit in preview.edited],
        **({"report": preview.story.document()} if preview.story else {}),
        **({"taken": asdict(preview.taken)} if preview.taken else {}),
        "ends": [asdict(waiting) for waiting in preview.ends],
        **({"checked": check_document(preview.checked)} if preview.checked else {}),
        **({"branch_checked": branch_document(preview.branch)} if preview.branch else {}),
        **({"isolation": preview.protection.tier} if preview.protection else {}),
    }


def show_planned(
    request: Request,
    console: Console,
    named: tuple[str, ...] = (),
    *,
    tells: bool = False,
    base: str = "",
) -> int:
    """Show the plan of a request, or why it is so for the `named` nodes, and do nothing. With `tells` the exit code says what
    the plan changes; with a `base`, what of it is of its branch is told apart."""
    from prefect_sluice.cli.progress import progress
    from prefect_sluice.reporting.plan_preview import planned
    from prefect_sluice.reporting.styled_text import faint, line
    from prefect_sluice.reporting.terminal.check_results import branch_line, checked_line
    from prefect_sluice.reporting.terminal.displaced_names import displaced_lines
    from prefect_sluice.reporting.terminal.explain import why_lines
    from prefect_sluice.reporting.terminal.plan import headline
    from prefect_sluice.runtime import process

    with progress(console):
        preview = planned(request, named, base=base)
    console.show(displaced_lines(preview.displaced, width=console.width))
    if named:
        reasons = [row for reason in preview.reasons for row in why_lines(reason)]
        console.show([headline(preview.plan), *reasons])
    else:
        _show_preview(preview, console)
    if preview.checked is not None:
        console.show([checked_line(preview.checked, process.now())])
    if preview.branch is not None:
        console.show([branch_line(preview.branch, process.now())])
    console.show([line(faint("ends when it is published: "), str(waiting)) for waiting in preview.ends])
    why = {"why": [reason.document() for reason in preview.reasons]} if named else {}
    console.answer({**_document(preview), **why})
    return exit_code(preview) if tells else 0
