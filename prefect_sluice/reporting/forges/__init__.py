"""Forges: what a check came to, told to GitHub or GitLab. Each is found by the variables that it sets for its jobs."""

from __future__ import annotations

from collections.abc import Mapping

from prefect_sluice.reporting.forges.base import Forge
from prefect_sluice.reporting.forges.github import github
from prefect_sluice.reporting.forges.gitlab import gitlab

FORGES = {"github": github, "gitlab": gitlab}


def forge(name: str, variables: Mapping[str, str]) -> Forge:
    """Return the forge that this process runs a job of. Asks nobody. Raises BadInput where a variable is missing."""
    return FORGES[name](variables)
