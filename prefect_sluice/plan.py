"""Release against an environment: per node reuse, build, carry over or remove, with the reason. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from prefect_sluice import adoption, history
from prefect_sluice.canonical import Json, digest
from prefect_sluice.cut import Versions, behind, built_after, built_from, source_texts
from prefect_sluice.generation import Cause, Generation, Pointer
from prefect_sluice.node import Kind, Name, Node
from prefect_sluice.notes import Before

BY_PRODUCT = "hook."
"""How the unique id of a relation begins that no node but a hook or macro of the project made."""


class Action(StrEnum):
    """What the plan does with one relation."""

    REUSE = "reuse"
    BUILD = "build"
    CARRY = "carry over"
    REMOVE = "remove"

    @property
    def makes(self) -> bool:
        """Say whether a new physical relation comes of it."""
        return self in {Action.BUILD, Action.CARRY}


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one relation, and why. `pointer` is what is reused (REUSE), cloned (CARRY), no longer served (REMOVE),
    or kept a history that this does not go on with (BUILD); `note` says where it will be another thing than the project
    asked for."""

    action: Action
    node: str
    name: Name
    kind: Kind
    reason: str
    fingerprint: str = ""
    inputs: str = ""
    pointer: Pointer | None = None
    note: str = ""

    @property
    def loses_history(self) -> bool:
        """Say whether rows that only the past has are not taken along: the gate `diff` says which."""
        return self.action is Action.BUILD and self.pointer is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole plan. `steps` are in build order; `tests` are new or changed dbt tests; `edited` nodes whose own text changed.

    `notes` are the digests by which the next plan sees what changed; `adopted` is what a first release takes over.
    `select` are the dbt selectors it was asked for, `held` the stale nodes that keep what is live, with why; `instead` is
    the digest of the plan that this is what is left of.
    """

    environment: str
    cause: Cause
    release: str
    base: int
    base_release: str
    steps: tuple[Step, ...]
    edited: tuple[str, ...]
    tests: tuple[str, ...]
    notes: Before
    adopted: tuple[adoption.Adopted, ...] = ()
    select: tuple[str, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict[str, str])
    instead: str = ""

    def of(self, *actions: Action) -> tuple[Step, ...]:
        """Return the steps with one of these actions, in order."""
        return tuple(step for step in self.steps if step.action in actions)

    @property
    def made(self) -> tuple[str, ...]:
        """Unique ids of the nodes that are built or carried over, in build order; by-products are left out."""
        return tuple(
            step.node for step in self.steps if step.action.makes and not step.node.startswith(BY_PRODUCT)
        )

    @property
    def relinked(self) -> tuple[str, ...]:
        """Unique ids of nodes that go back to a relation built earlier: nothing is built, but readers see another one."""
        back = (step for step in self.of(Action.REUSE) if step.reason != UNCHANGED)
        return tuple(step.node for step in back if not step.node.startswith(BY_PRODUCT))

    @property
    def changes_nothing(self) -> bool:
        """Say whether every pointer stays as it is."""
        return all(step.action is Action.REUSE and step.reason == UNCHANGED for step in self.steps)

    def document(self) -> Json:
        """Return the plan as a JSON document; approvals bind its digest."""
        return {
            "environment": self.environment,
            "cause": self.cause.value,
            "release": self.release,
            "base": self.base,
            "base_release": self.base_release,
            "steps": [_step(step) for step in self.steps],
            "edited": list(self.edited),
            "tests": list(self.tests),
            "notes": self.notes.document(),
            "select": list(self.select),
            "held": dict(self.held),
            "instead": self.instead,
            **({"adopted": adoption.document(self.adopted)} if self.adopted else {}),
        }

    @property
    def takers(self) -> Mapping[Name, adoption.Taker]:
        """The nodes by their public names in lower case: what is adopted becomes their history."""
        return {step.name.folded: adoption.Taker(step.node, step.kind) for step in self.steps}

    @property
    def ids(self) -> Mapping[Name, str]:
        """The unique ids of the nodes by their public names, folded: what served before is known by its name."""
        there = (step for step in self.steps if step.action is not Action.REMOVE)
        return {step.name.folded: step.node for step in there}

    def base_of(self, live: Generation) -> Generation:
        """Return what the build starts from, under the unique ids of today: `live`, or what a first release adopts, where it
        stands until the publish."""
        if not live.number:
            return adoption.before_moving(live, self.adopted, self.takers)
        return live.known_as(self.ids)

    @property
    def digest(self) -> str:
        """The SHA-256 of the document."""
        return digest(self.document())


def _step(step: Step) -> Json:
    return {
        "action": step.action.value,
        "node": step.node,
        "name": str(step.name),
        "kind": step.kind.value,
        "reason": step.reason,
        "fingerprint": step.fingerprint,
        "inputs": step.inputs,
        "address": str(step.pointer.address) if step.pointer else "",
        "note": step.note,
    }


UNCHANGED = "unchanged"
NEW = "new"
BACK = "served again"
RENAMED = "renamed from "
OTHER_ID = "known by another id: its code is the same"
ANEW = "built before; a view is linked anew"
_SAID = {"clock:day": "the day", "clock:now": "the clock", "random": "chance"}
AS_TABLE = "a view over a source, served as a table: as a view it would show rows that no gate has seen"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan is made from. `versions` are those of the sources by their text, `kept` all pointers of kept
    generations by public name, fingerprint and inputs, `before` the notes of the release that serves now (None: first),
    `unbound` are tests that hang on no node (on a source, or on names written by hand): they run whenever anything changes.
    `held` are nodes that keep what is live, however stale, with why; `select` and `instead` are as in the plan. `resting` is
    the history, by folded public name, of what nothing serves now. `live` and `before` bear the unique ids of today."""

    environment: str
    cause: Cause
    release: str
    nodes: Mapping[str, Node]
    tests: Mapping[str, str]
    versions: Mapping[str, str]
    live: Generation
    kept: Mapping[tuple[str, str, str], Pointer]
    before: Before | None
    unbound: frozenset[str] = frozenset()
    held: Mapping[str, str] = field(default_factory=dict[str, str])
    select: tuple[str, ...] = ()
    instead: str = ""
    resting: Mapping[Name, Pointer] = field(default_factory=dict[Name, Pointer])


