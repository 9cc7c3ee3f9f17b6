"""The seven stages, as plain functions. `tasks/` makes Prefect tasks of them, `pipeline` runs them without Prefect."""
