"""The OpenLineage events of one piece of work: its run, each relation that it built, and what it published. Pure.

Written after the specification of OpenLineage 2-0-2 (https://openlineage.io/spec). Each run's id follows from the promotion, so
that events that are sent twice are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from prefect_sluice import __version__
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.node import Name, Node
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.verdict import GateReport, Verdict
from prefect_sluice.planning.plan import Plan, Step
from prefect_sluice.promotions.work import Outcome, Status

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent, RunState

PRODUCER = f"urn:prefect-sluice:{__version__}"
_BUILD_GATE = "build"


@dataclass(frozen=True, slots=True)
class LineageFacts:
    """What the events are made of. `namespace` is that of the jobs, `engine` the name of the warehouse's kind.

    `plan` is None for a rollback, which builds nothing, `generation` where nothing was published. `columns` are those of what is
    served, with their types, by name in lower case. `ended` is when the work ended, UTC.
    """

    namespace: str
    engine: str
    promotion: Promotion
    plan: Plan | None
    nodes: Mapping[str, Node]
    owners: Mapping[str, tuple[str, ...]]
    reports: Sequence[GateReport]
    outcome: Outcome
    ended: datetime
    generation: Generation | None = None
    columns: Mapping[Name, Sequence[tuple[str, str]]] | None = None


def events(facts: LineageFacts) -> Iterator[RunEvent]:
    """Yield the events, in the order in which they are sent."""
    from openlineage.client.event_v2 import RunState, set_producer

    set_producer(PRODUCER)  # of the facets, which take no other way
    promotion = facts.promotion
    yield _event(facts, RunState.START, promotion.created_at)
    for step in facts.plan.steps if facts.plan and facts.reports else ():
        if step.action.makes:
            yield from _built(facts, step)
    state = _ended(facts)
    if state is not None:
        outputs = _published(facts) if state is RunState.COMPLETE else []
        error = facts.outcome.message if state is RunState.FAIL else ""
        yield _event(facts, state, facts.ended, outputs=outputs, error=error)


def _ended(facts: LineageFacts) -> RunState | None:
    """Return how the whole run ended; None for one that waits: it goes on with the answer."""
    from openlineage.client.event_v2 import RunState

    match facts.outcome.status:
        case Status.WAITING:
            return None
        case Status.DONE | Status.PARTIAL | Status.UNCHANGED | Status.CHECKED:
            return RunState.COMPLETE
        case Status.REFUSED:
            return RunState.FAIL
        case Status.REJECTED | Status.SUPERSEDED | Status.EXPIRED:
            return RunState.ABORT


def _built(facts: LineageFacts, step: Step) -> Iterator[RunEvent]:
    from openlineage.client.event_v2 import RunState

    failure = next(
        (
            finding.summary
            for report in facts.reports
            if report.gate == _BUILD_GATE
            for finding in report.findings
            if step.node in finding.subjects and finding.verdict in {Verdict.FAILED, Verdict.ERRORED}
        ),
        "",
    )
    state = RunState.FAIL if failure else RunState.COMPLETE
    inputs = _inputs(facts, step)
    yield _event(facts, RunState.START, facts.promotion.created_at, step)
    outputs = [] if failure else [_output(facts, step.name, step)]
    yield _event(facts, state, facts.ended, step, inputs=inputs, outputs=outputs, error=failure)


def _event(
    facts: LineageFacts,
    state: RunState,
    at: datetime,
    step: Step | None = None,
    *,
    inputs: Sequence[InputDataset] = (),
    outputs: Sequence[OutputDataset] = (),
    error: str = "",
) -> RunEvent:
    """Return one event of the whole run, or of the build of a step."""
    from openlineage.client import facet_v2
    from openlineage.client.event_v2 import Job, Run, RunEvent

    promotion, whole = facts.promotion, _whole_job(facts)
    of_run: dict[str, facet_v2.RunFacet] = {
        "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet(__version__, "Sluice")
    }
    if step is not None:
        parent = facet_v2.parent_run
        of_run["parent"] = parent.ParentRunFacet(
            parent.Run(run_id(promotion.id)), parent.Job(facts.namespace, whole)
        )
    if error:
        of_run["errorMessage"] = facet_v2.error_message_run.ErrorMessageRunFacet(error, "SQL")
    kind = facet_v2.job_type_job.JobTypeJobFacet(
        "BATCH", "SLUICE", "BUILD" if step else promotion.cause.value.upper()
    )
    job = f"{promotion.environment}.{step.node}" if step else whole
    return RunEvent(
        eventTime=at.isoformat(),
        producer=PRODUCER,
        run=Run(run_id(promotion.id, step.node if step else ""), of_run),
        job=Job(facts.namespace, job, {"jobType": kind}),
        eventType=state,
        inputs=list(inputs),
        outputs=list(outputs),
    )


def run_id(promotion: str, node: str = "") -> str:
    """Return the id of a promotion's run, or of the build of a node in it."""
    return str(uuid5(NAMESPACE_URL, f"{PRODUCER.rpartition(':')[0]}:{promotion}/{node}"))


def _whole_job(facts: LineageFacts) -> str:
    return f"{facts.promotion.environment}.{facts.promotion.cause.value}"


def _dataset(facts: LineageFacts, name: Name) -> tuple[str, str]:
    """Return the namespace and name of a public relation: no path of a machine and no secret is in it."""
    return f"{facts.engine}://{facts.promotion.environment}", str(name)


def _inputs(facts: LineageFacts, step: Step) -> list[InputDataset]:
    from openlineage.client.event_v2 import InputDataset

    node = facts.nodes.get(step.node)
    if node is None:
        return []
    names = [*(facts.nodes[uid].name for uid in node.parents if uid in facts.nodes), *node.sources]
    return [InputDataset(*_dataset(facts, name)) for name in dict.fromkeys(names)]


def _output(facts: LineageFacts, name: Name, step: Step | None) -> OutputDataset:
    from openlineage.client import facet_v2
    from openlineage.client.event_v2 import OutputDataset

    of_dataset: dict[str, facet_v2.DatasetFacet] = {}
    node = facts.nodes.get(step.node) if step else None
    if node is not None and node.description:
        of_dataset["documentation"] = facet_v2.documentation_dataset.DocumentationDatasetFacet(
            node.description
        )
    owners = facts.owners.get(step.node, ()) if step else ()
    if owners:
        ownership = facet_v2.ownership_dataset
        of_dataset["ownership"] = ownership.OwnershipDatasetFacet(
            [ownership.Owner(owner) for owner in owners]
        )
    if facts.generation is not None:
        number = str(facts.generation.number)
        of_dataset["version"] = facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet(number)
    columns = (facts.columns or {}).get(name.folded, ())
    if columns:
        schema = facet_v2.schema_dataset
        of_dataset["schema"] = schema.SchemaDatasetFacet(
            [schema.SchemaDatasetFacetFields(column, kind) for column, kind in columns]
        )
    return OutputDataset(*_dataset(facts, name), facets=of_dataset)


def _published(facts: LineageFacts) -> list[OutputDataset]:
    """Return the public relations that the generation serves anew."""
    if facts.generation is None:
        return []
    if facts.plan is None:  # a rollback: all that it serves may be another one's
        return [_output(facts, pointer.name, None) for pointer in facts.generation.relations]
    served = facts.generation.by_node()
    return [
        _output(facts, served[step.node].name, step)
        for step in facts.plan.steps
        if step.moves and step.node in served
    ]
