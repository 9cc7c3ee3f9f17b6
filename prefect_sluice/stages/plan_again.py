"""What waits while a refresh moves its environment on: which promotions are planned and staged again on what serves now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from prefect_sluice.approvals.attempts import attempts, waits_since
from prefect_sluice.approvals.keep_yes import earlier_yes, keep, was_rejected
from prefect_sluice.approvals.published_since import number_of, other_than_refreshes, published
from prefect_sluice.approvals.why_again import planned_again
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.release import DIRTY
from prefect_sluice.promotions.request import Request, request_for
from prefect_sluice.promotions.work import Work
from prefect_sluice.runtime import process
from prefect_sluice.stages.resume import pinned
from prefect_sluice.workspace.policy_in_force import needed, rules_of
from prefect_sluice.workspace.workspace import Workspace

_LONGEST = timedelta(days=31)
"""Planned again each night, no attempt is older; one that is was left behind long ago."""


def overtaken(workspace: Workspace, environment: str) -> tuple[Promotion, ...]:
    """Return the promotions that were staged when a refresh moved their environment on, oldest first: the newest attempt at each
    request, where nothing but refreshes was published since, and for as long as it may wait. Changes nothing."""
    newest: dict[str, Promotion] = {}
    for promotion in attempts(workspace, environment):
        newest.setdefault(promotion.release, promotion)
    waited = [
        old
        for old in reversed(newest.values())
        if _was_staged(old)
        and _may_wait(workspace, old)
        and not was_rejected(workspace, old)
        and _is_committed(workspace, old)
    ]
    if not waited:
        return ()
    entries = published(workspace, environment, min(old.base for old in waited))
    last = number_of(entries[-1]) if entries else 0
    return tuple(
        old for old in waited if old.base < last and not other_than_refreshes(entries, old.base, last)
    )


def _was_staged(promotion: Promotion) -> bool:
    return promotion.state is State.SUPERSEDED and bool(promotion.evidence) and promotion.generation is None


def _may_wait(workspace: Workspace, promotion: Promotion) -> bool:
    now = process.now()
    if promotion.created_at + _LONGEST < now:
        return False  # without a look at its policy: of such there are many
    if promotion.policy and not workspace.bundles.has(promotion.policy):
        return False  # the collector took it, since it ended too long ago
    waits = rules_of(workspace, promotion).own.waits
    first = replace(promotion, updated_at=promotion.created_at)  # it ended since, and not by waiting
    return now < waits_since(workspace, first, waits) + waits


def _is_committed(workspace: Workspace, promotion: Promotion) -> bool:
    """Say whether its release can be asked for again: uncommitted files may be others by now."""
    release = workspace.store.release(promotion.release)
    return release is not None and release.change.commit != DIRTY


def request_again(workspace: Workspace, old: Promotion) -> Request:
    """Return the request for the very release of a promotion, as who asked for it then."""
    request = request_for(old.cause, workspace.root, old.environment, actor=old.actor)
    return pinned(workspace, request, old)


def planned_anew(work: Work, old: Promotion) -> str:
    """Have a yes to the attempt before count for the one that was staged now, if it is one to it, and whoever waits for the
    former wait for this; return what came of it, in a line. Under the environment's lease. Repeatable."""
    promotion, workspace = work.promotion, work.workspace
    if promotion is None or promotion.id == old.id:
        return f"promotion {old.id} has nothing to wait for any more" + (
            f": {work.outcome.message}" if work.outcome else ""
        )
    _hand_over(workspace, old, promotion)
    anew = f"promotion {old.id} was planned again, as {promotion.id}"
    if work.outcome is not None:
        return f"{anew}: {work.outcome.message}"
    if not needed(workspace, promotion):
        return f"{anew}, and needs no approval"
    earlier = earlier_yes(workspace, promotion)
    if earlier is not None and not earlier.differs:
        kept = keep(workspace, promotion, earlier)
        return f"{anew}; the yes of {kept.who} is kept: nothing is new or worse since"
    return f"{anew}, and waits for an approval ({planned_again(workspace, promotion, earlier)})"


def _hand_over(workspace: Workspace, old: Promotion, new: Promotion) -> None:
    """Have the runs that wait for the one promotion wait for the other. Their forms show the former: they ask anew."""
    with workspace.store.transaction() as transaction:
        for question in transaction.questions():
            if question.promotion == old.id:
                transaction.put_question(replace(question, promotion=new.id))
