"""Deploy: writes the generation, which is an artifact of the run; what it serves anew is told as Prefect's assets."""

from prefect_sluice.stages import deploy as core
from prefect_sluice.tasks.artifacts import show_generation
from prefect_sluice.tasks.assets import show_published
from prefect_sluice.tasks.shell import as_task

deploy = as_task(core.deploy, show_published, show_generation)
