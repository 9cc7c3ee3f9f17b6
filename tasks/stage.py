"""Stage: builds the candidate and has it judged; the report is an artifact of the run, and so is a dashboard's story."""

from prefect_sluice.stages import stage as core
from prefect_sluice.stages.work import Work
from prefect_sluice.tasks.artifacts import show_report
from prefect_sluice.tasks.dashboard import show_dashboard
from prefect_sluice.tasks.shell import as_task


def _show(work: Work) -> None:
    """Show what was staged."""
    show_dashboard(work)
    show_report(work)


stage = as_task(core.stage, _show)
