"""How a run of the stages ended: what the gates said, what changes for readers, and what to do next."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.release import Release
from prefect_sluice.gates.remedies import OR_ELSE
from prefect_sluice.planning.against_base import AgainstBase
from prefect_sluice.planning.column_reach import ChangeReach
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.reasons import some
from prefect_sluice.promotions.work import Outcome, Status, Work
from prefect_sluice.reporting.base_words import base_line, counts_line, grouped
from prefect_sluice.reporting.reach_words import TITLE, reach_lines
from prefect_sluice.reporting.styled_text import BLANK, Line, Span, Style, faint, line, strong, wrapped
from prefect_sluice.reporting.table import WIDTH
from prefect_sluice.reporting.terminal.commits import base_commit_lines
from prefect_sluice.reporting.terminal.findings import (
    DIFF,
    changes_lines,
    findings_lines,
    gates_table,
    notable,
)
from prefect_sluice.reporting.terminal.publishing import publish_text
from prefect_sluice.reporting.wording import age, moment, seconds, short

_MOST_NAMES = 10
_MOST_COLUMNS = 10
_STYLES = {
    Status.DONE: Style.GOOD,
    Status.PARTIAL: Style.WARN,
    Status.UNCHANGED: Style.GOOD,
    Status.WAITING: Style.WARN,
    Status.REFUSED: Style.BAD,
    Status.REJECTED: Style.BAD,
    Status.SUPERSEDED: Style.WARN,
    Status.EXPIRED: Style.WARN,
    Status.CHECKED: Style.GOOD,
}


def outcome_lines(
    work: Work, *, warns: Collection[str] = (), reach: ChangeReach | None = None, width: int = WIDTH
) -> list[Line]:
    """Return the end of a release, check or refresh. `warns` are gates whose no is only a warning, `reach` what the changed
    columns reach (None: nobody asked, or none changed)."""
    outcome = work.outcome or Outcome(Status.DONE, "done")
    publish_line = publish_text(work.published) if work.published else ""
    published = wrapped(publish_line, width, indent=0, style=Style.FAINT) if publish_line else []
    if work.resumed and outcome.status is Status.DONE:
        return [
            BLANK,
            *published,
            *_ending(outcome, width),
        ]  # the findings were shown when it was staged, and approved
    blocks = [gates_table(work.reports, warns=warns, width=width)]
    blocks.append(
        findings_lines(
            [finding for finding in notable(work.reports) if finding.gate != DIFF],
            width=width,
            next=outcome.next,
        )
    )
    if work.base is not None and work.plan is not None:
        blocks.append(beside_base_lines(work.base, work.plan, width))
    changed = changes_lines(work.reports, width=width, next=outcome.next)
    blocks.append([line(strong("What changes for readers")), *changed] if changed else [])
    blocks.append(_reach_lines(reach, width) if reach else [])
    blocks.append([*published, *_where_to_read(work, outcome), *_ending(outcome, width)])
    lines = [part for block in blocks if block for part in (BLANK, *block)]
    return lines if work.reports else lines[1:]


def _reach_lines(reach: ChangeReach, width: int) -> list[Line]:
    sentences = [*reach_lines(reach, _MOST_COLUMNS)]
    lines = [part for text in sentences for part in wrapped(text, width)]
    return [line(strong(TITLE)), *lines] if lines else []


def beside_base_lines(base: AgainstBase, plan: Plan, width: int = WIDTH) -> list[Line]:
    """Return where the branch was made, and the relations of each origin by name, those of the branch first."""
    lines = [line(strong("Beside the base: "), base_line(base)), *base_commit_lines(base, width)]
    if base.untold:
        return [*lines, *wrapped(counts_line(base), width, style=Style.WARN)]
    for heading, steps in grouped(base, plan.steps):
        if heading:
            names = some([str(step.name) for step in steps], _MOST_NAMES)
            lines += wrapped(f"{heading}: {names}", width)
    return lines


def _where_to_read(work: Work, outcome: Outcome) -> list[Line]:
    """Return the command that writes the report, where somebody has to decide or to mend."""
    if work.promotion is None or outcome.status not in {Status.WAITING, Status.REFUSED}:
        return []
    command = f"sluice report {work.promotion.id} --output report.html"
    return [line(faint("all of it on one page: "), command)]


def _ending(outcome: Outcome, width: int) -> list[Line]:
    """Return how it ended and what to do next, as the last line; before it, what else may be done."""
    passing = wrapped(f"{OR_ELSE}{outcome.passing}", width) if outcome.passing else []
    return [*passing, verdict_line(outcome)]


def verdict_line(outcome: Outcome) -> Line:
    """Return how it ended, and the next command."""
    ending = [Span(f"{outcome.status.value}: ", _STYLES[outcome.status]), Span(outcome.message)]
    return line(*ending, "; next: ", strong(outcome.next)) if outcome.next else line(*ending)


def trouble_line(trouble: str, next: str) -> Line:
    """Return what could not be done beside what was, and the next command."""
    return line(Span(trouble, Style.BAD), "; then: ", strong(next))


def rollback_line(
    generation: Generation, release: Release | None, origin: Generation | None, took: float, now: datetime
) -> Line:
    """Return `prod serves generation 6 = generation 2 again, release 9f8e7d6 ("subject"), data as of …, 3 days old`."""
    subject = f' ("{release.change.subject}")' if release else ""
    data = f", data as of {moment(origin.at)}, {age(origin.at, now)}" if origin else ""
    same = f"generation {generation.number} = generation {generation.origin} again"
    head = f"{generation.environment} serves {same}"
    served = f"release {short(generation.release)}{subject}" if generation.release else "what was adopted"
    return line(strong(head), f", {served}{data}; {seconds(took)}")
