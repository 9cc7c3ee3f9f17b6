"""The promotion that waits for an approval, in full: what exactly a yes is to."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Approval, Decision, Promotion
from prefect_sluice.domain.release import DIRTY, Release
from prefect_sluice.reporting.styled_text import BLANK, Line, faint, labelled, line, strong, wrapped
from prefect_sluice.reporting.table import WIDTH
from prefect_sluice.reporting.wording import moment, short

SAID = {Decision.APPROVE: "approved", Decision.REJECT: "rejected"}


def promotion_lines(
    promotion: Promotion, release: Release | None, former: Release | None, *, width: int = WIDTH
) -> list[Line]:
    """Return from where to where a promotion goes, and what it is bound to."""
    base = (
        f"generation {promotion.base}, {_release_title(promotion.base_release, former)}"
        if promotion.base
        else "it serves nothing yet"
    )
    request = f" of {promotion.environment}, by {promotion.actor}, {moment(promotion.created_at)}"
    return [
        line("promotion ", strong(promotion.id), request),
        *labelled(faint("  from  "), base, width),
        *labelled(faint("  to    "), _release_title(promotion.release, release), width),
        line(faint("  bound "), bound(promotion)),
    ]


def going_on(promotion: Promotion, commit: str = "") -> str:
    """Return the command that takes a promotion on; `commit` is its release's ("" if not known)."""
    match promotion.cause:
        case Cause.PROMOTION:
            return f"sluice promote {short(promotion.release)} --to {promotion.environment}"
        case Cause.RELEASE | Cause.CHECK if commit:
            ref = "--dirty" if commit == DIRTY else short(commit)
            return f"sluice {promotion.cause.value} {ref} --env {promotion.environment}"
        case _:
            return f"sluice {promotion.cause.value} --env {promotion.environment}"


def bound(promotion: Promotion) -> str:
    """Return what a yes to a promotion is bound to, as short digests."""
    plan, evidence = short(promotion.plan) or "-", short(promotion.evidence) or "-"
    policy = f"policy {short(promotion.policy)}, " if promotion.policy else ""
    return f"plan {plan}, evidence {evidence}, {policy}all of it {short(promotion.binding)}"


def _release_title(identifier: str, release: Release | None) -> str:
    title = f"release {short(identifier)}"
    return f"{title}, {release.change.short} {release.change.subject}" if release else title


def approvals_lines(approvals: Sequence[Approval], *, width: int = WIDTH) -> list[Line]:
    """Return each approval and rejection."""
    lines: list[Line] = []
    for approval in approvals:
        comment = f': "{approval.comment}"' if approval.comment else ""
        used = (
            f", used {moment(approval.used_at)}"
            if approval.used_at
            else f", good until {moment(approval.expires_at)}"
        )
        lines += wrapped(
            f"{SAID[approval.decision]} by {approval.who}, {moment(approval.at)}{used}{comment}", width
        )
    return lines


def section(title: str, lines: Sequence[Line]) -> list[Line]:
    """Return lines under a title, set off by a blank line; nothing where there are none."""
    return [BLANK, line(strong(title)), *lines] if lines else []
