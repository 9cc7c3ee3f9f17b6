"""Deploy: writes the generation, which is an artifact of the run; what it serves anew is told as Prefect's assets."""

from prefect_sluice.orchestration.shown.artifacts import show_generation
from prefect_sluice.orchestration.shown.assets import show_published
from prefect_sluice.orchestration.stage_task import as_task
from prefect_sluice.stages import deploy as core

deploy = as_task(core.deploy, show_published, show_generation)
