"""What a run shows in the Prefect UI of the promotion it is at: plan, report, diff, approval, generation, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.generation import Generation
from prefect_sluice.orchestration.shown.links import artifact_key, links_of, made_by_run
from prefect_sluice.orchestration.shown.messages import link_forms as spoken
from prefect_sluice.orchestration.stage_task import Explain
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.reporting.gather_report import dossier
from prefect_sluice.reporting.prefect.approval import approval_page
from prefect_sluice.reporting.prefect.diff import diff_page, has_diff, report_page
from prefect_sluice.reporting.prefect.generation import generation_page
from prefect_sluice.reporting.prefect.links import ArtifactKind, RunLinks, relinked
from prefect_sluice.reporting.prefect.plan import plan_page
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.report.model import ReleaseRecord, Report
from prefect_sluice.reporting.terminal.publishing import publish_text
from prefect_sluice.reporting.write_pages import address_of, renewed
from prefect_sluice.workspace.workspace import Workspace

_DESCRIPTIONS = {
    ArtifactKind.PLAN: "What would be built for {}, what is reused, and why",
    ArtifactKind.REPORT: "What the gates found for {}, and all else that is known",
    ArtifactKind.DIFF: "What readers of {} find changed, and who they are",
    ArtifactKind.APPROVAL: "What a yes for {} is to, and what was said",
    ArtifactKind.GENERATION: "What {} serves, since when, and the way back",
}

_Page = Callable[[Report, RunLinks], str]
_Shown = tuple[UUID, str]
"""An artifact that is there: its id and its text."""


def unless_away(explain: Explain) -> Explain:
    """Have what cannot be shown logged, and stop nothing: the stage is done, and on record, whoever sees it."""

    def show(work: Work) -> None:
        try:
            explain(work)
        except Exception as error:  # the server's, the network's, the page's
            get_run_logger().warning(
                "an artifact of this run could not be made (%s: %s); the same is told by: sluice report",
                type(error).__name__,
                error,
            )

    show.__name__ = explain.__name__
    show.__doc__ = explain.__doc__
    return show


@unless_away
def show_plan(work: Work) -> None:
    """Show what is built, reused, carried over and removed, and why."""
    if work.plan is not None:
        _show(work, {ArtifactKind.PLAN: plan_page})


@unless_away
def show_report(work: Work) -> None:
    """Show the report as of now and the diff, and have the report's page written."""
    if work.promotion is None or not work.reports:
        return
    workspace = work.workspace.anew()
    renewed(workspace, work.promotion)
    _show(work, {ArtifactKind.DIFF: _diff, ArtifactKind.REPORT: report_page})
    page = address_of(workspace, work.promotion.id)
    if page:
        get_run_logger().info("the full report: %s", page)


@unless_away
def show_refusal(work: Work) -> None:
    """Show the report when the findings end the work; otherwise Stage shows it with its own."""
    if work.outcome is not None:
        show_report(work)


@unless_away
def show_approval(work: Work) -> None:
    """Show what is asked for while it waits, and afterwards who said what; nothing where nobody had to."""
    if work.promotion is None:
        return
    waits = work.outcome is not None and work.outcome.status is Status.WAITING
    if waits or work.workspace.anew().store.approvals(work.promotion.id):
        _show(work, {ArtifactKind.APPROVAL: approval_page})


@unless_away
def show_generation(work: Work) -> None:
    """Show what was published, how, and the way back."""
    written = work.generation
    if written is None or work.promotion is None:
        return
    renewed(work.workspace.anew(), work.promotion)
    before = _before(work)
    how = publish_text(work.published) if work.published else ""
    _show(
        work,
        {
            ArtifactKind.GENERATION: lambda shown_report, links: generation_page(
                shown_report, links, written, before, how
            )
        },
    )


def _diff(shown_report: Report, links: RunLinks) -> str:
    return diff_page(shown_report, links) if has_diff(shown_report) else ""


def _before(work: Work) -> Generation | None:
    """Return what served before; None where it is not known, or another process holds the warehouse."""
    if work.promotion is None:
        return None
    workspace = work.workspace.anew()
    environment = workspace.environment(work.promotion.environment)
    with suppress(SluiceError):
        return workspace.warehouse(environment).generation(environment.name, work.promotion.base)
    return None


def _show(work: Work, pages: Mapping[ArtifactKind, _Page]) -> None:
    """Show these pages, each with links to what this run shows already. A page that is empty is left out."""
    workspace = work.workspace.anew()
    shown_report = report(_release_record(workspace, work))
    shown = {kind: (artifact.id, str(artifact.data)) for kind, artifact in made_by_run(work).items()}
    for kind, page in pages.items():
        text = page(shown_report, _links(workspace, work, shown))
        if text:
            shown[kind] = _write_artifact(work, kind, text, shown.get(kind))
    # What was shown before leads to what is shown now.
    links, promotion = _links(workspace, work, shown), work.promotion.id if work.promotion else ""
    for kind, old in shown.items():
        _write_artifact(work, kind, relinked(old[1], links, promotion, kind), old)


def _links(workspace: Workspace, work: Work, shown: Mapping[ArtifactKind, _Shown]) -> RunLinks:
    return links_of(workspace, work, {kind: identifier for kind, (identifier, _) in shown.items()})


def _release_record(workspace: Workspace, work: Work) -> ReleaseRecord:
    if work.promotion is None:  # there is nothing to do, and the plan says so
        return ReleaseRecord(work.release, plan=work.plan)
    # As recorded by now: a stage that ended the work may have moved it on.
    return dossier(workspace, workspace.store.promotion(work.promotion.id) or work.promotion)


def _write_artifact(work: Work, kind: ArtifactKind, markdown: str, old: _Shown | None) -> _Shown:
    """Make the artifact, or write it anew where this run has it: one run is one version in a key's history."""
    environment = work.promotion.environment if work.promotion else work.request.environment
    description = _DESCRIPTIONS[kind].format(environment)
    markdown = spoken(markdown)
    if old is None:
        name = artifact_key(work, kind)
        made = cast(Any, create_markdown_artifact)(key=name, markdown=markdown, description=description)
        return cast(UUID, made), markdown
    identifier, before = old
    if before != markdown:
        with get_client(sync_client=True) as client:
            client.update_artifact(identifier, ArtifactUpdate(data=markdown, description=description))
    return identifier, markdown
