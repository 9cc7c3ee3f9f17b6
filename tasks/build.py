"""Build: packs the release and plans it; the plan is an artifact of the run."""

from prefect_sluice.stages import build as core
from prefect_sluice.tasks.artifacts import show_plan
from prefect_sluice.tasks.shell import as_task

build = as_task(core.build, show_plan)
