"""A check that passed is shown: every name that would serve, in the preview's own schemas."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from prefect_sluice.domain import old_names
from prefect_sluice.domain.errors import BadInput, Refused, SluiceError
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.promotions.candidate_files import candidate_is_whole, contents_of
from prefect_sluice.promotions.request import CheckRequest
from prefect_sluice.promotions.work import Status, Work, tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.stages.preview.publish_preview import ending, leased, publish_preview, save_preview
from prefect_sluice.state.records import Preview
from prefect_sluice.warehouse.base import Publication
from prefect_sluice.workspace.previews import PreviewRule, preview_rule, preview_schema
from prefect_sluice.workspace.workspace import Environment, Workspace

SERVED = "preview.served"


def rule_of(workspace: Workspace, request: CheckRequest) -> PreviewRule | None:
    """Return the preview that a check is to show its outcome in; None where none was asked for. Raises BadInput for a name that
    no pattern of sluice.yml has, or that something else has."""
    if not request.preview:
        return None
    environment = workspace.environment(request.environment)
    rule = preview_rule(workspace.settings.previews, environment.name, request.preview, request.branch)
    taken = {"sluice", workspace.settings.warehouse.store.lower(), *_schemas(workspace)}
    previews = (preview for preview in workspace.store.previews() if preview.name != rule.name)
    other = next((preview for preview in previews if preview_schema(preview.name) == rule.schema), None)
    if rule.name in workspace.environments or rule.schema in taken or other is not None:
        whose = f"preview {other.name}" if other else "an environment, or Sluice itself"
        raise BadInput(
            f"preview {rule.name!r} would stand in schema {rule.schema!r}, which {whose} has",
            "--serve",
            "choose another name",
        )
    return rule


def _schemas(workspace: Workspace) -> Collection[str]:
    return {environment.target.schema.lower() for environment in workspace.environments.values()}


def previewed(work: Work) -> Work:
    """Show what a check let through in the preview that was asked for, and return the work, which says so. Under the lease of
    the environment's checks. Repeatable: what is shown already stays.

    What was not let through is not shown: the preview stays as it is. Where it cannot be shown, the work says why.
    """
    request, outcome = work.request, work.outcome
    if not isinstance(request, CheckRequest) or not request.preview or outcome is None:
        return work
    rule = rule_of(work.workspace, request)
    if rule is None or outcome.status not in {Status.CHECKED, Status.UNCHANGED}:
        return work
    try:
        preview = _show(work, rule, request)
    except SluiceError as error:
        return replace(
            work,
            unseen=str(error),
            outcome=replace(outcome, message=f"{outcome.message}; no preview: {error}"),
        )
    message = f"{outcome.message}; preview {preview.name} shows it in schema {rule.schema}, until {ending(preview.until)}"
    return replace(work, preview=preview, outcome=replace(outcome, message=message))


def _show(work: Work, rule: PreviewRule, request: CheckRequest) -> Preview:
    environment = work.workspace.environment(rule.like)
    with leased(work.workspace, rule.name, request.actor) as (workspace, lease):
        warehouse = workspace.warehouse(environment)
        before = warehouse.generation(rule.name)
        publication = _publication(workspace, environment, work, rule, before, lease)
        recorded = workspace.store.preview(rule.name)
        intent = _preview(work, rule, request, before.number)
        if recorded is None or recorded.ended is not None:
            # First of all: what nobody knows of is never ended.
            save_preview(workspace, intent)
        reach(FaultPoint.PREVIEW_INTENT)
        tell(f"showing it in preview {rule.name}")
        written = publish_preview(workspace, environment, publication, lease)
        reach(FaultPoint.PREVIEW_SHOWN)
        preview = replace(intent, number=written.number)
        facts = {
            "preview": preview.name,
            "like": preview.like,
            "beside": preview.beside,
            "generation": written.number,
            "release": written.release,
            "promotion": written.promotion,
        }
        save_preview(workspace, preview, SERVED, facts, request.actor)
        return preview


def _preview(work: Work, rule: PreviewRule, request: CheckRequest, number: int) -> Preview:
    now, promotion = process.now(), work.promotion
    commit = work.change.commit if work.change else ""
    beside = promotion.base if promotion else (work.plan.base if work.plan else 0)
    made_by = promotion.id if promotion else ""
    return Preview(
        rule.name,
        rule.like,
        request.branch,
        commit,
        made_by,
        request.actor,
        beside,
        number,
        now,
        now + rule.ttl,
    )


def _publication(
    workspace: Workspace,
    environment: Environment,
    work: Work,
    rule: PreviewRule,
    before: Generation,
    lease: Lease,
) -> Publication:
    """Return what is published: the relations that the check built, and a name of the preview's own for each that would serve."""
    default = environment.target.schema

    def renamed(pointers: Sequence[Pointer]) -> tuple[Pointer, ...]:
        dated = old_names.dated(pointers, process.now().date())
        return tuple(replace(pointer, name=rule.public_name(pointer.name, default)) for pointer in dated)

    def generation(release: str, promotion: str, pointers: Sequence[Pointer]) -> Generation:
        number, at = before.number + 1, process.now().replace(microsecond=0)
        shown = renamed(pointers)
        return Generation(rule.name, number, release, promotion, lease.token, Cause.CHECK, number, at, shown)

    promotion = work.promotion
    if promotion is None:
        live = workspace.warehouse(environment).generation(environment.name)
        return Publication(generation(live.release, live.promotion, live.pointers), before.number)
    candidate = workspace.store.candidate(promotion.id)
    if candidate is None or not candidate_is_whole(workspace, promotion):
        raise Refused(f"what check {promotion.id} built is not there any more", "check it again")
    contents = contents_of(workspace, promotion)
    place = workspace.warehouse(environment).place(candidate.path) if candidate.path else None
    shown = generation(promotion.release, promotion.id, contents.pointers)
    return Publication(shown, before.number, place, contents.tables, contents.views, held=contents.held)
