"""Approvers and their ways to answer, in one line: for a run that waits, and for whoever is told of it. Pure."""

from __future__ import annotations

from prefect_sluice.approvals.approval_policy import ApprovalPolicy
from prefect_sluice.domain.release import name_alone
from prefect_sluice.reporting.part import titled
from prefect_sluice.reporting.report.model import Report

_MOST = 5


def asked_line(report: Report, policy: ApprovalPolicy, gist: str, page: str = "") -> str:
    """Return who may say yes, to what, what changes by it, and where it is said. `page` is the report's ("": none is served)."""
    promotion, release, way = report.dossier.promotion, report.dossier.release, report.dossier.way
    if promotion is None:
        return ""
    what = titled(release, "").removesuffix(" → ") if release else f"release {promotion.release[:7]}"
    what = f"the new data of {what!r}" if promotion.cause.renews else repr(what)
    parts = [f"{who(policy)}: may {what} go to {promotion.environment}?", f"{gist}."]
    parts += [_ends(report.dossier.ends)] if report.dossier.ends else []
    parts += ["Answer: ⋮ → Resume here."] if way.resumes else []
    parts += [f"Yes: {way.yes} No: {way.no}"] if way.yes else []
    parts += [f"All of it: {page}"] if page else []
    return " ".join(parts)


def _ends(ends: tuple[str, ...]) -> str:
    more = f"; and {len(ends) - _MOST} more" if len(ends) > _MOST else ""
    return f"Ends when it is published: {'; '.join(ends[:_MOST])}{more}."


def who(policy: ApprovalPolicy) -> str:
    """Return who may say yes, as far as it is said."""
    authors = {name_alone(author) for author in policy.authors}
    named = [name_alone(name) for name in policy.approvers]
    able = [name for name in dict.fromkeys(named) if name not in authors] or named
    if able:
        more = f" and {len(able) - _MOST} more" if len(able) > _MOST else ""
        return f"{' or '.join(able[:_MOST])}{more}"
    return f"Anybody but {', '.join(sorted(authors)[:_MOST])}" if authors else "Anybody"
