"""Monitor: reads what is served, and closes the promotion."""

from prefect_sluice.orchestration.stage_task import as_task
from prefect_sluice.stages import monitor as core

monitor = as_task(core.monitor)
