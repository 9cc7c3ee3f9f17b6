"""The folder of a run's project: on this machine, or a checkout of a repository that is fetched."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from prefect import get_run_logger

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.orchestration import remote_project
from prefect_sluice.orchestration.shown.messages import speaks_of
from prefect_sluice.workspace.workspace import Workspace


def project(folder: str, *, fresh: bool = True) -> Path:
    """Return the folder to work from: `folder` itself, or a checkout of the git URL that it is, as it is there now.

    With `fresh` False the head of the last fetch will do where git cannot reach the remote. Raises BadInput for a URL
    that cannot be used, or whose sluice.yml names what no other machine sees. From here on, the messages of the run name
    the project's forms.
    """
    path = _resolve_folder(folder, fresh)
    with suppress(SluiceError):  # whoever goes on with it says what is wrong
        speaks_of(Workspace.at(path))
    return path


def _resolve_folder(folder: str, fresh: bool) -> Path:
    if not remote_project.is_url(folder):
        return Path(folder)
    get_run_logger().info(f"fetching {remote_project.mask_url(folder)}")
    return remote_project.shared(folder, remote_project.current(folder, fresh=fresh))
