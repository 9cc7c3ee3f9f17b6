"""How Stage makes a candidate: dbt in a side database under the public names, then the links between physical addresses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from prefect_sluice.domain import old_names
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import QueryFailed, Refused
from prefect_sluice.domain.generation import Generation, Pointer, by_product
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.relation import Relation, RelationState
from prefect_sluice.domain.release import Release
from prefect_sluice.domain.results import DROPPED, NodeResult, dropped
from prefect_sluice.planning import source_versions
from prefect_sluice.planning.candidate import CandidateContents, address, link, pointers
from prefect_sluice.planning.costs import usual_seconds
from prefect_sluice.planning.plan import Action, Plan
from prefect_sluice.planning.reasons import Note, Noted
from prefect_sluice.promotions import verify_reused
from prefect_sluice.promotions.candidate_files import candidate_name
from prefect_sluice.promotions.load_project import LoadedProject, load, set_aside
from prefect_sluice.promotions.observe_sources import observe
from prefect_sluice.promotions.records import still_ours
from prefect_sluice.promotions.work import tell, teller
from prefect_sluice.runtime import process
from prefect_sluice.runtime.events import NODES, NOTICES, Level, Notice
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.stages.candidate import data_tests, outcomes, reuse_finished
from prefect_sluice.stages.candidate.commit_expectations import edited
from prefect_sluice.stages.candidate.pace import BuildPace, past
from prefect_sluice.warehouse import row_digest
from prefect_sluice.warehouse.base import (
    IncomingTable,
    Reader,
    SealedCandidate,
    SideLinks,
    Stub,
    Warehouse,
)
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.warehouse.functions import RELATIONS
from prefect_sluice.workspace.workspace import Environment, Workspace

_OURS = ("sluice",)


@dataclass(frozen=True, slots=True)
class MadeCandidate:
    """A candidate, made. `place` is where it is, sealed (None when nothing had to be built), `notes` what
    was done in another way than asked, by unique id; `taken` counts what an earlier attempt had built, `tests` are the data
    tests that it is still to be asked; `rows` counts those of new tables, by unique id, where somebody wants to know.
    `looked` is what was found of that on which it is built."""

    contents: CandidateContents
    place: CandidatePlace | None
    results: tuple[NodeResult, ...]
    relations: tuple[Relation, ...]
    notes: Mapping[str, str]
    taken: int = 0
    tests: tuple[DataTest, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict[str, int])
    looked: verify_reused.ReuseCheck = field(default_factory=verify_reused.ReuseCheck)


def make(
    workspace: Workspace, environment: Environment, release: Release, plan: Plan, promotion: Promotion
) -> MadeCandidate:
    """Build, carry over and link what the plan says. Changes nothing that anybody reads. Repeatable: starts afresh."""
    store = workspace.settings.warehouse.store
    kept = tuple(step.pointer for step in plan.of(Action.REUSE) if step.pointer and step.is_by_product)
    planned = (*pointers(plan, store, promotion.id[:6]), *kept)
    edits = edited(workspace, release, plan)
    if not plan.made and not plan.relinked and not plan.tests:
        served = (*planned, *old_names.pointers(plan.old_names, planned))
        looked = verify_reused.verify_reused(workspace, environment, plan, {}, edits)
        return MadeCandidate(
            CandidateContents((), (), served, "", looked.renewed), None, (), (), {}, looked=looked
        )
    loaded = load(workspace, environment, release)
    warehouse = workspace.warehouse(environment, loaded.session)
    live = plan.base_of(warehouse.generation(environment.name))
    looked = verify_reused.verify_reused(workspace, environment, plan, loaded.project.nodes, edits)
    laid = _lay(warehouse, loaded, live, plan)
    taken = _take(workspace, environment, warehouse, loaded, plan, promotion)
    reach(FaultPoint.STAGE_PREPARED)
    tests = _tests(workspace, loaded, plan)
    usual = usual_seconds(plan, past(workspace.store, plan))
    built = (*_build(loaded, plan, {result.unique_id for result in taken}, tests.with_build, usual), *taken)
    asked, answered = data_tests.ready(loaded, plan, tests, built)
    results = (*built, *answered)
    loaded.dbt.close()  # what is looked at from here on, nobody changes any more
    _still_the_same(workspace, environment, loaded, live, plan)
    verify_reused.look_again(workspace, environment, plan, loaded.project.nodes, edits, looked)
    made = _finish(workspace, warehouse, _Built(loaded, live, plan, promotion, planned, results, laid))
    contents = replace(made.contents, held=(*made.contents.held, *looked.renewed))
    notes = {**made.notes, **_files_written(set_aside(workspace, release, loaded))}
    return replace(made, contents=contents, notes=notes, taken=len(taken), tests=asked, looked=looked)


def apart(
    warehouse: Warehouse, loaded: LoadedProject, live: Generation, plan: Plan
) -> tuple[NodeResult, ...]:
    """Build a plan in the side database and leave it there: nothing is linked, kept or recorded. Return what dbt said."""
    _lay(warehouse, loaded, live, plan)
    built = _build(loaded, plan, (), (), {})
    loaded.dbt.close()
    return built


def _tests(workspace: Workspace, loaded: LoadedProject, plan: Plan) -> data_tests.DataTestSplit:
    """Return the data tests to run: none where nobody asks for their answers."""
    own = workspace.settings.gates.get("data_tests")
    return data_tests.DataTestSplit() if own and own.on == "off" else data_tests.chosen(loaded, plan)


@dataclass(frozen=True, slots=True)
class _Built:
    loaded: LoadedProject
    live: Generation
    plan: Plan
    promotion: Promotion
    planned: tuple[Pointer, ...]
    results: tuple[NodeResult, ...]
    stubs: tuple[Stub, ...]


def _lay(warehouse: Warehouse, loaded: LoadedProject, live: Generation, plan: Plan) -> tuple[Stub, ...]:
    laid = source_versions.before_build(live, plan, warehouse.relations(), loaded.project.hooks)
    warehouse.prepare(loaded.session.place, laid)
    return laid


def _take(
    workspace: Workspace,
    environment: Environment,
    warehouse: Warehouse,
    loaded: LoadedProject,
    plan: Plan,
    promotion: Promotion,
) -> tuple[NodeResult, ...]:
    """Take what another attempt or a check has built already; the gates look at it all the same."""
    nodes, facts = loaded.project.nodes, loaded.dbt.facts
    found = dict(reuse_finished.find(workspace, environment, plan, promotion, never=facts.hooked))
    if found and set(found) == set(plan.made) and facts.has_operations:
        found.popitem()  # what runs before and after all nodes runs only with one that is built
    return reuse_finished.take(
        warehouse, loaded.session.place, found, {uid: nodes[uid].name for uid in found}
    )


def _build(
    loaded: LoadedProject,
    plan: Plan,
    taken: Collection[str],
    tests: Collection[str],
    usual: Mapping[str, float],
) -> tuple[NodeResult, ...]:
    """Have dbt build what is not there yet, with these data tests. `usual` has the seconds that a relation usually takes."""
    project = loaded.project
    made = [uid for uid in plan.made if uid not in taken]
    grown = [step.node for step in plan.of(Action.CARRY) if step.note == Note(Noted.FORWARD_ONLY)]
    say, complain = teller(), NOTICES.teller()
    pace = BuildPace(len(made), {uid: usual[uid] for uid in made if uid in usual})
    if not made and not tests:
        return ()

    def heard(uid: str, status: str, seconds: float, message: str) -> None:
        if uid in project.nodes:
            count, rest = pace.done(uid)
            say(
                f"{count} {project.nodes[uid].short} {status} {seconds:.1f} s" + (f", {rest}" if rest else "")
            )
        if status == "error":
            complain(Notice(Level.ERROR, f"{outcomes.called(uid)}: {message}", uid))

    tell(f"building {count(len(made), 'relation')}")
    return loaded.dbt.build(made, tests, new_columns=grown, on_node=heard)


def _finish(workspace: Workspace, warehouse: Warehouse, built: _Built) -> MadeCandidate:
    side = built.loaded.session.place
    tell("linking")
    with warehouse.candidate(side) as reader:
        there = _there(reader)
        built = _dropped_by_hooks(built, there)
        extra = _by_products(reader, warehouse, built, there)
        nodes = built.loaded.project.nodes
        counted = built.results if NODES.is_heard else ()
        rows = outcomes.rows(reader, nodes, counted)
    links = _links(warehouse, built, extra)
    sealed = warehouse.seal(side, links)
    built = replace(built, results=_read(built, sealed))
    served = (*_served(built), *extra)
    contents = CandidateContents(
        tables=_brought(links, sealed),
        views=tuple(view for view, _ in links.views if view.address not in {*sealed.broken, *sealed.unread}),
        pointers=(*served, *old_names.pointers(built.plan.old_names, served)),
        file=sealed.digest,
        held=sealed.held,
    )
    still_ours(workspace.store, built.promotion)
    kept = warehouse.keep(side, candidate_name(built.promotion.id))
    return MadeCandidate(
        contents, kept, built.results, _relations(built, contents), _notes(built, sealed), rows=rows
    )


def _read(built: _Built, sealed: SealedCandidate) -> tuple[NodeResult, ...]:
    """Return dbt's results, without the success of views that cannot be read: dbt makes a view without a look at a row."""
    why = {item.node: sealed.unread[item.address] for item in built.planned if item.address in sealed.unread}
    return tuple(
        replace(result, status="error", message=f"Runtime Error\n  {why[result.unique_id]}")
        if result.unique_id in why
        else result
        for result in built.results
    )


