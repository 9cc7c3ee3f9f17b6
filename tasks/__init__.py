"""The seven stages as Prefect tasks: retries, run names and artifacts. What they do is in `prefect_sluice.stages`."""
