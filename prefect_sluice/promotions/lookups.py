"""Finding what a user names: a promotion, a release or a generation by its id or the beginning of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.displaced_names import Displaced
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.release import Release

if TYPE_CHECKING:
    from prefect_sluice.state.store import StateStore
    from prefect_sluice.workspace.workspace import Environment, Workspace


def existing_store(workspace: Workspace) -> StateStore | None:
    """Return the state store; None, and nothing is made, when there is no file of it yet."""
    return workspace.store if workspace.has_store else None


def displaced(workspace: Workspace, environment: Environment) -> tuple[Displaced, ...]:
    """Return the public names of an environment that do not show what was published. Raises WarehouseBusy."""
    return (
        workspace.warehouse(environment).displaced(environment.name) if environment.database.exists() else ()
    )


def waiting_promotion(store: StateStore | None, text: str) -> Promotion:
    """Return the promotion that a user names to approve or reject; without a name, the only one that waits.

    `text` is the beginning of a promotion's id, or of a release's that has exactly one promotion waiting.
    Raises BadInput.
    """
    if store is None:
        raise BadInput(
            "nothing was released here yet, so nothing waits for an approval",
            step=NextStep.of("release something: ", Command.of("release")),
        )
    waiting = store.promotions(states=(State.STAGED,))
    if text:
        named = store.promotion(text)
        if named is not None:
            return named
        waiting = tuple(item for item in waiting if item.release.startswith(text))
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        names = ", ".join(f"{item.id} ({item.environment})" for item in waiting)
        raise BadInput(
            f"{count(len(waiting), 'promotion waits', 'promotions wait')} for an approval: {names}",
            fix="name one of them",
        )
    raise BadInput(
        f"no promotion or release {text!r} waits for an approval"
        if text
        else "no promotion waits for an approval",
        step=NextStep.of("see what does: ", Command.of("status")),
    )


def release_of(store: StateStore, text: str) -> Release | None:
    """Return the release whose id, or whose commit, begins so; None if there is none. Raises BadInput when
    several do."""
    found = releases_of(store, text)
    return found[0] if found else None


def releases_of(store: StateStore, text: str) -> tuple[Release, ...]:
    """Return the release whose id begins so, else all whose commit does, newest first: one per set of tools.
    Raises BadInput when the ids of several begin so."""
    found = store.release(text)
    if found is not None:
        return (found,)
    of_commit = (item for item in store.releases() if text and item.change.commit.startswith(text))
    return tuple(of_commit)


def find_generation(history: Sequence[Generation], text: str) -> Generation:
    """Return the generation of that number, or the newest of a release whose id begins so. Raises
    BadInput."""
    by_number = [item for item in history if text == str(item.number)]
    by_release = [item for item in history if item.release.startswith(text)]
    found = by_number or by_release
    if not found:
        raise BadInput(
            f"no generation or release {text!r} ever served here",
            step=NextStep.of("see which did: ", Command.of("history")),
        )
    return found[0]