def _still_the_same(
    workspace: Workspace, environment: Environment, loaded: LoadedProject, live: Generation, plan: Plan
) -> None:
    """Raise Refused when a source is not what the plan was made for: the build may have read either.

    What nobody can look at says nothing here; nor does the clock, which has moved on of course.
    """
    planned = plan.notes.versions
    if not planned or not environment.database.exists():
        return
    now = observe(workspace, environment, loaded, live, plan.release)
    unknown = source_versions.unknown_version(live, plan.release)
    moved = [
        text
        for text, version in now.items()
        if planned.get(text) != version
        and not (version == unknown and source_versions.is_unknown(planned.get(text, "")))
    ]
    if moved:
        raise Refused(f"{moved[0]} changed while it was built from", "run the command again: it plans anew")


def _links(warehouse: Warehouse, built: _Built, extra: tuple[Pointer, ...]) -> SideLinks:
    """Link what was built; what failed has no relation to link, and no gate will let it through."""
    nodes = built.loaded.project.nodes
    good = {
        nodes[result.unique_id].name for result in built.results if result.ok and result.unique_id in nodes
    }
    compiled = {result.unique_id: result.compiled for result in built.results if result.compiled}
    links = link(built.plan, nodes, built.planned, compiled, warehouse.linker)
    there = {pointer.address for pointer in built.live.pointers}
    fresh = tuple(IncomingTable(item.name, item.address) for item in extra if item.address not in there)
    return SideLinks(
        tables=(*(item for item in links.tables if item.source in good), *fresh),
        live=links.live,
        views=tuple(pair for pair in links.views if pair[1] in good),
    )


