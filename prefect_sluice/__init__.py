"""Sluice: the release pipeline for data. The core; only `orchestration/` and `local_server/` import Prefect."""

__version__ = "0.1.0"
