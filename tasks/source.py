"""Source: which change, from git."""

from prefect_sluice.orchestration.stage_task import as_task
from prefect_sluice.stages import source as core

source = as_task(core.source)