def _brought(links: SideLinks, sealed: SealedCandidate) -> tuple[IncomingTable, ...]:
    pinned = set(sealed.pinned)
    kept = [item for item in links.tables if item.address not in {*pinned, *sealed.unread}]
    return (*kept, *(IncomingTable(address, address) for address in sealed.pinned))


def _served(built: _Built) -> tuple[Pointer, ...]:
    """Return the nodes' pointers: none to what a hook dropped."""
    gone = {result.unique_id for result in built.results if result.status == DROPPED}
    return tuple(item for item in built.planned if item.node not in gone and not item.is_by_product)


def _there(reader: Reader) -> tuple[Name, ...]:
    """Return every relation of the side database, in order."""
    return tuple(Name(str(schema), str(identifier)) for schema, identifier in reader.query(RELATIONS).rows)


def _dropped_by_hooks(built: _Built, there: Collection[Name]) -> _Built:
    """Return the build with what became of relations that a hook dropped once they were built: with dbt, too, they are gone."""
    nodes, names = built.loaded.project.nodes, {name.folded for name in there}
    gone = {
        result.unique_id
        for result in built.results
        if result.ok and result.unique_id in nodes and nodes[result.unique_id].name.folded not in names
    }
    if not gone:
        return built
    served = {pointer.name.folded for pointer in built.live.pointers}
    results = tuple(
        dropped(
            result,
            nodes[result.unique_id].name,
            built.loaded.dbt.facts.post_hooks.get(result.unique_id, ()),
            is_served=nodes[result.unique_id].name.folded in served,
        )
        if result.unique_id in gone
        else result
        for result in built.results
    )
    return replace(built, results=results)