@dataclass(frozen=True, slots=True)
class _Past:
    """What a plan goes on from: `served` by unique id, `history` the same with what serves nothing now, or served another
    name; `same` are nodes whose code did not change though their ids did; `edited` those whose own text changed."""

    served: Mapping[str, Pointer]
    history: Mapping[str, Pointer]
    same: frozenset[str]
    edited: frozenset[str]


def _past(asked: Asked, edited: Sequence[str]) -> _Past:
    served = asked.live.by_node()
    older = history.older(asked.nodes, served, asked.resting)
    return _Past(served, older, history.same_code(asked.nodes, asked.before), frozenset(edited))


def make_plan(asked: Asked) -> Plan:
    """Return the plan. Touches nothing; the same question gives the same plan."""
    edited = tuple(
        uid
        for uid, node in asked.nodes.items()
        if asked.before is None or asked.before.nodes.get(uid) != node.own
    )
    steps: dict[str, Step] = {}
    past = _past(asked, edited)
    inputs = _inputs(asked, past)
    for uid, node in asked.nodes.items():
        steps[uid] = _decide(asked, past, node, inputs[uid], steps)
    tests = {
        uid
        for uid, text in asked.tests.items()
        if asked.before is None or asked.before.tests.get(uid) != text
    }
    builds = any(step.action.makes for step in steps.values())
    others = (*_by_products(asked.live, builds), *_removed(asked, steps.values()))
    if any(step.action.makes or step.reason != UNCHANGED for step in steps.values()):
        tests |= asked.unbound
    notes = Before(
        {uid: node.own for uid, node in asked.nodes.items()},
        dict(asked.tests),
        dict(asked.versions),
        {uid: node.makeup for uid, node in asked.nodes.items() if node.makeup.whole},
        _behind(asked),
        asked.before.former if asked.before else {},
    )
    return Plan(
        environment=asked.environment,
        cause=asked.cause,
        release=asked.release,
        base=asked.live.number,
        base_release=asked.live.release,
        steps=(*steps.values(), *others),
        edited=edited,
        tests=tuple(
            sorted(tests)
        ),  # dbt lists them otherwise when it parses a part anew: an approval binds this document
        notes=notes,
        select=asked.select,
        held={uid: why for uid, why in asked.held.items() if uid in asked.live.by_node()},
        instead=asked.instead,
    )


def _behind(asked: Asked) -> Mapping[str, Mapping[str, str]]:
    # What is not held is unchanged, so built from these versions, or will be.
    after = built_after(
        asked.nodes, live_versions(asked), asked.versions, asked.nodes.keys() - asked.held.keys()
    )
    return behind(after, asked.versions)


def live_versions(asked: Asked) -> Mapping[str, Versions]:
    """Return the versions of the sources that each live node was built from."""
    notes = asked.before or Before({}, {})
    return built_from(asked.nodes, asked.live.by_node(), notes.versions, notes.behind)


def _inputs(asked: Asked, past: _Past) -> Mapping[str, str]:
    live = past.served
    found: dict[str, str] = {}
    for uid, node in asked.nodes.items():
        own = {text: asked.versions.get(text, "") for text in source_texts(node)}
        above = [found[parent] for parent in node.parents if parent in found]
        now = digest({"sources": own, "parents": above})
        found[uid] = history.with_history(node, now, past.history.get(uid), past.same)
        if uid in asked.held and uid in live:
            found[uid] = live[uid].inputs
    return found


