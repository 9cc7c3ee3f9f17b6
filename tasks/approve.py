"""Approve: the environment's policy."""

from prefect_sluice.stages import approve as core
from prefect_sluice.tasks.shell import as_task

approve = as_task(core.approve)
