"""Rollback: an older generation again."""

from prefect_sluice.stages import rollback as core
from prefect_sluice.tasks.shell import as_task

rollback = as_task(core.rollback)
