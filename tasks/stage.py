"""Stage: builds the candidate and has it judged; report, diff and a dashboard's story are artifacts of the run."""

from prefect_sluice.stages import stage as core
from prefect_sluice.tasks.artifacts import show_report
from prefect_sluice.tasks.dashboard import show_dashboard
from prefect_sluice.tasks.shell import as_task

stage = as_task(core.stage, show_dashboard, show_report)
