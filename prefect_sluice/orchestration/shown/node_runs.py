"""Task runs of dbt nodes and data tests: each is shown after it has ended, without a Prefect task being run for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid5

from prefect.client.schemas.objects import State, TaskRun, TaskRunResult
from prefect.context import FlowRunContext, TaskRunContext
from prefect.states import Cancelled, Completed, Failed
from prefect.utilities.engine import emit_task_run_state_change_event

from prefect_sluice.runtime.events import NodeDone, NodeFate

MOST = 1_000
"""How many nodes of one build are shown one by one: the server keeps each for good, and nobody reads more."""
_WORST_FIRST = (NodeFate.FAILED, NodeFate.WARNED, NodeFate.SKIPPED, NodeFate.BUILT, NodeFate.PASSED)


def show_nodes(done: Sequence[NodeDone]) -> None:
    """Show nodes in the flow run that goes on here, with their true times. Repeatable: a node is shown once, as it was last.

    The server gets them as events in the background: a server that is slow or gone delays nothing.
    """
    flow, task = FlowRunContext.get(), TaskRunContext.get()
    if flow is None or flow.flow_run is None or not done:
        return
    inside = task.task_run.id if task is not None else None
    chosen, rest = bounded(done)
    chosen_ids = {node.unique_id for node in chosen}
    for node in chosen:
        parents = [uid for uid in node.parents if uid in chosen_ids]
        _emit(node, _inputs(flow.flow_run.id, inside, parents), flow.flow_run.id)
    if rest is not None:
        _emit(rest, _inputs(flow.flow_run.id, inside, ()), flow.flow_run.id)


def bounded(done: Sequence[NodeDone], most: int = MOST) -> tuple[Sequence[NodeDone], NodeDone | None]:
    """Return the nodes to show, the worst ones first if not all can be, and one that sums up the rest; None if there is none.

    Pure.
    """
    if len(done) <= most:
        return done, None
    ordered = sorted(done, key=lambda node: _WORST_FIRST.index(node.fate))
    return ordered[:most], _summed(ordered[most:])


def _summed(rest: Sequence[NodeDone]) -> NodeDone:
    counts = Counter(node.fate for node in rest)
    counted = ", ".join(f"{counts[fate]} {fate.value}" for fate in _WORST_FIRST if counts[fate])
    return NodeDone(
        f"rest.{rest[0].kind == 'test'}",
        "and",
        f"{len(rest)} more",
        min((node.fate for node in rest), key=_WORST_FIRST.index),
        counted,
        min(node.started for node in rest),
        max(node.ended for node in rest),
    )


def _inputs(run: UUID, inside: UUID | None, parents: Iterable[str]) -> dict[str, list[Any]]:
    """Return what the graph of the run draws: lines from what a node reads, within the stage that built it."""
    inputs = {"reads": [TaskRunResult(id=_id(run, uid)) for uid in parents]}
    if inside is not None:
        inputs["__parents__"] = [TaskRunResult(id=inside)]
    return {name: items for name, items in inputs.items() if items}


def _id(run: UUID, uid: str) -> UUID:
    return uuid5(run, uid)


def _emit(node: NodeDone, inputs: dict[str, list[Any]], run: UUID) -> None:
    shown = cast(Any, TaskRun)(  # its times are of a type that nobody can make
        id=_id(run, node.unique_id),
        name=f"{node.kind} {node.name}",
        flow_run_id=run,
        task_key=node.unique_id,
        dynamic_key="0",
        task_inputs=inputs,
        run_count=0 if node.fate is NodeFate.SKIPPED else 1,
        expected_start_time=node.started,
        start_time=node.started,
        end_time=node.ended,
        total_run_time=max(node.ended - node.started, timedelta(0)),
    )
    emit_task_run_state_change_event(shown, None, state_of(node))


def state_of(node: NodeDone) -> State[Any]:
    """Return the state of a node's task run. A warning is no failure; what was left out is nobody's failure, and grey. Pure."""
    name = node.fate.value.capitalize()
    match node.fate:
        case NodeFate.FAILED:
            return Failed(name=name, message=node.message, timestamp=node.ended)
        case NodeFate.SKIPPED:
            return Cancelled(name=name, message=node.message, timestamp=node.ended)
        case NodeFate.BUILT | NodeFate.PASSED | NodeFate.WARNED:
            return Completed(name=name, message=node.message, timestamp=node.ended)
