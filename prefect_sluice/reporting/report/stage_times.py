"""The seven stages with their times, from what is recorded: runs, gates' seconds, and the ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.stage_order import WHOLE, stages_of
from prefect_sluice.planning.plan import Action
from prefect_sluice.reporting.report.model import ReleaseRecord, StageRow
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.promotion import SAID
from prefect_sluice.reporting.wording import moment, short

_PAST = {
    State.STARTED: 2,
    State.STAGED: 4,
    State.APPROVED: 5,
    State.DEPLOYING: 5,
    State.DEPLOYED: 6,
    State.STABLE: 7,
}
"""How many stages are done in a state."""


def laps(record: ReleaseRecord) -> tuple[StageRow, ...]:
    """Return a lap for each stage that this promotion has, done or not."""
    promotion = record.promotion
    if promotion is None:
        return ()
    names = stages_of(promotion.cause)
    done, ended = _reached(record, promotion, names)
    took = _took(record)
    lines: list[StageRow] = []
    for number, name in enumerate(names):
        state, style = ("done", Style.GOOD) if number < done else ("not reached", Style.FAINT)
        if number == done and ended:
            state, style = ended
        summary = _stage_summary(name, record, promotion) if number <= done else ""
        lines.append(StageRow(name.capitalize(), took.get(name), state, summary, style))
    return tuple(lines)


def waited(record: ReleaseRecord) -> timedelta | None:
    """Return how long the promotion waited for the yes or no that was used; None where none was needed."""
    staged = _at(record.entries, "promotion.staged")
    answered = _at(record.entries, "approval.given")
    return answered - staged if staged and answered and answered >= staged else None


def _reached(
    record: ReleaseRecord, promotion: Promotion, names: tuple[str, ...]
) -> tuple[int, tuple[str, Style] | None]:
    """Return how many stages are done, and how the next one stands if it ended the way, or is at work."""
    state = promotion.state
    if promotion.cause.goes_back or state is State.CHECKED:
        return len(names), None
    if state in _PAST:
        done = min(_PAST[state] - (len(WHOLE) - len(names) if _PAST[state] > 2 else 0), len(names))
        waits = state is State.STAGED and record.approvals_needed > 0
        return done, ("waits for a yes", Style.WARN) if waits else None
    if state is State.REFUSED:
        last = record.stages[-1].split()[0] if record.stages else "stage"
        return names.index(last) if last in names else 2, ("said no", Style.BAD)
    if state is State.REJECTED:
        return names.index("approve"), ("said no", Style.BAD)
    past = len(names) - 3 if promotion.evidence else 2
    return past, (f"{state.value}", Style.WARN)


def _took(record: ReleaseRecord) -> Mapping[str, float]:
    """Return the seconds spent in each stage, all runs together; of an older Sluice's, the gates' of Test."""
    took: dict[str, float] = {}
    for run in record.runs:
        for stage_time in run.took:
            took[stage_time.stage] = took.get(stage_time.stage, 0.0) + stage_time.seconds
    return took


def _stage_summary(name: str, record: ReleaseRecord, promotion: Promotion) -> str:
    match name:
        case "source":
            change = record.release.change if record.release else None
            return f"commit {change.short}, {moment(change.at)}" if change else ""
        case "build":
            plan = record.plan
            made = len(plan.of(Action.BUILD, Action.CARRY)) if plan else 0
            return (
                f"release {short(promotion.release)}; {made} to build, {len(plan.of(Action.REUSE))} reused"
                if plan
                else ""
            )
        case "test" | "stage":
            return _gates(name, record)
        case "approve":
            return _approved(record)
        case "deploy" | "rollback":
            at = _at(record.entries, "generation.written")
            return f"generation {promotion.generation}, {moment(at)}" if at and promotion.generation else ""
        case _:
            return _gates(name, record)


def _gates(stage: str, record: ReleaseRecord) -> str:
    judged = [
        report
        for where, report in zip(record.stages, record.reports, strict=False)
        if where == stage and not report.not_applicable
    ]
    if not judged:
        return ""
    no = [report.gate for report in judged if not report.verdict.lets_through]
    return f"{count(len(judged), 'gate')} asked" + (f", no by {', '.join(no)}" if no else "")


def _approved(record: ReleaseRecord) -> str:
    if not record.approvals:
        return "" if record.approvals_needed else "no approval needed"
    last = record.approvals[-1]
    return f"{SAID[last.decision]} by {last.who}, {moment(last.at)}"


def _at(entries: tuple[LedgerEntry, ...], event: str) -> datetime | None:
    times = [entry.at for entry in entries if entry.event == event]
    return times[-1] if times else None
