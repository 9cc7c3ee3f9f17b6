"""The end of previews: by hand, by time, and with their branch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from prefect_sluice.domain.errors import BadInput, SluiceError
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.promotions.lookups import existing_store
from prefect_sluice.promotions.work import tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.source.branches import existing_branches
from prefect_sluice.stages.preview.publish_preview import ending, leased, publish_preview, save_preview
from prefect_sluice.state.records import Preview
from prefect_sluice.warehouse.base import Publication
from prefect_sluice.workspace.workspace import Workspace

if TYPE_CHECKING:
    from prefect_sluice.state.store import StateStore

ENDED = "preview.ended"


@dataclass(frozen=True, slots=True)
class EndedPreview:
    """A preview that has ended: its name, why, and when (UTC). `record` is None once the collector has forgotten it."""

    name: str
    reason: str
    at: datetime
    record: Preview | None = None

    @property
    def line(self) -> str:
        """What to say of it."""
        return f"preview {self.name} has ended: {self.reason}"


def end_preview(workspace: Workspace, name: str, *, actor: str, reason: str = "") -> EndedPreview:
    """Take the names of a preview away, and return it, ended; without a `reason` because `actor` wants it.

    Repeatable: one that has ended stays as it is, and is known even where the collector has forgotten it. What it brought
    is dropped by the collector. Raises BadInput where there never was one, LeaseHeld while a check writes it, WarehouseBusy.
    """
    recorded = _recorded(workspace, name)
    if isinstance(recorded, EndedPreview):
        return recorded
    reason = reason or f"{actor} ended it"
    with leased(workspace, name, actor) as (ours, lease):
        preview = _recorded(ours, name)
        if isinstance(preview, EndedPreview):
            return preview
        environment = ours.environment(preview.like)
        warehouse = ours.warehouse(environment)
        before = warehouse.generation(name) if environment.database.exists() else Generation.nothing(name)
        if before.pointers:
            tell(f"ending preview {name}")
            publish_preview(ours, environment, _nothing(before, lease), lease)
            reach(FaultPoint.PREVIEW_GONE)
        now = process.now()
        done = replace(preview, ended=now, reason=reason)
        facts = {"preview": name, "like": preview.like, "commit": preview.commit, "reason": reason}
        save_preview(ours, done, ENDED, facts, actor)
        return EndedPreview(name, reason, now, done)


def is_unknown(workspace: Workspace, name: str) -> bool:
    """Say whether there never was a preview of that name; an environment's name is not unknown. Changes nothing."""
    return name not in workspace.environments and _look_up(existing_store(workspace), name) is None


def _recorded(workspace: Workspace, name: str) -> Preview | EndedPreview:
    """Return the preview of that name. Raises BadInput where there never was one."""
    store = existing_store(workspace)
    preview = _look_up(store, name)
    if preview is not None:
        return preview
    there = ", ".join(preview.name for preview in store.previews()) if store else ""
    what = (
        f"{name!r} is an environment, and no preview"
        if name in workspace.environments
        else f"there is no preview {name!r} (there are: {there or 'none'})"
    )
    raise BadInput(what, step=NextStep.of("see which there are: ", Command.of("previews")))


def _look_up(store: StateStore | None, name: str) -> Preview | EndedPreview | None:
    """Return a preview; of one that has ended and that the collector has forgotten, what the ledger says."""
    preview = store.preview(name) if store else None
    if preview is not None:
        return EndedPreview(name, preview.reason, preview.ended, preview) if preview.ended else preview
    entry = next(store.entries_back(name, ENDED), None) if store else None
    return EndedPreview(name, str(entry.facts.get("reason", "")), entry.at) if entry else None


def _nothing(before: Generation, lease: Lease) -> Publication:
    schemas = tuple(sorted({pointer.name.schema for pointer in before.pointers}))
    number, at = before.number + 1, process.now().replace(microsecond=0)
    promotion = f"end of {before.promotion}"  # another than what is shown: that would be no change
    empty = replace(
        before, number=number, origin=number, promotion=promotion, token=lease.token, at=at, pointers=()
    )
    return Publication(empty, before.number, leaves=schemas)


def due(workspace: Workspace, branches: Collection[str] | None) -> tuple[tuple[Preview, str], ...]:
    """Return the previews that have come to their end, each with why. `branches` are those that there are in git; None: nobody
    looked. Changes nothing."""
    now = process.now()
    over: list[tuple[Preview, str]] = []
    for preview in workspace.store.previews():
        if preview.until <= now:
            over.append((preview, f"its time was over on {ending(preview.until)}"))
        elif branches is not None and preview.branch and preview.branch not in branches:
            over.append((preview, f"branch {preview.branch} is gone"))
    return tuple(over)


def end_due(workspace: Workspace, *, actor: str, ask_git: bool = False) -> tuple[EndedPreview, ...]:
    """End the previews that have come to their end, and return them; with `ask_git` also those whose branch is gone, from here
    and from the remote. One that a check writes now, or whose warehouse is busy, is left for the next time. Repeatable."""
    gone: list[EndedPreview] = []
    for preview, reason in due(workspace, _branches(workspace) if ask_git else None):
        try:
            gone.append(end_preview(workspace, preview.name, actor=actor, reason=reason))
        except SluiceError as error:
            tell(f"preview {preview.name} could not be ended now: {error}")
    return tuple(gone)


def _branches(workspace: Workspace) -> Collection[str] | None:
    """Return the branches that there are; None where no preview has one, or the remote does not answer."""
    if not any(preview.branch for preview in workspace.store.previews()):
        return None
    try:
        return existing_branches(workspace.repository)
    except SluiceError as error:
        tell(f"whether a preview's branch is gone is not known: {error}")
        return None
