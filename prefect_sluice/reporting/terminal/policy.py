"""What a promotion changes of the policy of its environment, in lines: what counts, and from when."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.config.policy import Governance
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.reporting.styled_text import Line, Style, wrapped
from prefect_sluice.reporting.table import WIDTH

MOST = 20
"""So many keys are told one by one."""


def policy_sentence(found: Governance | None) -> str:
    """Return in a sentence which policy judges, and what becomes of the other one; "" where that is plain."""
    if found is None:
        return ""
    if found.served is None:
        return "This is the first release here, so its own policy counts."
    if not found.changes:
        return ""
    weaker = sum(item.weaker for item in found.changes)
    what = f"It changes the policy of {found.proposed.environment} ({count(len(found.changes), 'setting')}"
    what += f", {weaker} weaker)" if weaker else ")"
    if found.waits:
        return f"{what}: the policy that serves judges it, a yes is to the change, too, and it counts from then on."
    return f"{what}, and nobody was to be asked for that: it counts at once."


def policy_change_lines(found: Governance | None) -> Sequence[str]:
    """Return each key that changes in a line; of many the first, those that weaken the policy before all others."""
    changes = found.changes if found is not None else ()
    rest = len(changes) - MOST
    return [*(item.text for item in changes[:MOST]), *([f"and {rest} more"] if rest > 0 else [])]


def policy_lines(found: Governance | None, *, width: int = WIDTH) -> list[Line]:
    """Return what is told of the policy; nothing where it stays as it is."""
    told = policy_sentence(found)
    if not told or found is None:
        return []
    style = {True: Style.BAD, False: Style.WARN}
    weaker = {item.text: item.weaker for item in found.changes}
    lines = wrapped(told, width, style=Style.PLAIN if weaker else Style.FAINT)
    rows = policy_change_lines(found)
    for row in rows:
        lines += wrapped(row, width, indent=4, style=style[weaker.get(row, False)])
    return lines


def policy_document(found: Governance | None) -> Json:
    """Return it as JSON: what judges (`served` or `proposed`), and each key that changes."""
    if found is None:
        return None
    return {
        "first": found.served is None,
        "judged_by": "served" if found.served is not None and found.counting is found.served else "proposed",
        "approvals": found.counting.approvals(found.cause),
        "changes": [item.document() for item in found.changes],
    }
