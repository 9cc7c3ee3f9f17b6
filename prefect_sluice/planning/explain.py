"""Explanation of one node's step in a plan: its fingerprint parts against those of what serves. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import FingerprintParts, Ingredient, Node
from prefect_sluice.planning.plan import Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason, some
from prefect_sluice.planning.refresh_subset import source_texts

_CALLED = {
    Ingredient.WHOLE_PROJECT.value: "dbt's graph",
    Ingredient.SEED.value: "its file",
    Ingredient.READS.value: "what it refers to",
}
"""How a plan's line calls an ingredient whose own name says too little there."""


class Extent(StrEnum):
    """How much of a changed parent a node reads of what changed."""

    COLUMNS = "columns"
    """Those that are named: none, one or several."""
    ROWS = "rows"
    ALL = "all of it"


@dataclass(frozen=True, slots=True)
class ChangedParent:
    """A parent that is another than what serves. `extent` says how much of the change is read; `columns` are those
    that changed and are read, `unread` those that changed and are not; `doubt` is what keeps columns from being told apart."""

    node: str
    extent: Extent
    columns: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    doubt: str = ""

    def document(self) -> Json:
        """Return it as JSON."""
        read = self.columns if self.extent is Extent.COLUMNS else (self.extent.value,)
        return {"node": self.node, "read": list(read), "unread": list(self.unread), "doubt": self.doubt}


@dataclass(frozen=True, slots=True)
class StepReasons:
    """What speaks for one step. `changed` are ingredients of the node's own ("code", "var threshold"); `fresh` are
    sources with new data; `noted` says that there are notes of what serves to compare with."""

    step: Step
    noted: bool
    changed: tuple[str, ...] = ()
    above: tuple[ChangedParent, ...] = ()
    fresh: tuple[str, ...] = ()

    def document(self) -> Json:
        """Return it as JSON."""
        return {
            "node": self.step.node,
            "name": str(self.step.name),
            "action": self.step.action.value,
            "reason": str(self.step.reason),
            "compared": self.noted,
            "changed": list(self.changed),
            "parents": [parent.document() for parent in self.above],
            "new_data": list(self.fresh),
        }


def why(plan: Plan, before: NotesBefore | None, nodes: Mapping[str, Node], uid: str) -> StepReasons:
    """Return why the plan does what it does with the node `uid`; `before` are the notes of what serves, `nodes` the
    plan's nodes."""
    step = next(step for step in plan.steps if step.node == uid)
    now = plan.notes.makeup
    if before is None or uid not in now or uid not in before.makeup:
        return StepReasons(step, noted=False)
    then = before.makeup
    fresh = [
        text
        for text in source_texts(nodes[uid])
        if before.versions.get(text, "") != plan.notes.versions.get(text, "")
    ]
    return StepReasons(step, True, _own(now[uid], then[uid]), _above(now, then, uid), tuple(fresh))


def besides(now: FingerprintParts, then: FingerprintParts | None) -> Reason:
    """Return what of a node's own is another than it was, where that is not its text. Pure."""
    changed = _own(now, then) if then else ()
    if not changed or Ingredient.CODE in changed:
        return Reason(Because.OWN_CODE)
    because = Because.GRAPH if changed == (Ingredient.WHOLE_PROJECT,) else Because.OWN
    return Reason(because, some([_CALLED.get(name, name) for name in changed]))


def _own(now: FingerprintParts, then: FingerprintParts) -> tuple[str, ...]:
    """Return the ingredients of a node's own that differ: for a compiled text that is another, as its template is not, what the
    template made it from."""
    changed = _changed(now.parts, then.parts)
    made_from = (
        _changed(now.compiled_from, then.compiled_from) if now.compiled_from and then.compiled_from else ()
    )
    if Ingredient.CODE not in changed or not made_from or Ingredient.CODE in made_from:
        return changed
    return tuple(dict.fromkeys((*made_from, *(name for name in changed if name != Ingredient.CODE))))


def _changed(now: Mapping[str, str], then: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ingredients that differ, came or went, the code first."""
    names = sorted(now.keys() | then.keys(), key=lambda name: (name != Ingredient.CODE, name))
    return tuple(name for name in names if now.get(name) != then.get(name))


def _above(
    now: Mapping[str, FingerprintParts], then: Mapping[str, FingerprintParts], uid: str
) -> tuple[ChangedParent, ...]:
    parents = {**then[uid].reads, **now[uid].reads}
    parent_changes = (
        _parent(parent, now.get(parent), then.get(parent), columns)
        for parent, columns in sorted(parents.items())
    )
    return tuple(change for change in parent_changes if change)


def _parent(
    uid: str, now: FingerprintParts | None, then: FingerprintParts | None, columns: tuple[str, ...] | None
) -> ChangedParent | None:
    if now is None or then is None:
        return ChangedParent(uid, Extent.ALL)
    if now.whole == then.whole:
        return None
    if columns is None or not (now.rows and then.rows):
        return ChangedParent(uid, Extent.ALL, doubt=now.doubt or then.doubt)
    if now.rows != then.rows:
        return ChangedParent(uid, Extent.ROWS)
    names = sorted(now.columns.keys() | then.columns.keys())
    moved = [name for name in names if now.columns.get(name, "") != then.columns.get(name, "")]
    read = tuple(name for name in moved if name in columns)
    return ChangedParent(uid, Extent.COLUMNS, read, () if read else tuple(moved))
