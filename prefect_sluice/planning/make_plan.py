"""How a plan is made: what each node goes on from, what becomes of it, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from prefect_sluice.domain import adoption, old_names
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.old_names import OldName
from prefect_sluice.planning import history_by_name
from prefect_sluice.planning.explain import besides
from prefect_sluice.planning.plan import Action, Plan, Step, source_text
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Held, Note, Noted, Reason, some
from prefect_sluice.planning.refresh_subset import Versions, behind, built_after, built_from, source_texts


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What a plan is made from. `versions` are those of the sources by their text, `kept` all pointers of kept
    generations by public name, fingerprint and inputs, `before` the notes of the release that serves now (None: first),
    `unbound` are tests that hang on no node (on a source, or on names written by hand): they run whenever anything changes.
    `held` are nodes that keep what is live, however stale, with why; `select` and `instead` are as in the plan. `resting` is
    the history, by folded public name, of what nothing serves now. `live` and `before` bear the unique ids of today.
    `old_names` are those that are served now, `old_names_for` how long a new one is. `last_generations` are the newest that have
    each relation, by its address."""

    environment: str
    cause: Cause
    release: str
    nodes: Mapping[str, Node]
    tests: Mapping[str, str]
    versions: Mapping[str, str]
    live: Generation
    kept: Mapping[tuple[str, str, str], Pointer]
    before: NotesBefore | None
    unbound: frozenset[str] = frozenset()
    held: Mapping[str, Held] = field(default_factory=dict[str, Held])
    select: tuple[str, ...] = ()
    instead: str = ""
    old_names: tuple[OldName, ...] = ()
    old_names_for: timedelta = timedelta(0)
    resting: Mapping[Name, Pointer] = field(default_factory=dict[Name, Pointer])
    last_generations: Mapping[Name, int] = field(default_factory=dict[Name, int])


@dataclass(frozen=True, slots=True)
class _Past:
    """What a plan goes on from: `served` by unique id, `history` the same with what serves nothing now, or served another
    name; `same` are nodes whose code did not change though their ids or names did; `edited` those whose own text changed;
    `renames` what served under another name and id."""

    served: Mapping[str, Pointer]
    history: Mapping[str, Pointer]
    same: frozenset[str]
    edited: frozenset[str]
    renames: history_by_name.Renames


def _past(facts: PlanInputs, edited: Sequence[str]) -> _Past:
    served = facts.live.by_node()
    renames = history_by_name.renames(facts.nodes, served, facts.before, facts.resting)
    older = history_by_name.older(facts.nodes, served, facts.resting, renames)
    moved = any(
        uid in served and served[uid].name.folded != node.name.folded for uid, node in facts.nodes.items()
    )
    same = history_by_name.same_code(facts.nodes, facts.before, renames, moved=moved)
    return _Past(served, older, same, frozenset(edited), renames)


def make_plan(facts: PlanInputs) -> Plan:
    """Return the plan. Touches nothing; the same question gives the same plan."""
    edited = tuple(
        uid
        for uid, node in facts.nodes.items()
        if facts.before is None or facts.before.nodes.get(uid) != node.own
    )
    steps: dict[str, Step] = {}
    past = _past(facts, edited)
    inputs = _inputs(facts, past)
    for uid, node in facts.nodes.items():
        steps[uid] = _decide(facts, past, node, inputs[uid], steps)
    tests = {
        uid
        for uid, text in facts.tests.items()
        if facts.before is None or facts.before.tests.get(uid) != text
    }
    builds = any(step.action.makes for step in steps.values())
    others = (*_by_products(facts.live, builds), *_removed(facts, past, steps))
    old = _old_names(facts, past, others)
    if any(step.moves for step in steps.values()):
        tests |= facts.unbound
    notes = NotesBefore(
        {uid: node.own for uid, node in facts.nodes.items()},
        dict(facts.tests),
        dict(facts.versions),
        {uid: node.makeup for uid, node in facts.nodes.items() if node.makeup.whole},
        _behind(facts),
        facts.before.former if facts.before else {},
    )
    return Plan(
        environment=facts.environment,
        cause=facts.cause,
        release=facts.release,
        base=facts.live.number,
        base_release=facts.live.release,
        steps=(*steps.values(), *others),
        edited=edited,
        tests=tuple(
            sorted(tests)
        ),  # dbt lists them otherwise when it parses a part anew: an approval binds this document
        notes=notes,
        select=facts.select,
        held={uid: why for uid, why in facts.held.items() if uid in facts.live.by_node()},
        instead=facts.instead,
        old_names=old,
        ended=tuple(
            old_name
            for old_name in facts.old_names
            if old_name.name not in {old_name.name for old_name in old}
        ),
    )


