"""Which yes or no counts for a promotion. Pure: the policy of Approve, and the seam where signatures will be verified."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from prefect_sluice.promotion import Approval, Decision, Promotion


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the approvals come to: one that decides (None: still open), and why others do not count."""

    by: Approval | None
    ignored: tuple[str, ...] = ()


def rule(promotion: Promotion, approvals: Iterable[Approval], now: datetime) -> Ruling:
    """Return the ruling: the first rejection that counts, else the first approval that counts."""
    ignored: list[str] = []
    counting: list[Approval] = []
    for approval in sorted(approvals, key=lambda item: item.at):
        why = void(promotion, approval, now)
        if why:
            ignored.append(f"{approval.decision.value} by {approval.by} does not count: {why}")
        else:
            counting.append(approval)
    deciding = [item for item in counting if item.decision is Decision.REJECT] or counting
    return Ruling(deciding[0] if deciding else None, tuple(ignored))


def void(promotion: Promotion, approval: Approval, now: datetime) -> str:
    """Return why an approval does not count, or "" if it does."""
    if approval.binding != promotion.binding:
        return "it is for another plan or other evidence"
    if approval.expires_at <= now:
        return f"it expired at {approval.expires_at:%Y-%m-%d %H:%M} UTC"
    return "it was used" if approval.used_at is not None else ""
