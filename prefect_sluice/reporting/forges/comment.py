"""What a check came to, as the one comment of a pull request: what decides is seen, the rest is folded away."""

from __future__ import annotations

import re
from urllib.parse import quote

from prefect_sluice.reporting.markdown import escaped, folded
from prefect_sluice.reporting.report.limits import ReportLimits, fitting
from prefect_sluice.reporting.report.markdown import (
    LIMITS,
    changes,
    diff,
    finding_lines,
    head_lines,
    lineage,
    plan_lines,
)
from prefect_sluice.reporting.report.model import Report
from prefect_sluice.runtime.redaction import concealed

_ORDERS = re.compile(r"^\s*(?=/)", re.MULTILINE)
"""Where a line begins that holds a quick action of GitLab's: https://docs.gitlab.com/user/project/quick_actions/"""


def marker(context: str) -> str:
    """Return the first line of the comment of this context, by which it is found again. Shown to nobody."""
    return f"<!-- sluice: {quote(context, safe='/')} -->"


def comment(report: Report, context: str, url: str = "", *, limit: int = LIMITS["github"]) -> str:
    """Return the comment on a check, at most `limit` characters: what does not fit is left out, and counted. `url` leads to the
    job's log."""

    def page(bounds: ReportLimits) -> str:
        parts = (
            [marker(context)],
            head_lines(report),
            changes(report, bounds),
            finding_lines(report, bounds),
            _folded("The diff, row by row", diff(report, bounds)),
            _folded("What it hangs on, and who hangs on it", lineage(report, bounds)),
            _folded("The plan", plan_lines(report, bounds)),
            [_more(report, url)],
        )
        return _harmless("\n".join(line for part in parts for line in part).rstrip("\n") + "\n")

    return fitting(page, limit)


def short_comment(context: str, word: str, message: str, url: str = "") -> str:
    """Return the comment on a check that has no report: nothing is new, or it could not be made."""
    log = f"\n\n{_log(url)}" if url else ""
    return _harmless(f"{marker(context)}\n## {word}\n\n{escaped(message)}{log}\n")


def _harmless(text: str) -> str:
    """Return a text without secrets, and without a line that GitLab would obey: `/merge` does that for whoever writes it."""
    return _ORDERS.sub(r"\g<0>\\", concealed(text))


def _folded(title: str, lines: list[str]) -> list[str]:
    """Return a part that is opened by its title, in place of its own heading."""
    own = lines[2:] if lines and lines[0].startswith("### ") else lines
    return folded(title, own) if own else []


def _more(report: Report, url: str) -> str:
    promotion = report.dossier.promotion
    show = f"All of it: `sluice show {promotion.id}`" if promotion else ""
    return " · ".join(part for part in (show, _log(url) if url else "") if part)


def _log(url: str) -> str:
    return f"[the job's log]({quote(url, safe=':/?=&%#.-_~')})"
