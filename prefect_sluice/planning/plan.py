"""Release against an environment: per node reuse, build, carry over or remove, with the reason. How a plan is made is in
`planner`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from prefect_sluice.domain import adoption
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.generation import Cause, Generation, Pointer, is_by_product
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.domain.old_names import OldName
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Held, Note, Reason


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
    kind: NodeKind
    reason: Reason
    fingerprint: str = ""
    inputs: str = ""
    pointer: Pointer | None = None
    note: Note | None = None

    @property
    def moves(self) -> bool:
        """Say whether it gives a name another relation, or takes it away."""
        return self.action is not Action.REUSE or self.reason.kind is not Because.UNCHANGED

    @property
    def is_by_product(self) -> bool:
        """Say whether it is of what a hook or macro made beside the nodes."""
        return is_by_product(self.node)

    @property
    def loses_history(self) -> bool:
        """Say whether rows that only the past has are not taken along: Stage says which (`losses`)."""
        return self.action is Action.BUILD and self.pointer is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole plan. `steps` are in build order; `tests` are new or changed dbt tests; `edited` nodes whose own text changed.

    `notes` are the digests by which the next plan sees what changed; `adopted` is what a first release takes over.
    `select` are the dbt selectors it was asked for, `held` the stale nodes that keep what is live, with why; `instead` is
    the digest of the plan that this is what is left of. `old_names` are those that are served beside the relations, `ended`
    those that end with this.
    """

    environment: str
    cause: Cause
    release: str
    base: int
    base_release: str
    steps: tuple[Step, ...]
    edited: tuple[str, ...]
    tests: tuple[str, ...]
    notes: NotesBefore
    adopted: tuple[adoption.Adopted, ...] = ()
    select: tuple[str, ...] = ()
    held: Mapping[str, Held] = field(default_factory=dict[str, Held])
    instead: str = ""
    old_names: tuple[OldName, ...] = ()
    ended: tuple[OldName, ...] = ()

    def of(self, *actions: Action) -> tuple[Step, ...]:
        """Return the steps with one of these actions, in order."""
        return tuple(step for step in self.steps if step.action in actions)

    @property
    def made(self) -> tuple[str, ...]:
        """Unique ids of the nodes that are built or carried over, in build order; by-products are left out."""
        return tuple(step.node for step in self.steps if step.action.makes and not step.is_by_product)

    @property
    def relinked(self) -> tuple[str, ...]:
        """Unique ids of nodes that go back to a relation built earlier: nothing is built, but readers see another one."""
        return tuple(step.node for step in self.of(Action.REUSE) if step.moves and not step.is_by_product)

    @property
    def changes_nothing(self) -> bool:
        """Say whether every pointer stays as it is."""
        return not any(step.moves for step in self.steps)

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
            "held": {uid: str(why) for uid, why in self.held.items()},
            "instead": self.instead,
            **({"adopted": adoption.document(self.adopted)} if self.adopted else {}),
            **({"old_names": [old_name.document() for old_name in self.old_names]} if self.old_names else {}),
            **({"ended_names": [old_name.document() for old_name in self.ended]} if self.ended else {}),
        }

    @property
    def takers(self) -> Mapping[Name, adoption.AdoptionTarget]:
        """The nodes by their public names in lower case: what is adopted becomes their history."""
        return {step.name.folded: adoption.AdoptionTarget(step.node, step.kind) for step in self.steps}

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
        "reason": str(step.reason),
        "fingerprint": step.fingerprint,
        "inputs": step.inputs,
        "address": str(step.pointer.address) if step.pointer else "",
        "note": str(step.note) if step.note else "",
    }


_SAID = {"clock:day": "the day", "clock:now": "the clock", "random": "chance"}


def source_text(text: str) -> str:
    """Return a source's text as people call it: a relation, a file, the day."""
    return _SAID.get(text.partition(" ")[0], text.split(":", 1)[-1])
