"""The files and addresses that open promotions, and generations that stay whole, need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from prefect_sluice.domain.errors import Refused, SluiceError
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.maintenance.leftovers import GRACE, NeededFiles
from prefect_sluice.promotions.candidate_files import contents_of
from prefect_sluice.promotions.records import OPEN
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class NeededInputs:
    """The inputs that decide which files are needed: every promotion, the generations that are whole and the current ones of
    all environments, how long ago a promotion may have ended for its files to stay (`since`, UTC), and which were `answered`."""

    promotions: tuple[Promotion, ...]
    generations: tuple[Generation, ...]
    current: tuple[Generation, ...]
    since: datetime
    answered: frozenset[str]


def answered(workspace: Workspace) -> frozenset[str]:
    """Return the promotions (ids) to which somebody said yes or no, where that did not expire yet. A yes may be kept for a later
    attempt, which is held against what it was given to: so that stays as it is, though it ended."""
    now = process.now()
    return frozenset(answer.promotion for answer in workspace.store.approvals() if answer.expires_at > now)


def promised(workspace: Workspace) -> Mapping[Name, str]:
    """Return the addresses that open promotions name, in any environment, and why.

    Raises Refused when one of them cannot be read: what it needs is then unknown.
    """
    reasons: dict[Name, str] = {}
    for promotion in workspace.store.promotions(states=OPEN):
        try:
            named = tuple(_promotion_addresses(workspace, promotion))
        except SluiceError as error:
            raise Refused(
                f"what promotion {promotion.id} of {promotion.environment} needs cannot be read ({error})",
                step=NextStep.of(
                    "end it: ",
                    Command.of("reject", promotion.id),
                    "; what it was: ",
                    Command.of("show", promotion.id),
                ),
            ) from error
        reasons |= dict.fromkeys(named, f"promotion {promotion.id} of {promotion.environment}")
    return reasons


def _promotion_addresses(workspace: Workspace, promotion: Promotion) -> Iterator[Name]:
    if promotion.plan:
        plan = cast(dict[str, Any], workspace.bundles.get_document(promotion.plan))
        yield from (Name.parse(step["address"]) for step in plan["steps"] if step["address"])
    if promotion.evidence:
        yield from (pointer.address for pointer in contents_of(workspace, promotion).pointers)


def needed(
    workspace: Workspace, standing: NeededInputs, environments: Iterable[str], now: datetime
) -> NeededFiles:
    """Return which files must stay. Raises Refused when a document that says so cannot be read."""
    late = [
        promotion
        for promotion in standing.promotions
        if promotion.state in OPEN or promotion.updated_at > now - GRACE
    ]
    serving = [pinned.release for pinned in (*standing.current, *(i for i in late if i.state in OPEN))]
    return NeededFiles(
        promotions=frozenset(promotion.id for promotion in late),
        environments=frozenset(environments),
        checkouts=frozenset(serving),
        bundles=frozenset(_bundles(workspace, standing)) if _collects_bundles(workspace) else None,
        pages=frozenset(_pages(standing)),
    )


def _pages(standing: NeededInputs) -> Iterator[str]:
    """Yield the promotions whose report stays: open ones, those that ended lately, those whose generation is whole."""
    yield from (generation.promotion for generation in standing.generations)
    for promotion in standing.promotions:
        if promotion.state in OPEN or promotion.updated_at > standing.since:
            yield promotion.id


def forgotten(
    standing: NeededInputs, environments: Collection[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the promotions of which no record is needed any more beside the promotion itself, and the pairs of environment
    and release of which nobody needs what was declared: those whose report goes. Pure."""
    stays = set(_pages(standing))
    there = [promotion for promotion in standing.promotions if promotion.id in stays]
    read = {
        (pinned.environment, pinned.release) for pinned in (*there, *standing.generations, *standing.current)
    }
    gone = [
        promotion
        for promotion in standing.promotions
        if promotion.id not in stays and promotion.environment in environments
    ]
    declared = dict.fromkeys((pinned.environment, pinned.release) for pinned in gone)
    return tuple(promotion.id for promotion in gone), tuple(pair for pair in declared if pair not in read)


def _collects_bundles(workspace: Workspace) -> bool:
    """Say whether the bundle store is this project's own: one elsewhere may hold the files of others."""
    folder = workspace.bundles.folder
    return folder is not None and folder.resolve().is_relative_to(workspace.root.resolve())


def _bundles(workspace: Workspace, standing: NeededInputs) -> Iterator[str]:
    recent = [
        promotion
        for promotion in standing.promotions
        if promotion.state in OPEN or promotion.updated_at > standing.since
    ]
    stay = standing.answered | {promotion.id for promotion in recent}
    for promotion in standing.promotions:
        # What was served, and who said yes to what, is history: its documents stay for good.
        if promotion.generation is not None or promotion.id in stay:
            yield from _documents(workspace, promotion)
    ids = {pinned.release for pinned in (*recent, *standing.generations, *standing.current)}
    releases = workspace.store.releases()
    # What a part declares in sluice.yml is read from the release that it is a part of.
    ids |= {release.composed.of for release in releases if release.composed is not None and release.id in ids}
    for release in releases:
        if release.id in ids:
            yield from (entry.partition(":")[2] for entry in release.all_files.values())


def bundles_of_what_serves(workspace: Workspace) -> frozenset[str]:
    """Return the digests of the bundle files that releases, refreshes and what waits go on from: the releases that serve, by the
    ledger, those of open promotions, those to which a yes counts yet, and their documents. Changes nothing, and opens no
    warehouse."""
    store, judged = workspace.store, answered(workspace)
    present = (store.serves(environment) for environment in store.served_environments())
    serving = (store.promotion(now["promotion"]) for now in present if now is not None)
    promotions = (
        *(promotion for promotion in serving if promotion is not None),
        *(one for one in store.promotions() if one.state in OPEN or one.id in judged),
    )
    return _bundles_of(workspace, promotions)


def bundles_of_history(workspace: Workspace) -> frozenset[str]:
    """Return the digests of the bundle files of every promotion that was published, and of those that are open: the ones of what
    serves and waits, and of what went before, as far as the collector left that. None of a store behind a URL, which keeps them.
    """
    if workspace.bundles.folder is None:
        return frozenset()
    promotions = tuple(
        promotion
        for promotion in workspace.store.promotions()
        if promotion.generation is not None or promotion.state in OPEN
    )
    return _bundles_of(workspace, promotions)


def _bundles_of(workspace: Workspace, promotions: tuple[Promotion, ...]) -> frozenset[str]:
    always = datetime.min.replace(tzinfo=UTC)
    return frozenset(filter(None, _bundles(workspace, NeededInputs(promotions, (), (), always, frozenset()))))


def _documents(workspace: Workspace, promotion: Promotion) -> Iterator[str]:
    yield promotion.plan
    yield promotion.evidence
    yield promotion.policy
    if promotion.evidence and workspace.bundles.has(promotion.evidence):
        evidence = cast(dict[str, Any], workspace.bundles.get_document(promotion.evidence))
        # Whatever else it names by digest is needed as much as the contents.
        yield from (value for value in evidence.values() if isinstance(value, str))
