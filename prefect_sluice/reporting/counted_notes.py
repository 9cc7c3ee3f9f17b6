"""Notes of a plan's steps once Stage has counted: how many rows are gone, where the plan could only warn of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.planning.plan import Step
from prefect_sluice.planning.reasons import Noted
from prefect_sluice.reporting.terminal.findings import DIFF, is_same

_ANEW: Mapping[Noted, str] = {
    Noted.IN_FULL: "an incremental model rebuilt in full",
    Noted.OTHER_KIND: "what serves keeps history, and this does not go on with it",
}


def rows_gone(step: Step, reports: Iterable[GateReport]) -> int | None:
    """Return how many served rows the diff did not find in what was built; None: the plan warns of none, or the diff did
    not count, or has no key to tell a row that is gone from one that changed."""
    if step.note is None or step.note.kind not in _ANEW:
        return None
    findings = [finding for report in reports if report.gate == DIFF for finding in report.findings]
    for finding in findings:
        if step.node not in finding.subjects:
            continue
        if is_same(finding):
            return 0
        counted = {row[0]: row[1] for table in finding.more if table.title == "rows" for row in table.rows}
        gone = counted.get("removed")
        return None if gone is None or counted.get("changed") is None else int(gone)
    return None


def note_told(step: Step, reports: Iterable[GateReport] = ()) -> str:
    """Return a step's note, "" where there is none. `reports` are the gates' that were asked."""
    gone = rows_gone(step, reports)
    if step.note is None or gone is None:
        return str(step.note or "")
    rows = count(gone, "row that served is", "rows that served are") if gone else "no row that served is"
    return f"{_ANEW[step.note.kind]}: {rows} gone"
