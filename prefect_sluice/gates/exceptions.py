"""Exceptions: what sluice.yml lets a gate pass for a while, with a reason and a last day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase

from prefect_sluice.config import Exemption
from prefect_sluice.domain.node import short_name
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict


def excepted(report: GateReport, exceptions: Sequence[Exemption], today: date) -> GateReport:
    """Return the report with every finding that an exception speaks of as WARNED, and why; one that is over says so. Pure."""
    if not exceptions:
        return report
    return replace(
        report, findings=tuple(_apply_exceptions(item, exceptions, today) for item in report.findings)
    )


def _apply_exceptions(finding: Finding, exceptions: Sequence[Exemption], today: date) -> Finding:
    if finding.verdict.lets_through:
        return finding
    meant = [item for item in exceptions if _is_meant(item, finding)]
    if not meant:
        return finding
    last = max(meant, key=lambda item: item.until)
    if today > last.until:
        fix = "mend it, or give the exception in sluice.yml another last day"
        return replace(
            finding,
            summary=f"{finding.summary} (its exception ended on {last.until}: {last.reason})",
            fix=finding.fix or fix,
        )
    return replace(
        finding,
        verdict=Verdict.WARNED,
        summary=f"{finding.summary} (let pass until {last.until}: {last.reason})",
    )


def _is_meant(exception: Exemption, finding: Finding) -> bool:
    if not fnmatchcase(finding.check, exception.check):
        return False
    file = finding.location.partition(":")[0]
    # A finding about several nodes is let pass only if the exception is for each of them.
    named = [{subject, short_name(subject) or subject, file} for subject in finding.subjects or ("",)]
    return all(any(name and fnmatchcase(name, exception.node) for name in names) for names in named)
