"""Rollback: an older generation again, which is an artifact of the run."""

from prefect_sluice.orchestration.shown.artifacts import show_generation
from prefect_sluice.orchestration.stage_task import as_task
from prefect_sluice.stages import rollback as core

rollback = as_task(core.rollback, show_generation)
