"""Approve: the environment's policy; what is asked, and what was said, is an artifact of the run."""

from prefect_sluice.orchestration.shown.artifacts import show_approval
from prefect_sluice.orchestration.stage_task import as_task
from prefect_sluice.stages import approve as core

approve = as_task(core.approve, show_approval)
