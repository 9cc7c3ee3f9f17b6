"""Sending what was built and published as OpenLineage events. Nothing hangs on it: what is not taken is a warning."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from prefect_sluice.config.openlineage import OpenLineageSettings
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.node import Name
from prefect_sluice.promotions.load_project import load
from prefect_sluice.promotions.run_log import RunLogger
from prefect_sluice.promotions.work import Work, keeping
from prefect_sluice.reporting.openlineage.events import LineageFacts, events
from prefect_sluice.runtime import process
from prefect_sluice.runtime.after_answer import after_answer
from prefect_sluice.runtime.events import NOTICES, Level, Notice
from prefect_sluice.runtime.redaction import concealed
from prefect_sluice.warehouse.functions import columns_by_name
from prefect_sluice.workspace.workspace import Workspace

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent

KEY = "OPENLINEAGE_API_KEY"
"""The variable that holds the receiver's key, as the client library calls it."""
MOST_SECONDS = 60
"""What all events of a run may take together."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The events of one run, to whom they go, and the run's log, which takes what becomes of them."""

    settings: OpenLineageSettings
    promotion: str
    events: tuple[RunEvent, ...]
    log: RunLogger


@contextmanager
def lineage_sent(workspace: Workspace) -> Generator[list[Outgoing]]:
    """Have sent what the block puts into the list, once it is over: nobody waits for a receiver, neither for the environment nor
    for an answer. Raises BadInput where the client library is not installed.
    """
    if workspace.settings.openlineage is not None and find_spec("openlineage") is None:
        raise BadInput(
            "the client of OpenLineage is not installed",
            "openlineage",
            "pip install 'prefect-sluice[openlineage]'",
        )
    outgoing: list[Outgoing] = []
    try:
        yield outgoing
    finally:
        for own in outgoing:
            after_answer(f"openlineage {own.promotion}", partial(send, own))


@contextmanager
def lineage_gathered(workspace: Workspace, outgoing: list[Outgoing], log: RunLogger) -> Generator[None]:
    """Gather the events of what the block's stages build and publish, while the environment is as they left it."""
    settings = workspace.settings.openlineage
    if settings is None:
        yield
        return
    works: list[Work] = []
    try:
        with keeping(works):
            yield
    finally:
        with _warned(settings, log):
            if works and works[-1].promotion is not None and works[-1].outcome is not None:
                last, promotion = works[-1], works[-1].promotion
                outgoing.append(Outgoing(settings, promotion.id, tuple(events(_facts(settings, last))), log))


def send(outgoing: Outgoing) -> None:
    """Send the events of a run; what the receiver does not take is told. Repeatable: the events are the same. Raises nothing."""
    settings = outgoing.settings
    with _warned(settings, outgoing.log):
        client, sent = _client(settings), 0
        until = time.monotonic() + MOST_SECONDS
        for event in outgoing.events:
            if time.monotonic() > until:
                raise TimeoutError(f"it took {count(sent, 'event')} in {MOST_SECONDS} seconds")
            client.emit(event)
            sent += 1
        client.close(settings.timeout.total_seconds())
        outgoing.log.progress(f"{count(sent, 'event')} of OpenLineage sent")


@contextmanager
def _warned(settings: OpenLineageSettings, log: RunLogger) -> Generator[None]:
    """Turn what breaks the block into a warning: what is published is published."""
    try:
        yield
    except Exception as error:  # the network's, the receiver's
        lines = str(error).splitlines() or [type(error).__name__]
        notice = Notice(
            Level.WARNING, concealed(f"what was built could not be told to {settings.url}: {lines[0]}")
        )
        log.notice(notice)
        NOTICES.tell(notice)


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