def _by_products(
    reader: Reader, warehouse: Warehouse, built: _Built, there: Collection[Name]
) -> tuple[Pointer, ...]:
    """Return pointers to what hooks and macros made or wrote to beside the nodes; unchanged ones stay where they are."""
    nodes = {node.name for node in built.loaded.project.nodes.values()}
    before = {pointer.name: pointer for pointer in built.live.pointers if pointer.is_by_product}
    foreign = {stub.name for stub in built.stubs} - set(before)
    audits = {result.relation.replace('"', "") for result in built.results if result.relation}
    found: list[Pointer] = []
    for name in there:
        is_audit = f"{warehouse.catalog}.{name}" in audits
        if name in nodes or name in foreign or is_audit or name.schema in (*_OURS, warehouse.store):
            continue
        found.append(_by_product(reader, warehouse, name, before.get(name), built.promotion.id[:6]))
    return tuple(found)


def _by_product(reader: Reader, warehouse: Warehouse, name: Name, old: Pointer | None, run: str) -> Pointer:
    relation = reader.at(name)
    try:
        columns = [[column.name, column.type] for column in reader.columns(relation)]
        content = digest([row_digest.content(relation, reader), columns])
    except QueryFailed as error:
        told = f"{name}, which a hook or a macro makes, cannot be read: {error}"
        raise Refused(told, "mend what makes it, then release again") from error
    if old is not None and old.fingerprint == content:
        return old
    return Pointer(
        name, address(warehouse.store, name, content, run), by_product(name), NodeKind.TABLE, content, ""
    )


def _relations(built: _Built, contents: CandidateContents) -> tuple[Relation, ...]:
    new = {item.address for item in contents.tables} | {item.address for item in contents.views}
    seconds = {result.unique_id: result.seconds for result in built.results}
    at = process.now()
    return tuple(
        Relation(
            address=pointer.address,
            node=pointer.node,
            kind=pointer.kind,
            fingerprint=pointer.fingerprint,
            inputs=pointer.inputs,
            promotion=built.promotion.id,
            state=RelationState.READY,
            rows=None,
            seconds=seconds.get(pointer.node),
            at=at,
        )
        for pointer in contents.pointers
        if pointer.address in new and not pointer.is_old_name
    )


def _files_written(moved: Mapping[str, Path]) -> Mapping[str, str]:
    """Return in words where files are that plain dbt would leave in the folder where it runs."""
    return {
        name: f"{name} is a file that the project writes: it is at {path} until the next build; write what people are to read"
        " after the release, from what is served then, or to an absolute path, where it is before any gate has judged it"
        for name, path in moved.items()
    }


def _notes(built: _Built, sealed: SealedCandidate) -> Mapping[str, str]:
    broken = set(sealed.broken)
    notes = {
        item.node: "a view that cannot be linked: served as a table, as it is now"
        for item in built.planned
        if item.address in broken
    }
    ours = {pointer.name for pointer in built.live.pointers}
    for stub in built.stubs:
        if stub.clone and stub.source == stub.name and stub.name not in ours:
            notes[str(stub.name)] = (
                f"hooks may write to {stub.name}, which is not Sluice's: what they wrote is not published"
            )
    return notes
