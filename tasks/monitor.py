"""Monitor: reads what is served, and closes the promotion."""

from prefect_sluice.stages import monitor as core
from prefect_sluice.tasks.shell import as_task

monitor = as_task(core.monitor)
