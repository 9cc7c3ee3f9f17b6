"""Where the Prefect UI shows a run and its artifacts, and which artifacts this run has by now."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, PREFECT_CLOUD_API_URL, PREFECT_UI_URL

from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.prefect.links import ArtifactKind, RunLinks, key
from prefect_sluice.reporting.write_pages import address_of
from prefect_sluice.workspace.workspace import Workspace


def ui_url() -> str:
    """Return where the pages of Prefect's second UI begin; "" when no server is configured.

    That is PREFECT_UI_URL, by default the address of the API without `/api`. Cloud has them at its root.
    """
    root = str(PREFECT_UI_URL.value() or "").rstrip("/")
    if not root or root.endswith("/v2"):
        return root
    is_cloud = str(PREFECT_API_URL.value() or "").startswith(str(PREFECT_CLOUD_API_URL.value() or "-"))
    return root if is_cloud else f"{root}/v2"


def deployments_url() -> str:
    """Return the address of the page with the Prefect deployments, whose forms start everything; "" without a server."""
    return f"{ui_url()}/deployments" if ui_url() else ""


def run_url(identifier: str) -> str:
    """Return the address of a flow run in the UI; "" without a server."""
    return f"{ui_url()}/runs/flow-run/{identifier}" if ui_url() and identifier else ""


def form_page(deployment: UUID) -> str:
    """Return the address of the form of a Prefect deployment; "" without a server."""
    return f"{ui_url()}/deployments/deployment/{deployment}/run" if ui_url() else ""


def key_url(key: str) -> str:
    """Return the address of the history of an artifact's key in the UI; "" without a server."""
    return f"{ui_url()}/artifacts/key/{key}" if ui_url() else ""


def artifact_url(identifier: UUID) -> str:
    """Return the address of one artifact in the UI; "" without a server."""
    return f"{ui_url()}/artifacts/artifact/{identifier}" if ui_url() else ""


def artifact_key(work: Work, kind: ArtifactKind) -> str:
    """Return the key of an artifact of the work: what a check shows has a history of its own, `check-report-prod`, so that the
    environment's stays that of what was to be served."""
    environment = work.promotion.environment if work.promotion else work.request.environment
    return key(kind if work.request.cause.publishes else f"check-{kind}", environment)


def made_by_run(work: Work) -> Mapping[ArtifactKind, Artifact]:
    """Return what this flow run shows of the work's promotion by now. A run that was resumed finds what it showed before."""
    if flow_run.id is None or work.promotion is None:
        return {}
    kinds = {artifact_key(work, kind): kind for kind in ArtifactKind}
    wanted = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(flow_run.id)]), key=ArtifactFilterKey(any_=list(kinds))
    )
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.UPDATED_DESC)
    # A rollback that catches up has two promotions in one run, each with its own.
    mine = f"`{work.promotion.id}`"
    kept: dict[ArtifactKind, Artifact] = {}
    for artifact in artifacts:
        if artifact.key in kinds and mine in str(artifact.data):
            kept.setdefault(kinds[artifact.key], artifact)
    return kept


def links_of(workspace: Workspace, work: Work, made: Mapping[ArtifactKind, UUID]) -> RunLinks:
    """Return the links to all other pages and artifacts that there are by now."""
    promotion = work.promotion.id if work.promotion else ""
    return RunLinks(
        run=flow_run.name or "",
        run_url=run_url(flow_run.id or ""),
        artifacts={kind: artifact_url(identifier) for kind, identifier in made.items()},
        page=address_of(workspace, promotion) if promotion else "",
    )
