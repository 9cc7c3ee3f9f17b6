"""The gates, and how they are asked: each answers, whatever happens in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, cast

from prefect_sluice.config import GateSettings as Settings
from prefect_sluice.domain.verdict import SWITCHED_OFF, Evidence, Finding, GateReport, Verdict, overall
from prefect_sluice.gates.base import (
    CandidateView,
    DeclarationsView,
    Gate,
    ReleaseView,
    Subject,
    ToolsView,
    ask_gate,
)
from prefect_sluice.gates.catalog import GATES, PERMIT, READ_ONLY, checked, make_gates
from prefect_sluice.gates.exceptions import excepted
from prefect_sluice.gates.remedies import remedied
from prefect_sluice.gates.time_limit import too_long, within
from prefect_sluice.runtime import process
from prefect_sluice.runtime.cancellation import told_to_stop
from prefect_sluice.runtime.redaction import concealer

__all__ = [
    "GATES",
    "PERMIT",
    "CandidateView",
    "DeclarationsView",
    "Finding",
    "Gate",
    "GateReport",
    "ReleaseView",
    "Settings",
    "ToolsView",
    "Verdict",
    "checked",
    "held_back",
    "in_order",
    "judge",
    "make_gates",
    "redact_report",
    "refusals",
    "run",
]
"""A gate of your own needs `CandidateView` to `Verdict`; the rest is how Sluice asks gates."""

if not TYPE_CHECKING:  # what is not here any more, with what stands in its place
    from prefect_sluice.gates.base import __getattr__ as __getattr__


def run(
    gate: Gate, subject: Subject, settings: Mapping[str, Settings], *, today: date | None = None
) -> GateReport:
    """Ask one gate. What escapes it is an ERRORED finding; a gate that is off says so; what is excepted only warns.

    `today` (UTC, the default is now's) decides which exceptions still hold.
    """
    own = settings.get(gate.id, Settings())
    limit = _limit(gate, own)
    if own.on == "off":
        return GateReport(gate.id, not_applicable=SWITCHED_OFF, switched_off=True)
    started = perf_counter()
    with within(limit, subject.candidate.reader) as over:
        report = _answer(gate, subject)
    if limit is not None and over.is_set():
        report = too_long(report, limit)
    report = excepted(report, own.exceptions, today or process.now().date())
    return replace(redact_report(remedied(report)), seconds=perf_counter() - started)


def _limit(gate: Gate, own: Settings) -> timedelta | None:
    """Return how long a gate may take: as sluice.yml says, else as the gate's own settings do. None: as long as it takes."""
    if gate.Settings.keeps_time:
        return None
    said = "timeout" in own.model_fields_set
    return own.timeout if said else gate.Settings.model_fields["timeout"].get_default()


def redact_report(report: GateReport) -> GateReport:
    """Return the report as it may be shown and kept: an engine that fails repeats what it was given, secrets too."""
    without = concealer()

    def evidence(item: Evidence) -> Evidence:
        rows = (tuple(cell and without(cell) for cell in row) for row in item.rows)
        return replace(item, rows=tuple(rows))

    def finding(item: Finding) -> Finding:
        own = item.evidence and evidence(item.evidence)
        more = tuple(evidence(table) for table in item.more)
        return replace(item, summary=without(item.summary), fix=without(item.fix), evidence=own, more=more)

    return replace(report, findings=tuple(finding(item) for item in report.findings))


def _answer(gate: Gate, subject: Subject) -> GateReport:
    try:
        report = cast(object, ask_gate(gate, subject))
    except (
        Exception,
        SystemExit,
    ) as error:  # what a project's own module or an installed gate exits with is no verdict
        stop = told_to_stop(error)
        if stop is not None:
            raise stop from None
        told = (str(error).splitlines() or [""])[0]
        return _broke(gate, f"{type(error).__name__}: {told}")
    if not isinstance(report, GateReport) or report.gate != gate.id:
        what = f"the report of {report.gate!r}" if isinstance(report, GateReport) else type(report).__name__
        return _broke(gate, f"it answered {what}, not its own report")
    if not report.findings and not report.not_applicable:
        silent = Finding(gate.id, "gate", Verdict.INCONCLUSIVE, "it found nothing, neither good nor bad")
        return GateReport(gate.id, (silent,))
    return report


def _broke(gate: Gate, why: str) -> GateReport:
    return GateReport(gate.id, (Finding(gate.id, "gate", Verdict.ERRORED, why),))


def judge(reports: Iterable[GateReport], settings: Mapping[str, Settings]) -> Verdict:
    """Return the worst verdict of the gates that apply; one set to `warn` counts as WARNED at worst. None: INCONCLUSIVE."""
    verdicts: list[Verdict] = []
    for report in reports:
        if report.not_applicable:
            continue
        warns = settings.get(report.gate, Settings()).on == "warn"
        verdicts.append(min(report.verdict, Verdict.WARNED) if warns else report.verdict)
    return overall(verdicts)


def in_order(asked: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return gates so that those which run nothing of a change come before those which may. Pure; otherwise as given."""
    return tuple(sorted(asked, key=lambda gate: gate.id not in READ_ONLY))


def refusals(reports: Iterable[GateReport], settings: Mapping[str, Settings]) -> tuple[str, ...]:
    """Return the ids of the gates whose answer lets no code of the change run, in the order they were asked. Pure."""
    return tuple(
        report.gate
        for report in reports
        if report.gate in PERMIT and report.findings and not judge((report,), settings).lets_through
    )


def held_back(gate: Gate, refused: Sequence[str]) -> GateReport | None:
    """Return the answer of a gate that must not be asked, since it may run what others refused; None if it may be."""
    if not refused or gate.id in READ_ONLY:
        return None
    told = f"not asked: nothing of the change runs while gate {', '.join(refused)} refuses it"
    return GateReport(gate.id, not_applicable=told)
