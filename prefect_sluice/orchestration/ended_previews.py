"""Previews that have come to their end, ended by the run that looks after a project each minute."""

from __future__ import annotations

from prefect_sluice.stages.preview.end_previews import end_due
from prefect_sluice.workspace.workspace import Workspace


def end_previews(workspace: Workspace) -> tuple[str, ...]:
    """End the previews whose time is over, and return a line for each. Repeatable."""
    return tuple(
        f"preview {preview.name} has ended: {preview.reason}"
        for preview in end_due(workspace, actor="monitor")
    )