def _decide(asked: Asked, past: _Past, node: Node, inputs: str, done: Mapping[str, Step]) -> Step:
    live, before = past.served.get(node.unique_id), past.history.get(node.unique_id)
    kept = asked.kept.get((str(node.name.folded), node.fingerprint, inputs))
    goes_on = before is not None and history.carries(node, before, past.same)

    def step(action: Action, reason: str, pointer: Pointer | None = None) -> Step:
        note = AS_TABLE if node.kind is Kind.VIEW and node.reads_outside else ""
        if before and action.makes:
            note = history.note(node, before, past.same) or note
        if before and action is Action.BUILD and before.kind.keeps_history:
            pointer = before
        return Step(
            action, node.unique_id, node.name, node.kind, reason, node.fingerprint, inputs, pointer, note
        )

    if live and node.unique_id in asked.held:
        return replace(step(Action.REUSE, UNCHANGED, live), note=asked.held[node.unique_id])
    if live and (live.fingerprint, live.inputs, live.name) == (node.fingerprint, inputs, node.name):
        moved = _moved(asked, node, done, past.served)
        return (
            step(Action.BUILD, f"linked to the new {some(moved)}")
            if moved
            else step(Action.REUSE, UNCHANGED, live)
        )
    if kept and kept.name == node.name and (live or not before or goes_on):
        # Which addresses a view of then reads, nobody knows; to link it anew moves no data.
        anew = node.stays_a_view
        reused = replace(kept, node=node.unique_id)
        return step(Action.BUILD, ANEW) if anew else step(Action.REUSE, "built before, and kept", reused)
    reason = _reason(asked, node, inputs, past, done)
    return step(Action.CARRY, reason, before) if goes_on else step(Action.BUILD, reason)


def _moved(asked: Asked, node: Node, done: Mapping[str, Step], served: Mapping[str, Pointer]) -> list[str]:
    """Return the parents that a view would still read at the address that they leave: a view's query is text, and holds
    the addresses of the day it was made. Empty for what is served as a table."""
    if not node.stays_a_view:
        return []
    chosen = {parent: done[parent].pointer for parent in node.parents if parent in done}
    return [
        asked.nodes[parent].short
        for parent, pointer in chosen.items()
        if done[parent].action.makes
        or pointer is None
        or parent not in served
        or pointer.address != served[parent].address
    ]


def _reason(asked: Asked, node: Node, inputs: str, past: _Past, done: Mapping[str, Step]) -> str:
    live, before = past.served.get(node.unique_id), past.history.get(node.unique_id)
    if live is None and before is not None and before.name.folded != node.name.folded:
        return f"{RENAMED}{before.name}, by its text, which is the same"
    if live is None and before is not None:
        return BACK if history.carries(node, before, past.same) else f"{BACK}, by other code"
    if live is None:
        return NEW
    if adoption.is_adopted(live):
        goes_on = history.carries(node, live, past.same)
        return "adopted, and its history goes on" if goes_on else "adopted, and built anew"
    if node.unique_id in past.edited:
        return "its own code changed"
    if node.unique_id in past.same and live.name == node.name and live.fingerprint != node.fingerprint:
        return OTHER_ID
    moved = [
        asked.nodes[parent].short for parent in node.parents if parent in done and done[parent].action.makes
    ]
    if live.fingerprint != node.fingerprint:
        return f"reads {some(moved)}" if moved else "what it is built from changed"
    fresh = [source_said(text) for text in source_texts(node)]
    if live.inputs != inputs:
        return f"new data in {some(moved or fresh)}"
    return "moved to another name"


def source_said(text: str) -> str:
    """Return a source's text as people call it: a relation, a file, the day."""
    return _SAID.get(text.partition(" ")[0], text.split(":", 1)[-1])


def some(names: Sequence[str], most: int = 2) -> str:
    """Return names in words: the first of them, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _by_products(live: Generation, builds: bool) -> tuple[Step, ...]:
    # Never removed: a hook may make its names as it runs, and what such a table holds is history.
    action, reason = (Action.CARRY, "hooks write to it") if builds else (Action.REUSE, UNCHANGED)
    return tuple(
        Step(action, item.node, item.name, item.kind, reason, item.fingerprint, item.inputs, item)
        for item in live.pointers
        if item.node.startswith(BY_PRODUCT)
    )


def _removed(asked: Asked, steps: Iterable[Step]) -> tuple[Step, ...]:
    along = {
        step.pointer.address: step.name for step in steps if step.action is Action.CARRY and step.pointer
    }
    gone = [
        pointer
        for pointer in asked.live.pointers
        if pointer.node not in asked.nodes and not pointer.node.startswith(BY_PRODUCT)
    ]
    return tuple(
        Step(
            Action.REMOVE,
            pointer.node,
            pointer.name,
            pointer.kind,
            "no longer in the project",
            pointer=pointer,
            note=history.left(pointer, along),
        )
        for pointer in gone
    )