def _old_names(facts: PlanInputs, past: _Past, others: Iterable[Step]) -> tuple[OldName, ...]:
    nodes = facts.nodes
    shifted = {**{uid: past.served[uid] for uid in nodes if uid in past.served}, **past.renames.certain}
    renamed = [
        (pointer.name, nodes[uid].name)
        for uid, pointer in shifted.items()
        if pointer.name.folded != nodes[uid].name.folded
    ]
    taken = {step.name.folded for step in others if step.action is not Action.REMOVE}
    today = taken | {node.name.folded for node in nodes.values()}
    return old_names.following(facts.old_names, renamed, today, facts.old_names_for)


def _behind(facts: PlanInputs) -> Mapping[str, Mapping[str, str]]:
    # What is not held is unchanged, so built from these versions, or will be.
    after = built_after(
        facts.nodes, live_versions(facts), facts.versions, facts.nodes.keys() - facts.held.keys()
    )
    return behind(after, facts.versions)


def live_versions(facts: PlanInputs) -> Mapping[str, Versions]:
    """Return the versions of the sources that each live node was built from."""
    notes = facts.before or NotesBefore({}, {})
    return built_from(facts.nodes, facts.live.by_node(), notes.versions, notes.behind)


def _inputs(facts: PlanInputs, past: _Past) -> Mapping[str, str]:
    live = past.served
    inputs_by_node: dict[str, str] = {}
    for uid, node in facts.nodes.items():
        own = {text: facts.versions.get(text, "") for text in source_texts(node)}
        above = [inputs_by_node[parent] for parent in node.parents if parent in inputs_by_node]
        now = digest({"sources": own, "parents": above})
        inputs_by_node[uid] = history_by_name.with_history(node, now, past.history.get(uid), past.same)
        if uid in facts.held and uid in live:
            inputs_by_node[uid] = live[uid].inputs
    return inputs_by_node


def _decide(facts: PlanInputs, past: _Past, node: Node, inputs: str, done: Mapping[str, Step]) -> Step:
    live, before = past.served.get(node.unique_id), past.history.get(node.unique_id)
    kept = facts.kept.get((str(node.name.folded), node.fingerprint, inputs))
    goes_on = before is not None and history_by_name.carries(node, before, past.same)

    def step(action: Action, reason: Reason, pointer: Pointer | None = None) -> Step:
        note = Note(Noted.AS_TABLE) if node.kind is NodeKind.VIEW and node.reads_outside else None
        if before and action.makes:
            note = history_by_name.note(node, before, past.same) or note
        if not before and node.unique_id in past.renames.unsure:
            note = history_by_name.doubt(past.renames.unsure[node.unique_id])
        if before and action is Action.BUILD and before.kind.keeps_history:
            pointer = before
        return Step(
            action, node.unique_id, node.name, node.kind, reason, node.fingerprint, inputs, pointer, note
        )

    if live and node.unique_id in facts.held:
        held = step(Action.REUSE, Reason(Because.UNCHANGED), live)
        return replace(held, note=Note(Noted.OTHER, str(facts.held[node.unique_id])))
    if live and (live.fingerprint, live.inputs, live.name) == (node.fingerprint, inputs, node.name):
        moved = _moved(facts, node, done, past.served)
        return (
            step(Action.BUILD, Reason(Because.LINKED_TO, some(moved)))
            if moved
            else step(Action.REUSE, Reason(Because.UNCHANGED), live)
        )
    if kept and kept.name == node.name and (live or not before or (goes_on and not _is_renamed(past, node))):
        # Which addresses a view of then reads, nobody knows; to link it anew moves no data.
        if node.stays_a_view:
            return step(Action.BUILD, _kept_reason(facts, kept, Because.LINKED_ANEW, Because.LINKED_ANEW_OF))
        reason = _kept_reason(facts, kept, Because.KEPT, Because.KEPT_OF)
        return step(Action.REUSE, reason, replace(kept, node=node.unique_id))
    reason = _reason(facts, node, inputs, past, done)
    return step(Action.CARRY, reason, before) if goes_on else step(Action.BUILD, reason)


