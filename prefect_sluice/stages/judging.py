"""How Stage has a candidate judged: the gates that read its relations, and the ones that compare them with what is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from prefect_sluice import gates, inputs
from prefect_sluice.config import Gate as Settings
from prefect_sluice.errors import QueryFailed
from prefect_sluice.gates.base import Gate, Subject
from prefect_sluice.gates.build import Build
from prefect_sluice.gates.contracts import Contracts
from prefect_sluice.gates.dbt_tests import DataTests
from prefect_sluice.gates.diff import Diff
from prefect_sluice.generation import Generation, Pointer
from prefect_sluice.loading import Loaded, load
from prefect_sluice.node import Kind
from prefect_sluice.plan import Action, Plan
from prefect_sluice.release import Release
from prefect_sluice.results import NodeResult
from prefect_sluice.stages.making import Made
from prefect_sluice.stages.work import tell
from prefect_sluice.verdict import GateReport
from prefect_sluice.warehouse.base import LIVE, Reader, quoted
from prefect_sluice.workshop import Place, Workshop


def judge(
    workshop: Workshop, place: Place, release: Release, plan: Plan, made: Made
) -> tuple[GateReport, ...]:
    """Return what each gate found on the candidate. Changes nothing; reads the sealed file."""
    loaded = load(workshop, place, release)
    asked = _gates(workshop, loaded, plan, made)
    if made.file is None:
        return _ask(asked, Subject(loaded.folder, loaded.project.nodes, (), plan.edited), workshop)
    warehouse = workshop.warehouse(place)
    # What was dropped behind our back is nothing that one could compare with.
    written = warehouse.generation(place.name)
    served = inputs.still_there(written, warehouse.kept(place.name))
    with warehouse.candidate(made.file) as reader:
        if served != written:
            served = _without_broken_views(served, reader)
        live = plan.base_of(served)
        return _ask(asked, _subject(place.target.catalog, loaded, plan, made, live, reader), workshop)


def _without_broken_views(served: Generation, reader: Reader) -> Generation:
    """Return what is live without the views that nobody can read, since what they read was dropped."""
    return replace(
        served,
        pointers=tuple(
            item for item in served.pointers if item.kind is not Kind.VIEW or _answers(reader, item)
        ),
    )


def _answers(reader: Reader, pointer: Pointer) -> bool:
    try:
        reader.query(
            f"select * from {quoted(LIVE, pointer.address.schema, pointer.address.identifier)} limit 0"
        )
    except QueryFailed:
        return False
    return True


def _ask(asked: tuple[Gate, ...], subject: Subject, workshop: Workshop) -> tuple[GateReport, ...]:
    reports: list[GateReport] = []
    for gate in asked:
        tell(f"gate {gate.id}")
        reports.append(gates.run(gate, subject, workshop.settings.gates))
    return tuple(reports)


def _gates(workshop: Workshop, loaded: Loaded, plan: Plan, made: Made) -> tuple[Gate, ...]:
    reused = len([step for step in plan.of(Action.REUSE) if step.node in loaded.project.nodes])
    return (
        Build(made.results, made.notes, made=plan.made, reused=reused, taken=made.taken),
        DataTests(made.results),
        Contracts(),
        Diff(**_extra(workshop, "diff")),
    )


def _extra(workshop: Workshop, gate: str) -> Mapping[str, Any]:
    return workshop.settings.gates.get(gate, Settings()).model_extra or {}


def _subject(
    catalog: str, loaded: Loaded, plan: Plan, made: Made, served: Generation, reader: Reader
) -> Subject:
    good = {result.unique_id for result in made.results if _counts(result)}
    nodes = loaded.project.nodes
    live = served.by_node()
    # What goes back to an older relation is new to readers, and to the tests and contracts of today.
    back = frozenset(plan.relinked)
    built = [uid for uid in (*plan.made, *plan.relinked) if uid in good or uid in back]
    return Subject(
        project=loaded.folder,
        nodes=nodes,
        changed=(*plan.made, *plan.relinked),
        edited=plan.edited,
        candidate=reader,
        candidate_relations={
            uid: quoted(catalog, nodes[uid].name.schema, nodes[uid].name.identifier) for uid in built
        },
        live_relations={
            uid: quoted(LIVE, live[uid].address.schema, live[uid].address.identifier)
            for uid in built
            if uid in live
        },
    )


def _counts(result: NodeResult) -> bool:
    return result.ok and result.kind != "test"
