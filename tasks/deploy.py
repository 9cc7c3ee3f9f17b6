"""Deploy: writes the generation."""

from prefect_sluice.stages import deploy as core
from prefect_sluice.tasks.shell import as_task

deploy = as_task(core.deploy)