def _kept_reason(facts: PlanInputs, kept: Pointer, plain: Because, numbered: Because) -> Reason:
    number = facts.last_generations.get(kept.address)
    return Reason(numbered, str(number)) if number else Reason(plain)


def _is_renamed(past: _Past, node: Node) -> bool:
    """Say whether a node's history is under another name: it has to be taken along, whatever is kept of this one."""
    before = past.history.get(node.unique_id)
    return before is not None and before.name.folded != node.name.folded


def _moved(
    facts: PlanInputs, node: Node, done: Mapping[str, Step], served: Mapping[str, Pointer]
) -> list[str]:
    """Return the parents that a view would still read at the address that they leave: a view's query is text, and holds
    the addresses of the day it was made. Empty for what is served as a table."""
    if not node.stays_a_view:
        return []
    chosen = {parent: done[parent].pointer for parent in node.parents if parent in done}
    return [
        facts.nodes[parent].short
        for parent, pointer in chosen.items()
        if done[parent].action.makes
        or pointer is None
        or parent not in served
        or pointer.address != served[parent].address
    ]


def _reason(facts: PlanInputs, node: Node, inputs: str, past: _Past, done: Mapping[str, Step]) -> Reason:
    live, before = past.served.get(node.unique_id), past.history.get(node.unique_id)
    renamed = past.renames.certain.get(node.unique_id)
    if renamed is not None:
        return Reason(Because.RENAMED, str(renamed.name))
    if live is None and before is not None:
        goes_on = history_by_name.carries(node, before, past.same)
        return Reason(Because.BACK if goes_on else Because.BACK_OTHERWISE)
    if live is None:
        return Reason(Because.NEW)
    if adoption.is_adopted(live):
        goes_on = history_by_name.carries(node, live, past.same)
        return Reason(Because.ADOPTED if goes_on else Because.ADOPTED_ANEW)
    if live.name.folded != node.name.folded and node.unique_id in past.same:
        return Reason(Because.MOVED)
    if node.unique_id in past.edited:
        return besides(node.makeup, facts.before.makeup.get(node.unique_id) if facts.before else None)
    if node.unique_id in past.same and live.name == node.name and live.fingerprint != node.fingerprint:
        return Reason(Because.OTHER_ID)
    moved = [
        facts.nodes[parent].short for parent in node.parents if parent in done and done[parent].action.makes
    ]
    if live.fingerprint != node.fingerprint:
        return Reason(Because.READS, some(moved)) if moved else Reason(Because.BUILT_FROM)
    fresh = [source_text(text) for text in source_texts(node)]
    if live.inputs != inputs:
        # Nothing that it reads is built or a source: after a rollback, what it reads is of another generation.
        read = [facts.nodes[parent].short for parent in node.parents if parent in facts.nodes]
        return Reason(Because.NEW_DATA, some(moved or fresh or read))
    return Reason(Because.MOVED)


def _by_products(live: Generation, builds: bool) -> tuple[Step, ...]:
    # Never removed: a hook may make its names as it runs, and what such a table holds is history.
    action, because = (Action.CARRY, Because.HOOKS) if builds else (Action.REUSE, Because.UNCHANGED)
    return tuple(
        Step(
            action,
            pointer.node,
            pointer.name,
            pointer.kind,
            Reason(because),
            pointer.fingerprint,
            pointer.inputs,
            pointer,
        )
        for pointer in live.pointers
        if pointer.is_by_product
    )


def _removed(facts: PlanInputs, past: _Past, steps: Mapping[str, Step]) -> tuple[Step, ...]:
    along = {
        step.pointer.address: step.name
        for step in steps.values()
        if step.action is Action.CARRY and step.pointer
    }
    renamed = {pointer.node: facts.nodes[uid].name for uid, pointer in past.renames.certain.items()}
    gone = [
        pointer
        for pointer in facts.live.pointers
        if pointer.node not in facts.nodes and not pointer.is_by_product
    ]
    return tuple(
        Step(
            Action.REMOVE,
            pointer.node,
            pointer.name,
            pointer.kind,
            Reason(Because.NAMED, str(renamed[pointer.node]))
            if pointer.node in renamed
            else Reason(Because.GONE),
            pointer=pointer,
            note=history_by_name.describe_leaving(pointer, along),
        )
        for pointer in gone
    )
