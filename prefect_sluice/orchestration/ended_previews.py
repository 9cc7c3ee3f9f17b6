"""The end of previews: by the run that looks after a project each minute, and by hand in a form."""

from __future__ import annotations

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.stages.preview.end_previews import end_due, end_preview
from prefect_sluice.workspace.workspace import Workspace


def end_previews(workspace: Workspace) -> tuple[str, ...]:
    """End the previews whose time is over, and return a line for each. Repeatable."""
    return tuple(preview.line for preview in end_due(workspace, actor="monitor"))


def end_by_hand(workspace: Workspace, name: str, *, by: str, reason: str = "") -> tuple[str, ...]:
    """End the preview that a form names, and return what to say of it. Repeatable. Raises BadInput, LeaseHeld, WarehouseBusy."""
    if not name.strip():
        raise BadInput("it is not said which preview", "Preview", "give its name, as the status shows it")
    return (end_preview(workspace, name.strip(), actor=by, reason=reason).line,)
