"""The state of each environment: what it serves, what waits for whom, what is held, with links to where people act. From
the state store: no warehouse is opened for it, so that it can be asked for at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prefect_sluice.approvals.decide import policy_of, ruling
from prefect_sluice.approvals.ended_by_publish import ends_of
from prefect_sluice.domain import ledger
from prefect_sluice.domain.controls import Control, ControlKind, in_force, on
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.planning.choices import report_called, report_line
from prefect_sluice.promotions.control_commands import ALL, END_PREVIEW, ControlAct
from prefect_sluice.promotions.dashboards import recorded
from prefect_sluice.promotions.environment_order import before
from prefect_sluice.reporting.approvers_line import who
from prefect_sluice.reporting.part import titled
from prefect_sluice.reporting.status_page import (
    ControlInForce,
    EnvironmentCard,
    PreviewCard,
    WaitingPromotion,
)
from prefect_sluice.reporting.web_addresses import form_url, way_of
from prefect_sluice.reporting.write_pages import address_of
from prefect_sluice.runtime import process
from prefect_sluice.state.exported import imported_here
from prefect_sluice.state.records import Preview
from prefect_sluice.workspace.previews import preview_schema
from prefect_sluice.workspace.workspace import Workspace

_OPEN = (State.STAGED, State.APPROVED, State.DEPLOYING)
_MOST = 20
_LIFTS = {
    ControlKind.HOLD: ControlAct.UNHOLD,
    ControlKind.FREEZE: ControlAct.UNFREEZE,
    ControlKind.BLOCK: ControlAct.UNBLOCK,
}


def standing(workspace: Workspace) -> tuple[EnvironmentCard, ...]:
    """Return the state of each environment, in their order, and after them the releases that are blocked everywhere.
    Changes nothing."""
    controls = in_force(workspace.store.controls(), process.now())
    serving = ((name, workspace.store.serves(name)) for name in workspace.environments)
    present = {name: now for name, now in serving if now is not None}
    previews = workspace.store.previews()
    stands = tuple(
        replace(
            _stand(workspace, name, present.get(name), controls),
            dashboards=_dashboards(workspace, name, present),
            previews=tuple(_preview(workspace, preview) for preview in previews if preview.like == name),
            copy=copied.line if (copied := imported_here(workspace.store, name)) else "",
        )
        for name in workspace.environments
    )
    shown_ids = {stop.id for stand in stands for stop in stand.stops}
    rest = tuple(_stop(workspace, control) for control in controls if control.id not in shown_ids)
    return (*stands, EnvironmentCard("", stops=rest)) if rest else stands


def _stand(
    workspace: Workspace, name: str, now: ledger.ServedNow | None, controls: tuple[Control, ...]
) -> EnvironmentCard:
    store = workspace.store
    release = store.release(now["release"]) if now else None
    promotion = store.promotion(now["promotion"]) if now else None
    waiting = store.promotions(environment=name, states=_OPEN)
    links = (
        ("release", form_url(workspace, "release", environment=name)),
        ("refresh", form_url(workspace, "nightly-refresh", environment=name)),
        ("plan", form_url(workspace, "plan", environment=name)),
        ("roll back", form_url(workspace, "rollback", environment=name)),
        ("hold", form_url(workspace, "controls", act=ControlAct.HOLD.value, environment=name)),
    )
    return EnvironmentCard(
        name,
        now["generation"] if now else 0,
        titled(release, name).removesuffix(f" → {name}") if release else "",
        promotion.updated_at if promotion else None,
        address_of(workspace, promotion.id) if promotion else "",
        tuple(_waits(workspace, promotion) for promotion in waiting),
        tuple(_stop(workspace, control) for control in on(controls, name, now["release"] if now else "")),
        tuple((text, url) for text, url in links if url),
    )


def _dashboards(
    workspace: Workspace, name: str, present: Mapping[str, ledger.ServedNow]
) -> tuple[tuple[str, str], ...]:
    """Return the dashboards of the environment before, while another release serves there, with the form that promotes one."""
    origin = before(workspace.environment(name), workspace.environments)
    former, here = present.get(origin), present.get(name)
    if former is None or here is None or former["release"] == here["release"]:
        return ()
    consumers = recorded(workspace, [origin], former["release"]) or ()
    lines = sorted(report_line(consumer) for consumer in consumers)[:_MOST]
    links = [
        (report_called(line), form_url(workspace, "promote-report", report=line, environment=name))
        for line in lines
    ]
    return tuple(named_link for named_link in links if named_link[1])


def _preview(workspace: Workspace, preview: Preview) -> PreviewCard:
    return PreviewCard(
        preview.name,
        f"{preview.commit[:7]}, {preview.branch}" if preview.branch else preview.commit[:7],
        preview_schema(preview.name) if preview.number else "",
        preview.until,
        address_of(workspace, preview.promotion) if preview.promotion else "",
        form_url(workspace, "controls", act=END_PREVIEW, preview=preview.name),
    )


def _waits(workspace: Workspace, promotion: Promotion) -> WaitingPromotion:
    release, way = workspace.store.release(promotion.release), way_of(workspace, promotion)
    decided = promotion.state is not State.STAGED or ruling(workspace, promotion).by is not None
    return WaitingPromotion(
        promotion.id,
        titled(release, promotion.environment) if release else promotion.release[:7],
        "" if decided else who(policy_of(workspace, promotion)),
        promotion.updated_at,
        way,
        address_of(workspace, promotion.id),
        tuple(str(other) for other in ends_of(workspace, promotion)),
    )


def _stop(workspace: Workspace, control: Control) -> ControlInForce:
    where = (
        {"release": control.target[:12]}
        if control.kind is ControlKind.BLOCK
        else {"environment": control.target or ALL}
    )
    return ControlInForce(
        control.id, control.told, form_url(workspace, "controls", act=_LIFTS[control.kind].value, **where)
    )
