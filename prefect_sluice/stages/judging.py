"""How Stage has a candidate judged: the gates that read its relations, and the ones that compare them with what is live."""

from __future__ import annotations

from dataclasses import replace

from prefect_sluice import gates, inputs
from prefect_sluice.errors import QueryFailed
from prefect_sluice.gates.base import Built, Needs, Subject
from prefect_sluice.generation import Generation, Pointer
from prefect_sluice.loading import Loaded, load
from prefect_sluice.node import Kind
from prefect_sluice.plan import Action, Plan
from prefect_sluice.release import Release
from prefect_sluice.results import NodeResult
from prefect_sluice.stages import asking
from prefect_sluice.stages.making import Made
from prefect_sluice.verdict import GateReport
from prefect_sluice.warehouse.base import LIVE, Reader, quoted
from prefect_sluice.workshop import Place, Workshop


def judge(
    workshop: Workshop, place: Place, release: Release, plan: Plan, made: Made
) -> tuple[GateReport, ...]:
    """Return what each gate found on the candidate. Changes nothing; reads the sealed file."""
    loaded = load(workshop, place, release)
    asked = gates.asked(workshop.settings.gates, (Needs.CANDIDATE, Needs.CANDIDATE_AND_LIVE))
    known = asking.subject(workshop, place, loaded, release, plan)
    if made.file is None:
        return asking.ask(asked, replace(known, changed=(), built=_built(loaded, plan, made)), workshop)
    warehouse = workshop.warehouse(place)
    # What was dropped behind our back is nothing that one could compare with.
    written = warehouse.generation(place.name)
    served = inputs.still_there(written, warehouse.kept(place.name))
    with warehouse.candidate(made.file) as reader:
        if served != written:
            served = _without_broken_views(served, reader)
        live = plan.base_of(served)
        known = replace(known, candidate=reader, built=_built(loaded, plan, made))
        return asking.ask(asked, _with_relations(known, place.target.catalog, plan, made, live), workshop)


def _built(loaded: Loaded, plan: Plan, made: Made) -> Built:
    reused = len([step for step in plan.of(Action.REUSE) if step.node in loaded.project.nodes])
    return Built(made.results, made.notes, reused=reused, taken=made.taken, tests=made.tests)


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


def _with_relations(known: Subject, catalog: str, plan: Plan, made: Made, served: Generation) -> Subject:
    good = {result.unique_id for result in made.results if _counts(result)}
    live = served.by_node()
    # What goes back to an older relation is new to readers, and to the tests and contracts of today.
    back = frozenset(plan.relinked)
    built = [uid for uid in (*plan.made, *plan.relinked) if uid in good or uid in back]
    names = {uid: known.nodes[uid].name for uid in built}
    return replace(
        known,
        changed=(*plan.made, *plan.relinked),
        candidate_relations={
            uid: quoted(catalog, name.schema, name.identifier) for uid, name in names.items()
        },
        live_relations={
            uid: quoted(LIVE, live[uid].address.schema, live[uid].address.identifier)
            for uid in built
            if uid in live
        },
    )


def _counts(result: NodeResult) -> bool:
    return result.ok and result.kind != "test"
