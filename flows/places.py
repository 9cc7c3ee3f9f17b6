"""Where a run's project is: a folder of this machine, or a repository that is fetched."""

from __future__ import annotations

from pathlib import Path

from prefect import get_run_logger

from prefect_sluice import repository


def project(folder: str, *, fresh: bool = True) -> Path:
    """Return the folder to work from: `folder` itself, or a checkout of the git URL that it is, as it is there now.

    With `fresh` False the head of the last fetch will do where git cannot reach the remote. Raises BadInput for a URL
    that cannot be used, or whose sluice.yml names what no other machine sees.
    """
    if not repository.is_url(folder):
        return Path(folder)
    get_run_logger().info(f"fetching {repository.masked(folder)}")
    found = repository.current(folder, fresh=fresh)
    return repository.shared(folder, found)
