"""Edits of published rows that a commit declares: which relations they speak of, and what of them is not so. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from prefect_sluice.domain.counting import did_you_mean
from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.node import Name, short_name
from prefect_sluice.planning.expectations import ExpectedEdit
from prefect_sluice.planning.plan import Action, Plan, Step


@dataclass(frozen=True, slots=True)
class DeclaredEdit:
    """A relation that may have been edited, and the word for it."""

    pointer: Pointer
    word: ExpectedEdit


def declared(
    plan: Plan, kept: Iterable[Pointer], meant: Sequence[ExpectedEdit]
) -> Mapping[Name, DeclaredEdit]:
    """Return the relations that the edits speak of, by physical address: what serves now, and what kept generations serve
    (`kept`). Who has to delete a row has to delete it from all of them."""
    words = {step.name.folded: item for item in meant for step in _steps(plan, item)}
    served = [step.pointer for step in plan.steps if step.pointer is not None]
    return {
        pointer.address: DeclaredEdit(pointer, words[pointer.name.folded])
        for pointer in (*kept, *served)
        if pointer.name.folded in words and not pointer.is_old_name
    }


def empty(
    plan: Plan, meant: Sequence[ExpectedEdit], known: Mapping[Name, DeclaredEdit], edited: Collection[Name]
) -> tuple[tuple[ExpectedEdit, str], ...]:
    """Return the edits that are none, with why: of no relation that there is, or of one that holds what was published."""
    came_true = {known[address].word for address in edited if address in known}
    lost = {item: _nothing(plan, item) for item in meant if not _steps(plan, item)}
    return tuple(
        (item, lost.get(item, "it holds what was published")) for item in meant if item not in came_true
    )


def describe_unknown_edits(plan: Plan, meant: Sequence[ExpectedEdit]) -> str:
    """Return what there is to say of the edits that speak of no relation, "" for nothing."""
    found = [item for item in meant if not _steps(plan, item)]
    return (
        f"{found[0].where} declares an edit of {found[0].relation}: {_nothing(plan, found[0])}"
        if found
        else ""
    )


def _steps(plan: Plan, item: ExpectedEdit) -> list[Step]:
    return [step for step in _there(plan) if item.is_of(_names(step))]


def _there(plan: Plan) -> list[Step]:
    return [step for step in plan.steps if step.action is not Action.REMOVE]


def _names(step: Step) -> tuple[str, ...]:
    return (short_name(step.node), str(step.name), step.name.identifier, step.node)


def _nothing(plan: Plan, item: ExpectedEdit) -> str:
    known = [name for step in _there(plan) for name in _names(step)[:2]]
    near = did_you_mean(item.relation, known)
    return "; ".join(filter(None, ("there is no such relation", near)))
