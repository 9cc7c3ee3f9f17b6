"""Approve: the environment's policy; what is asked, and what was said, is an artifact of the run."""

from prefect_sluice.stages import approve as core
from prefect_sluice.tasks.artifacts import show_approval
from prefect_sluice.tasks.shell import as_task

approve = as_task(core.approve, show_approval)
