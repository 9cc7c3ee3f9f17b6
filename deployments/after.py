"""Steps after the Prefect deployments are made: blocks, automations, links to the forms, missed refreshes."""

from __future__ import annotations

from prefect_sluice.deployments import automations
from prefect_sluice.orchestration import blocks
from prefect_sluice.orchestration.missed_refreshes import catch_up
from prefect_sluice.orchestration.run_links import note_forms
from prefect_sluice.reporting.write_pages import index_renewed
from prefect_sluice.workspace.workspace import Workspace


def after_apply(workspace: Workspace, notify: str = "") -> tuple[str, ...]:
    """Make the objects that depend on the Prefect deployments, and return a line for each that people should know of.
    Safe to repeat.

    `notify` is the notification block to tell ("": that of sluice.yml). Raises BadInput when there is no such block.
    """
    blocks.register()
    schedules, folder = workspace.settings.schedules, str(workspace.root)
    named = notify or workspace.settings.notify
    branch = schedules.release.branch if schedules.release else "main"
    automations.apply(notify=named, folder=folder, branch=branch, checks=schedules.check is not None)
    note_forms(workspace, folder)
    index_renewed(workspace)  # its links are known from here on, and nobody waits for a run to see them
    notice = f"{named} hears of failed and late runs" if named else ""
    return tuple(line for line in (notice, *catch_up(workspace, folder)) if line)
