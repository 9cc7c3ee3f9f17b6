"""`python -m prefect_sluice.cli`: the same command, where no script is installed."""

from __future__ import annotations

from prefect_sluice.cli import run

run()
