"""Build: packs the release and plans it; the plan is an artifact of the run."""

from prefect_sluice.orchestration.shown.artifacts import show_plan
from prefect_sluice.orchestration.stage_task import as_task
from prefect_sluice.stages import build as core

build = as_task(core.build, show_plan)
