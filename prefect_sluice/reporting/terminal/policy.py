"""Changes of an environment's policy by a promotion, in lines: what counts, and from when."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.config.policy import Governance
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.reporting.styled_text import Line, Style, wrapped
from prefect_sluice.reporting.table import WIDTH

MOST = 20
"""So many keys are told one by one."""


def policy_sentence(policy: Governance | None) -> str:
    """Return in a sentence which policy judges, and what becomes of the other one; "" where that is plain."""
    if policy is None:
        return ""
    if policy.served is None:
        return "This is the first release here, so its own policy counts."
    if not policy.changes:
        return ""
    weaker = sum(change.weaker for change in policy.changes)
    what = f"It changes the policy of {policy.proposed.environment} ({count(len(policy.changes), 'setting')}"
    what += f", {weaker} weaker)" if weaker else ")"
    if policy.waits:
        return f"{what}: the policy that serves judges it, a yes is to the change, too, and it counts from then on."
    return f"{what}, and nobody was to be asked for that: it counts at once."


def policy_change_lines(policy: Governance | None) -> Sequence[str]:
    """Return each key that changes in a line; of many the first, those that weaken the policy before all others."""
    changes = policy.changes if policy is not None else ()
    rest = len(changes) - MOST
    return [*(change.text for change in changes[:MOST]), *([f"and {rest} more"] if rest > 0 else [])]


def policy_lines(policy: Governance | None, *, width: int = WIDTH) -> list[Line]:
    """Return the lines on the policy; nothing where it stays as it is."""
    sentence = policy_sentence(policy)
    if not sentence or policy is None:
        return []
    style = {True: Style.BAD, False: Style.WARN}
    weaker = {change.text: change.weaker for change in policy.changes}
    lines = wrapped(sentence, width, style=Style.PLAIN if weaker else Style.FAINT)
    rows = policy_change_lines(policy)
    for row in rows:
        lines += wrapped(row, width, indent=4, style=style[weaker.get(row, False)])
    return lines


def policy_document(policy: Governance | None) -> Json:
    """Return it as JSON: what judges (`served` or `proposed`), and each key that changes."""
    if policy is None:
        return None
    return {
        "first": policy.served is None,
        "judged_by": "served"
        if policy.served is not None and policy.counting is policy.served
        else "proposed",
        "approvals": policy.counting.approvals(policy.cause),
        "changes": [change.document() for change in policy.changes],
    }
