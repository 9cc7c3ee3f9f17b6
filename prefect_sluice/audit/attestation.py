"""What the ledger confirms of the state store's rows: that a yes was given, and where a promotion stands. Pure.

A row can be written by anybody who can write to the database; an entry of a verified chain cannot be put in unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prefect_sluice.domain.ledger import GENERATION_WRITTEN, LedgerEntry
from prefect_sluice.domain.promotion import Approval, Decision, Promotion, State

APPROVAL_GIVEN = "approval.given"
"""The event of a yes or no. Its facts: promotion, decision, binding, comment, channel, expires."""

APPROVAL_KEPT = "approval.kept"
"""The event of a yes that counts for a later attempt at the same change, too. Its facts: those of a yes, with `by`, and `of`,
the id of the approval that somebody gave, `from_promotion` and `from_binding`, for which."""

APPROVALS = (APPROVAL_GIVEN, APPROVAL_KEPT)
"""The events by which an approval comes to be."""

_STATES: Mapping[str, State] = {
    **{f"promotion.{state.value}": state for state in State},
    "promotion.reduced": State.STARTED,
    GENERATION_WRITTEN: State.DEPLOYED,
}
"""In which state a promotion is after an event that is about it."""


def is_attested(approval: Approval, entries: Iterable[LedgerEntry]) -> bool:
    """Say whether a ledger entry confirms the row of an approval. Whether it was used, other entries say."""
    return given_as(approval, entries) is not None


def given_as(approval: Approval, entries: Iterable[LedgerEntry]) -> LedgerEntry | None:
    """Return the entry by which somebody gave an approval: to its own promotion, or to the earlier attempt from which it is
    kept; None for one that nobody gave."""
    entries = tuple(entries)
    kept = kept_as(approval, entries)
    facts = _facts(approval)
    if kept is not None:
        earlier = {"promotion": kept.facts["from_promotion"], "binding": kept.facts["from_binding"]}
        facts = {**facts, **earlier, "decision": Decision.APPROVE.value}
    return next(
        (
            entry
            for entry in entries
            if entry.event == APPROVAL_GIVEN
            and entry.actor == approval.by
            and (kept is not None or entry.at == approval.at)
            and facts.items() <= entry.facts.items()
        ),
        None,
    )


def kept_as(approval: Approval, entries: Iterable[LedgerEntry]) -> LedgerEntry | None:
    """Return the entry by which an approval is that of an earlier attempt; None for one that was given to its own promotion."""
    facts = {**_facts(approval), "by": approval.by}
    return next(
        (
            entry
            for entry in entries
            if entry.event == APPROVAL_KEPT
            and entry.at == approval.at
            and facts.items() <= entry.facts.items()
        ),
        None,
    )


def _facts(approval: Approval) -> Mapping[str, Any]:
    return {
        "promotion": approval.promotion,
        "decision": approval.decision.value,
        "binding": approval.binding,
        "comment": approval.comment,
        "expires": approval.expires_at.isoformat(),
    }


def contradiction(promotion: Promotion, entries: Iterable[LedgerEntry]) -> str:
    """Return in which point the last ledger entry about a promotion contradicts its row; "" for none."""
    about = [
        entry for entry in entries if entry.event in _STATES and entry.facts.get("promotion") == promotion.id
    ]
    if not about:
        return "the ledger has no entry of it"
    last = about[-1]
    row: dict[str, Any] = {
        "release": promotion.release,
        "plan": promotion.plan,
        "evidence": promotion.evidence,
        "policy_digest": promotion.policy,
        "from": promotion.base,
        "generation": promotion.generation,
    }
    state = _STATES[last.event]
    if state is not promotion.state:
        return f"it is {promotion.state.value}, and {state.value} by ledger entry {last.number}"
    wrong = sorted(name for name in row.keys() & last.facts.keys() if row[name] != last.facts[name])
    return f"its {wrong[0]} is not that of ledger entry {last.number}" if wrong else ""
