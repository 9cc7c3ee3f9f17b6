"""Sending what was built and published as OpenLineage events. Nothing hangs on it: what is not taken is a warning."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from prefect_sluice.config.openlineage import OpenLineageSettings
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.node import Name
from prefect_sluice.promotions.load_project import load
from prefect_sluice.promotions.work import Work, keeping, tell
from prefect_sluice.reporting.openlineage.events import LineageFacts, events
from prefect_sluice.runtime import process
from prefect_sluice.runtime.events import NOTICES, Level, Notice
from prefect_sluice.runtime.redaction import concealed
from prefect_sluice.warehouse.functions import columns_by_name
from prefect_sluice.workspace.workspace import Workspace

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

KEY = "OPENLINEAGE_API_KEY"
"""The variable that holds the receiver's key, as the client library calls it."""
MOST_SECONDS = 60
"""What all events of a run may take together."""


@contextmanager
def lineage_told(workspace: Workspace) -> Generator[None]:
    """Have what the block's stages build and publish sent as events at its end, where sluice.yml says to whom. Raises BadInput
    where the client library is not installed."""
    settings = workspace.settings.openlineage
    if settings is None:
        yield
        return
    if find_spec("openlineage") is None:
        raise BadInput(
            "the client of OpenLineage is not installed",
            "openlineage",
            "pip install 'prefect-sluice[openlineage]'",
        )
    works: list[Work] = []
    try:
        with keeping(works):
            yield
    finally:
        if works:
            send(settings, works[-1])


def send(settings: OpenLineageSettings, work: Work) -> None:
    """Send the events of a piece of work; what the receiver does not take is told. Repeatable: the events are the same. Raises
    nothing."""
    if work.promotion is None or work.outcome is None:
        return
    try:
        client, sent = _client(settings), 0
        until = time.monotonic() + MOST_SECONDS
        for event in events(_facts(settings, work)):
            if time.monotonic() > until:  # the environment is held meanwhile
                raise TimeoutError(f"it took {count(sent, 'event')} in {MOST_SECONDS} seconds")
            client.emit(event)
            sent += 1
        client.close(settings.timeout.total_seconds())
        tell(f"{count(sent, 'event')} of OpenLineage sent")
    except Exception as error:  # the network's, the receiver's: what is published is published
        lines = str(error).splitlines() or [type(error).__name__]
        problem = f"what was built could not be told to {settings.url}: {lines[0]}"
        NOTICES.tell(Notice(Level.WARNING, concealed(problem)))


def _client(settings: OpenLineageSettings) -> OpenLineageClient:
    from openlineage.client import OpenLineageClient

    key = process.environment().get(KEY, "")
    transport: dict[str, Any] = {
        "type": "http",
        "url": settings.url,
        "timeout": settings.timeout.total_seconds(),
        "retry": {"total": 1, "backoff_factor": 0.3, "allowed_methods": ["POST"]},
        **({"auth": {"type": "api_key", "apiKey": key}} if key else {}),
    }
    # Where the code lies is said by the release, and asked of no git.
    return OpenLineageClient(
        config={"transport": transport, "facets": {"source_code_location": {"disabled": True}}}
    )


def _facts(settings: OpenLineageSettings, work: Work) -> LineageFacts:
    assert work.promotion is not None
    assert work.outcome is not None
    workspace = work.workspace
    environment = workspace.environment(work.request.environment)
    loaded = (
        load(workspace, environment, work.release)
        if work.plan is not None and work.release is not None
        else None
    )
    return LineageFacts(
        settings.namespace or workspace.root.name,
        workspace.warehouse(environment).dialect,
        work.promotion,
        work.plan,
        loaded.project.nodes if loaded else {},
        loaded.dbt.facts.owners if loaded else {},
        work.reports,
        work.outcome,
        process.now(),
        work.generation,
        _columns(workspace.anew(), work.request.environment) if work.generation is not None else {},
    )


def _columns(workspace: Workspace, environment: str) -> Mapping[Name, Sequence[tuple[str, str]]]:
    with workspace.warehouse(workspace.environment(environment)).reader() as reader:
        return columns_by_name(reader)
