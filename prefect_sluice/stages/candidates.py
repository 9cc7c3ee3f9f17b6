"""The files that candidates wait in: what is in them, whether they are whole, and how long they are kept."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from prefect_sluice import surroundings
from prefect_sluice.candidate import Contents
from prefect_sluice.canonical import digest_file
from prefect_sluice.errors import Refused
from prefect_sluice.promotion import Promotion, State
from prefect_sluice.workshop import Workshop

_MANY = 100_000
_KEPT = 2
"""How many superseded candidates of an environment are kept: the next attempt may take finished relations from them."""
_AGE = timedelta(days=7)


def contents_of(workshop: Workshop, promotion: Promotion) -> Contents:
    """Return the candidate that the evidence binds. Raises BundleDamaged, and Refused when nothing is staged."""
    if not promotion.evidence:
        raise Refused(f"promotion {promotion.id} has no candidate", "stage it: sluice release")
    evidence = workshop.bundles.get_document(promotion.evidence)
    assert isinstance(evidence, dict)
    return Contents.read(workshop.bundles.get_document(str(evidence["contents"])))


def candidate_is_whole(workshop: Workshop, promotion: Promotion) -> bool:
    """Say whether the candidate's file is there with the bytes that were judged: those that the evidence names."""
    expected = contents_of(workshop, promotion).file
    candidate = workshop.store.candidate(promotion.id)
    if candidate is None or not expected:
        return candidate is not None
    path = workshop.folder / candidate.path
    return bool(candidate.path) and path.is_file() and digest_file(path) == expected


def folder(workshop: Workshop, promotion: str) -> Path:
    """Return where a promotion's candidate waits."""
    return workshop.folder / "candidates" / promotion


def tidy(workshop: Workshop, ended: Promotion) -> None:
    """Delete the candidates that are of no more use once `ended` has ended. Repeatable.

    Its own goes, since its rows are in the store or nobody may serve them. If it was superseded before it was served,
    the same release may be tried again: the last few such candidates of an environment stay, a week at most, until
    that release is served.
    """
    if ended.state is not State.SUPERSEDED or ended.generation is not None:
        shutil.rmtree(folder(workshop, ended.id), ignore_errors=True)
    superseded = workshop.store.promotions(
        environment=ended.environment, states=(State.SUPERSEDED,), limit=_MANY
    )
    present = [item for item in superseded if folder(workshop, item.id).is_dir()]
    oldest = surroundings.now() - _AGE
    done = same_request(workshop, ended.release) if ended.state is State.STABLE else None
    useful = [
        item
        for item in present
        if item.updated_at > oldest
        and item.generation is None
        and (done is None or same_request(workshop, item.release) != done)
    ]
    kept = {item.id for item in useful[:_KEPT]}
    for item in present:
        if item.id not in kept:
            shutil.rmtree(folder(workshop, item.id), ignore_errors=True)


def same_request(workshop: Workshop, release: str) -> tuple[str, str]:
    """Return what stays the same when a release is tried again on another base: the whole release, and the part of it."""
    found = workshop.store.release(release)
    composed = found.composed if found else None
    return (composed.of, composed.select) if composed else (release, "")
