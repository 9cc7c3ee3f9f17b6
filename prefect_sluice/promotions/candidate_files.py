"""The places that candidates wait in: what is in them, whether they are whole, who else gets them, how long they are kept."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from prefect_sluice.domain.errors import Refused, SluiceError
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import ENDED, Promotion, State
from prefect_sluice.planning.candidate import CandidateContents
from prefect_sluice.promotions.work import tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.state.lease import at_work
from prefect_sluice.warehouse.base import Warehouse
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.workspace.workspace import Workspace

_KEPT = 2
"""How many superseded candidates of an environment are kept, and how many of its checks: the next attempt may take finished
relations from them."""
REUSABLE = frozenset({State.SUPERSEDED, State.CHECKED})
"""States of ended promotions whose candidate may be of use: nothing was found wrong with it, and nobody reads it."""
_AGE = timedelta(days=7)


def contents_of(workspace: Workspace, promotion: Promotion) -> CandidateContents:
    """Return the candidate that the evidence binds. Raises BundleDamaged, and Refused when nothing is staged."""
    if not promotion.evidence:
        raise Refused(
            f"promotion {promotion.id} has no candidate",
            step=NextStep.of("stage it: ", Command.of("release")),
        )
    evidence = workspace.bundles.get_document(promotion.evidence)
    assert isinstance(evidence, dict)
    return CandidateContents.read(workspace.bundles.get_document(str(evidence["contents"])))


def candidate_is_whole(workspace: Workspace, promotion: Promotion) -> bool:
    """Say whether the candidate is here as it was judged: with the digest that the evidence names.

    One that another machine made is fetched. Raises SharedStoreAway when the shared store does not answer.
    """
    expected = contents_of(workspace, promotion).file
    candidate = workspace.store.candidate(promotion.id)
    if candidate is None or not expected:
        return candidate is not None
    warehouse = workspace.warehouse(workspace.environment(promotion.environment))
    return bool(candidate.path) and is_here(
        workspace, warehouse, promotion.id, warehouse.place(candidate.path), expected
    )


def is_here(
    workspace: Workspace, warehouse: Warehouse, promotion: str, place: CandidatePlace, expected: str
) -> bool:
    """Say whether a candidate is at `place` with the digest `expected`, once it was fetched if need be."""
    if warehouse.verify(place, expected):
        return True
    if workspace.shelf is None or place.file is None:
        return False
    tell(f"fetching the candidate of promotion {promotion} from the shared store")
    return workspace.shelf.fetch(promotion, expected, place.file)


def share(workspace: Workspace, promotion: str, place: CandidatePlace | None, digest: str) -> None:
    """Put a candidate where other machines find it, if there is such a place, and they do not see it anyway. Repeatable.

    Raises SharedStoreAway.
    """
    if workspace.shelf is not None and place is not None and place.file is not None:
        tell("sharing the candidate")
        workspace.shelf.put(promotion, place.file, digest)
        reach(FaultPoint.STAGE_SHARED)


def kept_candidates(workspace: Workspace) -> Collection[str]:
    """Return the promotions of which a candidate is here or in the shared store. Raises SharedStoreAway."""
    here = _here(workspace)
    return here | workspace.shelf.promotions().keys() if workspace.shelf is not None else here


def _here(workspace: Workspace) -> set[str]:
    place = folder(workspace, "")
    return {path.name for path in place.iterdir() if path.is_dir()} if place.is_dir() else set()


def folder(workspace: Workspace, promotion: str) -> Path:
    """Return where a promotion's candidate waits."""
    return workspace.folder / candidate_name(promotion)


def candidate_name(promotion: str) -> str:
    """Return the name under which a promotion's candidate waits."""
    return f"candidates/{promotion}"


def tidy(workspace: Workspace, ended: Promotion) -> None:
    """Delete the candidates that are of no more use once `ended` has ended. Repeatable.

    Its own goes, since its rows are in the store or nobody may serve them. If it was superseded before it was served, or was a
    check that every gate let through, the same release may be tried again: the last few such candidates of an environment
    stay, a week at most, until that release is served.
    """
    if ended.state not in REUSABLE or ended.generation is not None:
        _remove(workspace, ended.id)
    if not ended.cause.publishes and at_work(workspace.store, ended.environment) is not None:
        # A release may be taking relations from any of the others right now: what is too many goes when that one ends.
        return
    there = _there(workspace, ended)
    ended_ones = workspace.store.promotions(environment=ended.environment, states=REUSABLE)
    present = [item for item in ended_ones if item.id in there]
    oldest = process.now() - _AGE
    done = same_request(workspace, ended.release) if ended.state is State.STABLE else None
    useful = [
        item
        for item in present
        if item.updated_at > oldest
        and item.generation is None
        and (done is None or same_request(workspace, item.release) != done)
    ]
    useful_ids = {
        old.id for state in REUSABLE for old in [old for old in useful if old.state is state][:_KEPT]
    }
    for item in present:
        if item.id not in useful_ids:
            _remove(workspace, item.id)


def _there(workspace: Workspace, ended: Promotion) -> Collection[str]:
    """Return the promotions that have a candidate anywhere; those that another machine ended lose theirs here."""
    if workspace.shelf is None:
        return _here(workspace)
    for name in _here(workspace) - {ended.id}:
        found = workspace.store.promotion(name)
        if found is not None and found.state in ENDED and found.state not in REUSABLE:
            shutil.rmtree(folder(workspace, name), ignore_errors=True)
    try:
        return kept_candidates(workspace)
    except SluiceError as error:
        tell(f"candidates in the shared store are left to `sluice collect`: {error}")
        return _here(workspace)


def _remove(workspace: Workspace, promotion: str) -> None:
    shutil.rmtree(folder(workspace, promotion), ignore_errors=True)
    if workspace.shelf is not None:
        try:
            workspace.shelf.drop(promotion)
        except SluiceError as error:  # what ended, ended
            tell(f"a candidate in the shared store is left to `sluice collect`: {error}")


def same_request(workspace: Workspace, release: str) -> tuple[str, str]:
    """Return what stays the same when a release is tried again on another base: the whole release, and the part of it."""
    found = workspace.store.release(release)
    composed = found.composed if found else None
    return (composed.of, composed.select) if composed else (release, "")
