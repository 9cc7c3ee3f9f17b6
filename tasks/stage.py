"""Stage: builds the candidate and has it judged; report, diff and a dashboard's story are artifacts of the run."""

from prefect_sluice.orchestration.shown.artifacts import show_report
from prefect_sluice.orchestration.shown.dashboard_artifact import show_dashboard
from prefect_sluice.orchestration.stage_task import as_task
from prefect_sluice.stages import stage as core

stage = as_task(core.stage, show_dashboard, show_report)
