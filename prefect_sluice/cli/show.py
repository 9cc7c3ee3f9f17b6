"""`sluice show`: everything about a release, a promotion or a generation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.canonical import Json
    from prefect_sluice.generation import Generation
    from prefect_sluice.ledger import Entry
    from prefect_sluice.plan import Plan
    from prefect_sluice.promotion import Promotion
    from prefect_sluice.release import Release
    from prefect_sluice.render.show import Dossier
    from prefect_sluice.state.store import StateStore
    from prefect_sluice.workshop import Workshop

_MANY = 100_000


@click.command()
@click.argument("what", metavar="RELEASE|PROMOTION|GENERATION", default="")
@options.environment
@options.common
def show(what: str, environment: str, folder: Path, console: Console) -> int:
    """Show all about a release, a promotion or a generation.

    It is named by the beginning of its id, of its commit, or by a generation's number; by default what serves
    now.
    """
    from prefect_sluice.render.show import dossier_lines
    from prefect_sluice.workshop import Workshop

    workshop = Workshop.at(folder)
    found = _dossier(workshop, environment, what)
    console.show(dossier_lines(found, width=console.width))
    console.answer(_document(found))
    return 0


def _dossier(workshop: Workshop, environment: str, what: str) -> Dossier:
    from prefect_sluice import surroundings
    from prefect_sluice.cli.found import existing_store
    from prefect_sluice.controls import in_force, of_release
    from prefect_sluice.render.show import Dossier

    store = existing_store(workshop)
    release, promotion = _named(workshop, store, environment, what) if store else (None, None)
    if store is None or (release is None and promotion is None):
        raise _unknown(what)
    identifier = promotion.release if promotion else release.id if release else ""
    release = release or store.release(identifier)
    everything = store.promotions(limit=_MANY)
    return Dossier(
        release=release,
        promotion=promotion,
        plan=_plan(workshop, promotion) if promotion else None,
        reports=tuple(report for _, report in store.reports(promotion.id)) if promotion else (),
        approvals=store.approvals(promotion.id) if promotion else (),
        generations=_generations(workshop, promotion) if promotion else (),
        others=tuple(
            item
            for item in everything
            if item.release == identifier and promotion and item.id != promotion.id
        ),
        entries=_entries(store, identifier, promotion),
        blocks=of_release(in_force(store.controls(), surroundings.now()), identifier),
    )


def _unknown(what: str) -> Exception:
    from prefect_sluice.errors import BadInput

    if not what:
        return BadInput("nothing was released here yet", fix="release something: sluice release")
    return BadInput(
        f"no release, promotion, commit or generation {what!r}", fix="see which there are: sluice history"
    )


def _named(
    workshop: Workshop, store: StateStore, environment: str, what: str
) -> tuple[Release | None, Promotion | None]:
    """Return what the user names. A number is a generation's if there is such a one."""
    from prefect_sluice.cli.found import release_of

    if not what or what.isdigit():
        place = workshop.place(environment)
        history = workshop.warehouse(place).history(place.name) if place.target.path.exists() else ()
        numbered = [item for item in history if not what or item.number == int(what)]
        if numbered:
            return store.release(numbered[0].release), store.promotion(numbered[0].promotion)
    if not what:
        return None, None
    promotion = store.promotion(what)
    if promotion is not None:
        return None, promotion
    release = release_of(store, what)
    if release is None:
        return None, None
    of_it = [
        item
        for item in store.promotions(environment=environment or None, limit=_MANY)
        if item.release == release.id
    ]
    return release, of_it[0] if of_it else None


def _plan(workshop: Workshop, promotion: Promotion) -> Plan | None:
    from prefect_sluice.cli.stored_plan import stored_plan
    from prefect_sluice.generation import Cause

    return (
        stored_plan(workshop, promotion.plan)
        if promotion.plan and promotion.cause is not Cause.ROLLBACK
        else None
    )


def _generations(workshop: Workshop, promotion: Promotion) -> tuple[Generation, ...]:
    place = workshop.place(promotion.environment) if promotion.environment in workshop.places else None
    if place is None or not place.target.path.exists():
        return ()
    return tuple(
        item for item in workshop.warehouse(place).history(place.name) if item.promotion == promotion.id
    )


def _entries(store: StateStore, release: str, promotion: Promotion | None) -> tuple[Entry, ...]:
    """Return the ledger's entries about a promotion, and the one that packed its release."""

    def is_about(entry: Entry) -> bool:
        # What packed it, and what blocked it; the other entries with this release are other promotions'.
        events = {"release.packed", "release.composed", "block.placed", "block.lifted"}
        return (entry.event in events and entry.facts.get("release") == release) or (
            promotion is not None and entry.facts.get("promotion") == promotion.id
        )

    return tuple(entry for entry in store.entries() if is_about(entry))


def _document(found: Dossier) -> Json:
    from prefect_sluice.render import document

    return {
        "release": document.release(found.release) if found.release else None,
        "promotion": document.promotion(found.promotion) if found.promotion else None,
        "plan": document.plan(found.plan) if found.plan else None,
        "reports": document.reports(found.reports),
        "approvals": [document.approval(item) for item in found.approvals],
        "generations": [document.generation(item) for item in found.generations],
        "other_promotions": [document.promotion(item) for item in found.others],
        "blocks": [document.control(item) for item in found.blocks],
        "ledger": [document.entry(item) for item in found.entries],
    }
