"""The folder of a run's project: on this machine, or a checkout of a repository that is fetched."""

from __future__ import annotations

from pathlib import Path

from prefect import get_run_logger

from prefect_sluice.orchestration import remote_project
from prefect_sluice.orchestration.shown.messages import speaks_of
from prefect_sluice.workspace.workspace import Workspace


def project(folder: str, *, fresh: bool = True) -> Workspace:
    """Open the project to work from: that in `folder`, or in a checkout of the git URL that it is, as it is there now.

    With `fresh` False the head of the last fetch will do where git cannot reach the remote. Raises BadInput for a URL
    that cannot be used, or whose sluice.yml names what no other machine sees, and ConfigInvalid.
    From here on, the messages of the run name the project's forms.
    """
    workspace = _opened(folder, fresh)
    speaks_of(workspace)
    return workspace


def _opened(folder: str, fresh: bool) -> Workspace:
    if not remote_project.is_url(folder):
        return Workspace.at(Path(folder))
    get_run_logger().info(f"fetching {remote_project.mask_url(folder)}")
    return remote_project.shared(folder, remote_project.current(folder, fresh=fresh))
