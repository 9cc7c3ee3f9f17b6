"""How Stage has a candidate judged: the gates that read its relations, and the ones that compare them with what is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prefect_sluice import gates
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.node import Node, NodeKind
from prefect_sluice.domain.release import Release
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.gates.base import BuildOutcome, CandidateView, ReleaseView, Subject
from prefect_sluice.gates.catalog import settings_of
from prefect_sluice.gates.diff.comparison import ComparisonSettings
from prefect_sluice.planning import source_versions
from prefect_sluice.planning.plan import Action, Plan, source_text
from prefect_sluice.planning.refresh_subset import built_from
from prefect_sluice.promotions.gate_memory import remembering
from prefect_sluice.promotions.load_project import LoadedProject, load
from prefect_sluice.stages.candidate import ask_gates, baseline, compiled_texts, losses
from prefect_sluice.stages.candidate.make import MadeCandidate
from prefect_sluice.stages.plan_release import before
from prefect_sluice.warehouse.base import Reader
from prefect_sluice.workspace.workspace import Environment, Workspace


def judge(
    workspace: Workspace, environment: Environment, release: Release, plan: Plan, made: MadeCandidate
) -> tuple[GateReport, ...]:
    """Return what each gate found on the candidate; what people ask of it later is remembered. Reads what was sealed."""
    loaded = load(workspace, environment, release)
    asked = gates.make_gates(workspace.settings.gates, of_candidate=True)
    warehouse = workspace.warehouse(environment, loaded.session)
    raw = warehouse.generation(environment.name)
    written = raw.known_as(plan.ids)
    known = ask_gates.subject(workspace, environment, loaded, release, plan)
    view = CandidateView(
        served=plan.base_of(written).by_node(),
        noted=before(workspace, raw, plan.ids),
        built=_built(loaded, plan, made),
    )
    # What was dropped behind our back is nothing that one could compare with.
    served = source_versions.still_there(written, warehouse.kept(environment.name))
    if made.place is None:
        known = replace(known, release=replace(known.release, changed=()), candidate=view)
        if not _standing(plan, served):
            return ask_gates.ask(asked, known, workspace)
        with warehouse.reader() as reader:
            view = replace(view, reader=reader, standing=_relation_sql(reader, _standing(plan, served)))
            return ask_gates.ask(asked, replace(known, candidate=view), workspace)
    moved = _moved(known.release, view, plan, written)
    then = {new: old for old, new in raw.new_ids(plan.ids).items()}
    base = baseline.build(workspace, environment, _to_compare(workspace, known, plan, written, moved), then)
    view = replace(view, moved=moved, no_baseline=base.why)
    with warehouse.candidate(made.place, base.place) as reader:
        if served != written:
            served = _without_broken_views(served, reader)
        live = plan.base_of(served)
        beside = {uid: reader.at(name, of="baseline") for uid, name in base.relations.items()}
        view = _with_relations(replace(view, baseline=beside), known.release.nodes, reader, plan, made, live)
        changed = replace(known.release, changed=(*plan.made, *plan.relinked))
        known = replace(known, release=changed, candidate=view)
        judged = (*ask_gates.ask(asked, known, workspace), *_losses(known, workspace))
        nodes = known.release.nodes
        compiled_texts.remember(workspace, plan, nodes, made.results, judged, reader)
        return judged


def _losses(known: Subject, workspace: Workspace) -> tuple[GateReport, ...]:
    how = settings_of("diff", workspace.settings.gates)
    assert isinstance(how, ComparisonSettings)
    own = replace(known.tools, memory=remembering(workspace, "diff"))
    return losses.report(replace(known, tools=own), how)


def _to_compare(
    workspace: Workspace, known: Subject, plan: Plan, live: Generation, moved: Mapping[str, object]
) -> tuple[str, ...]:
    """Return what is built by new code from data that moved, if it is to be told what the code alone does: then it is
    compared with a baseline."""
    own = workspace.settings.gates.get("diff")
    if not moved or plan.cause.renews or (own is not None and own.on == "off"):
        return ()
    strict = "max_unexplained_share" in ((own.model_extra or {}) if own else {})
    if not strict and not known.declarations.expected().expected:
        return ()
    served = live.by_node()
    return tuple(
        uid
        for uid in plan.made
        if uid in moved and uid in served and served[uid].fingerprint != known.release.nodes[uid].fingerprint
    )


def _moved(
    release: ReleaseView, candidate: CandidateView, plan: Plan, live: Generation
) -> Mapping[str, tuple[str, ...]]:
    """Return the sources whose data is not, or may not be, what the live relation of a node was built from."""
    notes = candidate.noted
    if notes is None:
        return {}
    served = live.by_node()
    was = built_from(release.nodes, served, notes.versions, notes.behind)
    now = built_from(release.nodes, served, plan.notes.versions, plan.notes.behind)
    # A source that nothing read before is part of what the new code does.
    found = {
        uid: tuple(
            source_text(text)
            for text, version in now[uid].items()
            if was[uid].get(text, version) not in ("", version)
        )
        for uid in now
    }
    return {uid: texts for uid, texts in found.items() if texts}


def _built(loaded: LoadedProject, plan: Plan, made: MadeCandidate) -> BuildOutcome:
    reused = len([step for step in plan.of(Action.REUSE) if step.node in loaded.project.nodes])
    return BuildOutcome(made.results, made.notes, reused=reused, taken=made.taken, tests=made.tests)


def _without_broken_views(served: Generation, reader: Reader) -> Generation:
    """Return what is live without the views that nobody can read, since what they read was dropped."""
    return replace(
        served,
        pointers=tuple(
            item for item in served.pointers if item.kind is not NodeKind.VIEW or _answers(reader, item)
        ),
    )


def _answers(reader: Reader, pointer: Pointer) -> bool:
    try:
        reader.query(f"select * from {reader.at(pointer.address, of='live')} limit 0")
    except QueryFailed:
        return False
    return True


def _with_relations(
    candidate: CandidateView,
    nodes: Mapping[str, Node],
    reader: Reader,
    plan: Plan,
    made: MadeCandidate,
    served: Generation,
) -> CandidateView:
    good = {result.unique_id for result in made.results if _counts(result)}
    # What nothing serves now, and goes on, is compared with what it goes on from.
    past = {step.node: step.pointer for step in plan.steps if step.action.makes and step.pointer}
    live = {**past, **served.by_node()}
    # What goes back to an older relation is new to readers, and to the tests and contracts of today.
    back = frozenset(plan.relinked)
    built = [uid for uid in (*plan.made, *plan.relinked) if uid in good or uid in back]
    names = {uid: nodes[uid].name for uid in built}
    return replace(
        candidate,
        reader=reader,
        relations={uid: reader.at(name) for uid, name in names.items()},
        live={uid: reader.at(live[uid].address, of="live") for uid in built if uid in live},
        same_code=frozenset(
            uid for uid in built if uid in live and live[uid].fingerprint == nodes[uid].fingerprint
        ),
        standing=_relation_sql(reader, _standing(plan, served)),
    )


def _standing(plan: Plan, served: Generation) -> frozenset[Pointer]:
    """Return what is served and stays as it is."""
    return frozenset(step.pointer for step in plan.of(Action.REUSE) if step.pointer) & set(served.pointers)


def _relation_sql(reader: Reader, standing: frozenset[Pointer]) -> Mapping[str, str]:
    """Return relations that are served, by unique id, as a query of the reader names them."""
    return {pointer.node: reader.at(pointer.address, of="live") for pointer in standing}


def _counts(result: NodeResult) -> bool:
    return result.ok and result.kind != "test"
