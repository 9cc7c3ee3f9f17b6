"""Holds, freezes and blocks as people ask for them in a form: by the words of its fields, told in lines."""

from __future__ import annotations

from enum import StrEnum

from prefect_sluice.config.base import parse_end
from prefect_sluice.domain.controls import EVERYWHERE, ControlKind
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.promotions.controls import lift, place
from prefect_sluice.promotions.lookups import releases_of
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Workspace

ALL = "every environment"
"""The line of a form that stands for all environments."""
END_PREVIEW = "end a preview"
"""What the same form does beside them: no control, but as much at once."""


class ControlAct(StrEnum):
    """What is to be done, as a form offers it."""

    HOLD = "hold"
    FREEZE = "freeze"
    BLOCK = "block"
    UNHOLD = "lift the hold"
    UNFREEZE = "lift the freeze"
    UNBLOCK = "lift the block"

    @property
    def kind(self) -> ControlKind:
        """The kind of control that it places or lifts."""
        return _KINDS[self]

    @property
    def lifts(self) -> bool:
        """Say whether it lifts one."""
        return self in {ControlAct.UNHOLD, ControlAct.UNFREEZE, ControlAct.UNBLOCK}


_KINDS = {
    ControlAct.HOLD: ControlKind.HOLD,
    ControlAct.UNHOLD: ControlKind.HOLD,
    ControlAct.FREEZE: ControlKind.FREEZE,
    ControlAct.UNFREEZE: ControlKind.FREEZE,
    ControlAct.BLOCK: ControlKind.BLOCK,
    ControlAct.UNBLOCK: ControlKind.BLOCK,
}


def command(
    workspace: Workspace,
    act: ControlAct,
    *,
    environment: str,
    release: str,
    by: str,
    reason: str,
    until: str = "",
) -> tuple[str, ...]:
    """Place or lift a hold, freeze or block, and return a line for each thing that was done. Repeatable.

    `environment` is a name, ALL or "" (the project's default); `release` the beginning of an id or commit, for a block only;
    `until` when a freeze ends by itself (`12h`, a date). Raises BadInput, and Refused where there is nothing to lift.
    """
    target = _target(workspace, act, environment, release)
    if act.lifts:
        lifted = lift(workspace, target, by=by, reason=reason, kind=act.kind)
        return tuple(f"lifted: {item.kind.value} of {item.named}, {item.origin}" for item in lifted)
    if until and act is not ControlAct.FREEZE:
        raise BadInput(
            f"a {act.kind.value} has no end of its own", "Until", "leave it empty, or choose freeze"
        )
    try:
        end = parse_end(until, process.now()) if until else None
    except ValueError as error:
        raise BadInput(str(error), "Until", "write 12h, 2d or a date: 2026-12-24") from error
    placed = place(workspace, act.kind, target, by=by, reason=reason, until=end)
    return (placed.control.told if placed.fresh else f"{placed.control.told}; it was so already",)


def _target(workspace: Workspace, act: ControlAct, environment: str, release: str) -> str:
    if act.kind is ControlKind.BLOCK:
        return _release(workspace, release)
    if environment == ALL:
        if act.kind is ControlKind.HOLD:
            raise BadInput("a hold is of one environment", "Environment", "choose one, or freeze instead")
        return EVERYWHERE
    held = {item.target for item in workspace.store.controls()}
    return (
        environment
        if environment and environment in held
        else workspace.environment(environment or None).name
    )


def _release(workspace: Workspace, text: str) -> str:
    found = releases_of(workspace.store, text.strip()) if text.strip() else ()
    if len(found) == 1:
        return found[0].id
    if found:
        names = ", ".join(item.id[:12] for item in found)
        raise BadInput(f"{text!r} is more than one release: {names}", "Release", "name one of them")
    told = f"there is no release {text!r}" if text.strip() else "it is not said which release"
    raise BadInput(told, "Release", "give the beginning of its id or commit, as the history shows it")
