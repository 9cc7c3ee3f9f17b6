"""Placing and lifting holds, freezes and blocks, each with its ledger entry; and asking whether one forbids a change."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from prefect_sluice.domain import controls
from prefect_sluice.domain.controls import Control, ControlKind
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import BadInput, Refused, Stopped
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.next_step import NextStep
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Workspace

if TYPE_CHECKING:
    from prefect_sluice.state.store import Transaction


@dataclass(frozen=True, slots=True)
class PlacedControl:
    """A control as it is in force now. `fresh` is False when the very same was in force already: nothing was written."""

    control: Control
    fresh: bool


def place(
    workspace: Workspace,
    kind: ControlKind,
    target: str,
    *,
    by: str,
    reason: str,
    until: datetime | None = None,
) -> PlacedControl:
    """Place a hold or freeze on an environment (EVERYWHERE: all), or block a release by its whole id.

    Repeatable: the same words by the same person are one control. When this returns, no publish that it forbids
    is under way and none will begin. Raises BadInput without a name or a reason.
    """
    _require_name_and_reason(by, reason)
    now = process.now()
    asked = Control(uuid.uuid4().hex[:10], kind, target, by.strip(), reason.strip(), now, until)
    with workspace.store.transaction() as transaction:
        transaction.stand_still()
        there = controls.in_force(transaction.controls(), now)
        same = next((item for item in there if item.says_the_same(asked)), None)
        if same is not None:
            return PlacedControl(same, fresh=False)
        save_control(transaction, asked)
    return PlacedControl(asked, fresh=True)


def save_control(transaction: Transaction, control: Control) -> None:
    """Write a control and its ledger entry."""
    transaction.put_control(control)
    facts = _facts(control, control.reason)
    transaction.append(
        f"{control.kind.value}.placed",
        environment=_environment(control),
        actor=control.by,
        facts=facts,
        at=control.at,
    )


def lift(
    workspace: Workspace, target: str, *, by: str, reason: str, kind: ControlKind | None = None
) -> tuple[Control, ...]:
    """Lift what is in force on exactly this target: an environment, EVERYWHERE, or a release's whole id. `kind` None: all of it.

    Returns what was lifted, oldest first. Raises Refused when nothing is in force there, with what is elsewhere.
    """
    _require_name_and_reason(by, reason)
    now = process.now()
    with workspace.store.transaction() as transaction:
        transaction.stand_still()
        there = controls.in_force(transaction.controls(), now)
        found = [item for item in there if item.target == target and kind in {None, item.kind}]
        if not found:
            raise _nothing(target, there)
        lifted = tuple(
            replace(item, lifted_at=now, lifted_by=by.strip(), lifted_reason=reason.strip()) for item in found
        )
        for item in lifted:
            transaction.put_control(item)
            facts = _facts(item, item.lifted_reason)
            event = f"{item.kind.value}.lifted"
            transaction.append(
                event, environment=_environment(item), actor=item.lifted_by, facts=facts, at=now
            )
    return lifted


def _require_name_and_reason(by: str, reason: str) -> None:
    if not by.strip():
        raise BadInput("it needs a name", fix="say who you are: --as NAME")
    if not reason.strip():
        raise BadInput("it needs a reason", fix="say why: --reason TEXT")


def _nothing(target: str, there: tuple[Control, ...]) -> Refused:
    what = f"nothing stops {target}" if target else "no freeze stops every environment"
    if not there:
        return Refused(f"{what}, so there is nothing to lift; nothing is held, frozen or blocked at all")
    told = "; ".join(f"{item.told} ({item.lift})" for item in there)
    return Refused(f"{what} by itself, so there is nothing to lift; in force: {told}")


def _facts(control: Control, reason: str) -> dict[str, Json]:
    facts: dict[str, Json] = {"control": control.id, "target": control.target, "reason": reason}
    if control.until is not None:
        facts["until"] = control.until.isoformat()
    if control.promotion:
        facts["promotion"] = control.promotion
    if control.kind is ControlKind.BLOCK:
        facts["release"] = control.target
    return facts


def _environment(control: Control) -> str:
    return "" if control.kind is ControlKind.BLOCK else control.target


def current(workspace: Workspace) -> tuple[Control, ...]:
    """Return the controls in force, oldest first."""
    return controls.in_force(workspace.store.controls(), process.now())


def permit(
    workspace: Workspace, environment: str, cause: Cause, release: str = "", *, past: str = ""
) -> None:
    """Raise Stopped when a control in force forbids to change the environment for this cause, or to serve this release.

    `past` is the rollback whose own hold does not count.
    """
    found = controls.forbidding(current(workspace), cause, environment, release, past=past)
    if found is not None:
        step = NextStep.of("lift it first: ", found.lifted_by_command)
        raise Stopped(found.told, step=step, control=found.id)
