"""Test: what needs no data; the report is an artifact of the run when its findings stop it."""

from prefect_sluice.orchestration.shown.artifacts import show_refusal
from prefect_sluice.orchestration.stage_task import as_task
from prefect_sluice.stages import test as core

test = as_task(core.test, show_refusal)
