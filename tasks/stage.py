"""Stage: builds the candidate and has it judged; the report and the diff are artifacts of the run."""

from prefect_sluice.stages import stage as core
from prefect_sluice.tasks.artifacts import show_report
from prefect_sluice.tasks.shell import as_task

stage = as_task(core.stage, show_report)
