"""`sluice approve` and `sluice reject`: a yes or no to one exact promotion, shown before it is said."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.domain.controls import Control
    from prefect_sluice.domain.promotion import Approval, Promotion
    from prefect_sluice.reporting.styled_text import Line
    from prefect_sluice.workspace.workspace import Workspace

_COMMENT = click.option("--comment", default="", metavar="TEXT", help="Why; kept in the ledger.")


@click.command()
@click.argument("promotion", default="")
@options.actor
@_COMMENT
@click.option("-y", "--yes", is_flag=True, help="Do not ask again, on a terminal.")
@click.option("--deploy", is_flag=True, help="Go on with the release at once.")
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the yes into a file, to be carried where the release waits (sluice.yml: approvals.folder).",
)
@options.common
def approve(
    promotion: str,
    actor: str,
    comment: str,
    yes: bool,
    deploy: bool,
    write: Path | None,
    folder: Path,
    console: Console,
) -> int:
    """Say yes to one exact promotion.

    PROMOTION is the beginning of a promotion's id, or of a release's; by default the only one that waits. The
    yes is for this environment, release, plan and evidence: change any byte and it is void. It counts if the
    environment's policy takes it: see approvers and self_approval in sluice.yml.
    """
    from prefect_sluice.domain.promotion import Decision
    from prefect_sluice.reporting.write_pages import renew_after_answer
    from prefect_sluice.stages.approve import record

    workspace, pending = _find_promotion(folder, promotion)
    console.show(_lines(workspace, pending, console.width))
    if not (yes or console.json) and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm(f"Approve promotion {pending.id}?", abort=True)
    by = who(actor, folder)
    if write is not None:
        return _write(pending, write, by, comment, console)
    given = record(workspace, pending, Decision.APPROVE, by=by, comment=comment)
    renew_after_answer(workspace, pending)
    return _go_on(workspace, pending, by, console) if deploy else _tell(workspace, pending, given, console)


@click.command()
@click.argument("promotion", default="")
@options.actor
@_COMMENT
@options.common
def reject(promotion: str, actor: str, comment: str, folder: Path, console: Console) -> int:
    """Say no to one exact promotion.

    PROMOTION is the beginning of a promotion's id, or of a release's; by default the only one that waits. It needs
    a name and nothing else: a no changes nothing that is served.
    """
    from prefect_sluice.domain.promotion import Decision
    from prefect_sluice.reporting.write_pages import renew_after_answer
    from prefect_sluice.stages.approve import record

    workspace, pending = _find_promotion(folder, promotion)
    given = record(workspace, pending, Decision.REJECT, by=who(actor, folder), comment=comment)
    renew_after_answer(workspace, pending)
    return _tell(workspace, pending, given, console)


def _find_promotion(folder: Path, text: str) -> tuple[Workspace, Promotion]:
    from prefect_sluice.promotions.lookups import existing_store, waiting_promotion
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    return workspace, waiting_promotion(existing_store(workspace), text)


def _lines(workspace: Workspace, promotion: Promotion, width: int) -> list[Line]:
    """Return what exactly is approved: from, to, relations, verdicts, changes."""
    from prefect_sluice.approvals.ended_by_publish import ends_of
    from prefect_sluice.reporting.styled_text import BLANK
    from prefect_sluice.reporting.terminal.findings import (
        DIFF,
        changes_lines,
        findings_lines,
        gates_table,
        notable,
    )
    from prefect_sluice.reporting.terminal.policy import policy_lines
    from prefect_sluice.reporting.terminal.promotion import promotion_lines, section
    from prefect_sluice.workspace.policy_in_force import recorded

    store = workspace.store
    reports = tuple(report for _, report in store.reports(promotion.id))
    built = store.relations(promotion.id)
    names = ", ".join(sorted(relation.node.split(".")[-1] for relation in built))
    release, former = store.release(promotion.release), store.release(promotion.base_release)
    bad = [finding for finding in notable(reports) if finding.gate != DIFF]
    ends = [row for other in ends_of(workspace, promotion) for row in _words(str(other), width)]
    return [
        *promotion_lines(promotion, release, former, width=width),
        *section("Policy", policy_lines(recorded(workspace, promotion), width=width)),
        *section(f"{len(built)} built", _words(names, width)),
        *section("Gates", gates_table(reports, width=width)),
        *section("To look at", findings_lines(bad, width=width)),
        *section("What changes for readers", changes_lines(reports, width=width)),
        *section("Ends when this is published", ends),
        BLANK,
    ]


def _words(text: str, width: int) -> list[Line]:
    from textwrap import wrap

    from prefect_sluice.reporting.styled_text import line

    return [line(part, indent=2) for part in wrap(text, width - 2)]


def _tell(workspace: Workspace, promotion: Promotion, given: Approval, console: Console) -> int:
    from prefect_sluice.domain.promotion import Decision
    from prefect_sluice.reporting import json_documents
    from prefect_sluice.reporting.styled_text import Span, Style, line, strong
    from prefect_sluice.reporting.wording import moment

    said_yes = given.decision is Decision.APPROVE
    head = Span("approved", Style.GOOD) if said_yes else Span("rejected", Style.BAD)
    until = f", good until {moment(given.expires_at)}" if said_yes else ""
    step, progress_lines = _next(workspace, promotion), _woken(workspace, promotion)
    stops = _stops(workspace, promotion) if said_yes else ()
    console.show([
        line(head, f": promotion {promotion.id} by {given.who}{until}"
                   + ("" if progress_lines else "; next: "), strong("" if progress_lines else step)),
        *(line(one) for one in progress_lines),
        *(line(f"it is not published before this is lifted: {stop.told}; lift it: ", strong(stop.lift)) for stop in stops),
    ])  # fmt: skip
    console.answer(
        {
            "approval": json_documents.approval(given),
            "promotion": json_documents.promotion(promotion),
            "next": step,
            "told": list(progress_lines),
            "stopped_by": [json_documents.control(stop) for stop in stops],
            "exit_code": 0,
        }
    )
    return 0


def _stops(workspace: Workspace, promotion: Promotion) -> tuple[Control, ...]:
    """Return all that forbids to publish a promotion now, so that nobody meets one after the other."""
    from prefect_sluice.domain.controls import all_forbidding
    from prefect_sluice.promotions.controls import current

    return all_forbidding(current(workspace), promotion.cause, promotion.environment, promotion.release)


def _woken(workspace: Workspace, promotion: Promotion) -> tuple[str, ...]:
    """Have the Prefect run that waits for this go on, and return what came of it; nothing where none waits.

    The yes is recorded by now: whatever goes wrong here is one line, and costs a minute.
    """
    import os

    if not any(question.promotion == promotion.id for question in workspace.store.questions()):
        return ()
    later = "its run goes on when the flow `monitor` sees it, within a minute"
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return (f"a Prefect run waits for it, and PREFECT_API_URL is not set here: {later}",)
    if not _answers(url):  # before Prefect's import, which takes seconds
        return (f"a Prefect run waits for it, and no Prefect server answers at {url}: {later}",)
    try:
        from prefect_sluice.orchestration.wake_runs import wake

        return wake(workspace.anew()) or ("a Prefect run waits for it, and is on its way",)
    except Exception as error:
        return (f"the Prefect run that waits for it was not told ({type(error).__name__}): {later}",)


def _answers(url: str) -> bool:
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(f"{url}/health", timeout=3):
            return True
    except HTTPError:
        return True  # it answers, if only to say no
    except (OSError, ValueError):
        return False


def _write(promotion: Promotion, path: Path, by: str, comment: str, console: Console) -> int:
    """Write the yes into a file; the policy has its say where that is read."""
    from prefect_sluice.approvals.carried import render_answer_file
    from prefect_sluice.domain.errors import BadInput
    from prefect_sluice.domain.promotion import UNAUTHENTICATED, Decision
    from prefect_sluice.reporting import json_documents
    from prefect_sluice.reporting.styled_text import line

    target = path / f"{promotion.id}.yml" if path.is_dir() else path
    try:
        target.write_text(render_answer_file(promotion, Decision.APPROVE, by, comment), encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"cannot be written ({type(error).__name__})",
            str(target),
            "name a file in a folder that is there",
        ) from error
    console.show(
        [
            line(
                f"written: {target}, a yes of {by} ({UNAUTHENTICATED}) to promotion {promotion.id}; nothing is recorded yet"
            )
        ]
    )
    console.answer({"file": str(target), "promotion": json_documents.promotion(promotion), "exit_code": 0})
    return 0


def _next(workspace: Workspace, promotion: Promotion) -> str:
    from prefect_sluice.reporting.terminal.promotion import going_on

    release = workspace.store.release(promotion.release)
    return going_on(promotion, release.change.commit if release else "HEAD")


def _go_on(workspace: Workspace, promotion: Promotion, by: str, console: Console) -> int:
    """Run the stages again: the ones before Approve find their work done."""
    from prefect_sluice.cli.run_stages import run_and_show
    from prefect_sluice.promotions.request import request_for
    from prefect_sluice.reporting.styled_text import line
    from prefect_sluice.stages.resume import pinned

    plainest = request_for(promotion.cause, workspace.root, promotion.environment, actor=by)
    request = pinned(workspace, plainest, promotion)
    code = run_and_show(request, console, wait=timedelta(0), via="local", opened=workspace.anew())
    console.show([line(one) for one in _woken(workspace, promotion)])
    return code
