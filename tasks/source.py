"""Source: which change, from git."""

from prefect_sluice.stages import source as core
from prefect_sluice.tasks.shell import as_task

source = as_task(core.source)
