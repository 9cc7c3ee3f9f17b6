"""Sluice: the release pipeline for data. The core; nothing in here imports Prefect."""

__version__ = "0.1.0"
