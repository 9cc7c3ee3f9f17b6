"""The standing artifact `status`: what each environment serves, what waits for whom, what is held, with links to act."""

from __future__ import annotations

from typing import Any, cast

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from prefect_sluice.domain.digests import digest
from prefect_sluice.orchestration.shown.messages import STATUS
from prefect_sluice.reporting.gather_status import standing
from prefect_sluice.reporting.status_page import standing_markdown
from prefect_sluice.reporting.write_pages import environment_renewed, index_address, write_index
from prefect_sluice.workspace.workspace import Workspace


def show_pages_and_status(workspace: Workspace) -> None:
    """Write the pages of every environment anew where they say what is true no longer, then as `show_status`. Repeatable."""
    for environment in workspace.environments:
        environment_renewed(workspace, environment)
    show_status(workspace)


def show_status(workspace: Workspace) -> None:
    """Write the page and the artifact anew where they say what is true no longer. What cannot be shown is logged, and stops
    nothing. Repeatable; made to be done each minute."""
    try:
        stands = standing(workspace)
        write_index(workspace, stands)
        mark = f"[//]: # (project {digest(str(workspace.root))[:8]})"  # a comment, in Markdown
        text = f"{standing_markdown(stands, index_address())}\n{mark}\n"
        if _shown(mark) != text:
            about = "What each environment serves, what waits for whom, what is held"
            cast(Any, create_markdown_artifact)(key=STATUS, markdown=text, description=about)
    except Exception as error:  # the server's, the network's, the page's
        get_run_logger().warning(f"the status could not be shown ({type(error).__name__}: {error})")


def _shown(mark: str) -> str:
    """Return the newest text that bears the mark of this project: a server may have several."""
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[STATUS]))
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.UPDATED_DESC, limit=20)
    return next((str(artifact.data) for artifact in artifacts if mark in str(artifact.data)), "")
