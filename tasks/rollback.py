"""Rollback: an older generation again, which is an artifact of the run."""

from prefect_sluice.stages import rollback as core
from prefect_sluice.tasks.artifacts import show_generation
from prefect_sluice.tasks.shell import as_task

rollback = as_task(core.rollback, show_generation)
