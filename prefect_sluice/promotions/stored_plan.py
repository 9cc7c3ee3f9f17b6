"""A plan, read back from the document that the bundle store keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.domain import adoption, old_names, worded
from prefect_sluice.domain.generation import Cause, Pointer
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Held, HeldBy, Noted

if TYPE_CHECKING:
    from prefect_sluice.workspace.workspace import Workspace


def stored_plan(workspace: Workspace, digest: str) -> Plan:
    """Return the plan of that digest; its own digest is the same. Raises BundleDamaged, and BadInput when it
    is missing."""
    raw = cast(Mapping[str, Any], workspace.bundles.get_document(digest))
    return Plan(
        environment=raw["environment"],
        cause=Cause(raw["cause"]),
        release=raw["release"],
        base=raw["base"],
        base_release=raw["base_release"],
        steps=tuple(_step(item) for item in raw["steps"]),
        edited=tuple(raw["edited"]),
        tests=tuple(raw["tests"]),
        notes=NotesBefore.read(raw["notes"]),
        adopted=adoption.read(raw.get("adopted", [])),
        select=tuple(raw.get("select", ())),
        held=stored_held(raw),
        instead=raw.get("instead", ""),
        old_names=old_names.read(raw.get("old_names", [])),
        ended=old_names.read(raw.get("ended_names", [])),
    )


def stored_held(document: Mapping[str, Any]) -> Mapping[str, Held]:
    """Return the nodes that a plan's document holds back, with why; an older plan held none."""
    return {uid: worded.read(HeldBy, text) for uid, text in document.get("held", {}).items()}


def _step(raw: Mapping[str, Any]) -> Step:
    name, kind = Name.parse(raw["name"]), NodeKind(raw["kind"])
    # The document holds of a pointer its address only; what else it had is the step's own.
    pointer = (
        Pointer(name, Name.parse(raw["address"]), raw["node"], kind, raw["fingerprint"], raw["inputs"])
        if raw["address"]
        else None
    )
    return Step(
        Action(raw["action"]),
        raw["node"],
        name,
        kind,
        worded.read(Because, raw["reason"]),
        raw["fingerprint"],
        raw["inputs"],
        pointer,
        worded.read(Noted, raw["note"]) if raw["note"] else None,
    )
