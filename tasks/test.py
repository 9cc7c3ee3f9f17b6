"""Test: what needs no data; the report is an artifact of the run when its findings stop it."""

from prefect_sluice.stages import test as core
from prefect_sluice.tasks.artifacts import show_refusal
from prefect_sluice.tasks.shell import as_task

test = as_task(core.test, show_refusal)
