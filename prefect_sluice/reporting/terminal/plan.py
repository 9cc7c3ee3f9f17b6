"""A plan on one screen: what is built, carried over, relinked and removed, and why."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.counting import count, noun
from prefect_sluice.domain.release import Change, CommitRange, Release, name_alone
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.planning.against_base import AgainstBase
from prefect_sluice.planning.costs import ExpectedCosts
from prefect_sluice.planning.impact import ReachedConsumer
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.reporting.base_words import counts_line, grouped
from prefect_sluice.reporting.counted_notes import note_told
from prefect_sluice.reporting.part import changed_by, files_of
from prefect_sluice.reporting.styled_text import (
    BLANK,
    Line,
    Span,
    Style,
    and_more,
    faint,
    labelled,
    line,
    strong,
    wrapped,
)
from prefect_sluice.reporting.table import WIDTH, table
from prefect_sluice.reporting.terminal.commits import range_lines
from prefect_sluice.reporting.terminal.publishing import adopted_lines, forecast_lines
from prefect_sluice.reporting.wording import amount, seconds, short, size
from prefect_sluice.warehouse.publishing import Forecast

_MOST_STEPS = 30
_MOST_FILES = 8
_MOST_CONSUMERS = 10
_STYLES = {
    Action.BUILD: Style.GOOD,
    Action.CARRY: Style.WARN,
    Action.REMOVE: Style.BAD,
    Action.REUSE: Style.FAINT,
}


def plan_lines(
    plan: Plan,
    release: Release | None = None,
    *,
    width: int = WIDTH,
    expected: Forecast | None = None,
    reached: Sequence[ReachedConsumer] = (),
    given_up: Sequence[ReachedConsumer] = (),
    costs: ExpectedCosts | None = None,
    commits: CommitRange | None = None,
    base: AgainstBase | None = None,
) -> list[Line]:
    """Return the whole plan: headline, change, the commits that come and go, steps, what is adopted, summary, what the build
    is expected to cost, how its publish is expected to go, the consumers that it reaches, and those given up. Beside a `base`,
    what is of the branch stands first."""
    lines = [headline(plan)]
    if release is not None:
        lines += change_lines(release.change, width)
    lines += range_lines(commits, plan.environment, width, base=base)
    steps = steps_lines(plan, width=width, base=base)
    lines += [BLANK, *steps] if steps else []
    adopted = adopted_lines(plan.adopted, width=width)
    lines += [BLANK, *adopted] if adopted else []
    lines += [BLANK, line(strong(summary(plan)))]
    cost = costs_line(costs) if costs else ""
    lines += wrapped(cost, width, indent=0, style=Style.FAINT) if cost else []
    lines += forecast_lines(expected, width) if expected and not plan.changes_nothing else []
    lines += reached_lines(reached, width)
    lines += given_up_lines(given_up, width)
    if release is not None:
        lines += files_lines(release, commits)
    return lines


def headline(plan: Plan) -> Line:
    """Return `release a1b2c3d → prod (generation 3, release 9f8e7d6)`."""
    serves = (
        f"generation {plan.base}, release {short(plan.base_release)}"
        if plan.base
        else "it serves nothing yet"
    )
    return line(
        plan.cause.value, " ", strong(short(plan.release)), " → ", strong(plan.environment), f" ({serves})"
    )


def change_lines(change: Change, width: int = WIDTH) -> list[Line]:
    """Return the commit with its subject and its author's name."""
    author = name_alone(change.author)
    lines = labelled(f"{change.short} ", change.subject, width)
    if sum(span.width for span in lines[-1]) + len(author) + 2 <= width:
        return [*lines[:-1], (*lines[-1], faint(f"  {author}"))]
    return [*lines, line(faint(author), indent=len(change.short) + 1)]


def steps_lines(
    plan: Plan,
    *,
    width: int = WIDTH,
    reports: Sequence[GateReport] = (),
    base: AgainstBase | None = None,
) -> list[Line]:
    """Return a line for each relation that gets another pointer, and its note below it: once gates were asked, with what they
    counted. Beside a `base` by what each moves because of, under headings."""
    steps = moved(plan) if base is None else base.in_order(moved(plan))
    shown = steps[:_MOST_STEPS]
    if base is None or base.untold:
        lines = wrapped(counts_line(base), width, style=Style.WARN) if base else []
        lines += _rows(shown, width, reports)
    else:
        lines = [
            part
            for heading, of_origin in grouped(base, shown)
            for part in (*wrapped(heading, width, indent=0), *_rows(of_origin, width, reports))
        ]
    for uid, why in list(plan.held.items())[:_MOST_STEPS]:
        lines += wrapped(f"left as it is: {'.'.join(uid.split('.')[2:])} ({why})", width, style=Style.FAINT)
    return [*lines, *and_more(len(steps) - _MOST_STEPS), *_old_names(plan, width)]


def _rows(steps: Sequence[Step], width: int, reports: Sequence[GateReport]) -> list[Line]:
    rows = [
        (Span(word(step), _STYLES[step.action]), str(step.name), step.kind.value, str(step.reason))
        for step in steps
    ]
    notes = [_note(step, width, reports) for step in steps]
    return table(rows, indent=2, width=width, stretch=True, below=notes)


def _old_names(plan: Plan, width: int) -> list[Line]:
    """Return a line for each old name that is served beside the relations, and for each that ends."""
    shown = plan.old_names[:_MOST_STEPS]
    shown_names = [part for old_name in shown for part in wrapped(old_name.words, width, style=Style.FAINT)]
    ends = (f"{old_name.name}: old name of {old_name.new}, ends with this" for old_name in plan.ended)
    gone = [part for text in ends for part in wrapped(text, width)]
    return [*gone, *shown_names, *and_more(len(plan.old_names) - len(shown), where="")]


def _note(step: Step, width: int, reports: Sequence[GateReport]) -> list[Line]:
    note = note_told(step, reports)
    style = Style.BAD if step.loses_history else Style.FAINT
    return wrapped(f"note: {note}", width, indent=6, style=style) if note else []


def summary(plan: Plan) -> str:
    """Return `2 built, 16 reused, 0 removed`; `carried over` and `relinked` only where there is any."""
    built, carried, removed = (len(plan.of(action)) for action in (Action.BUILD, Action.CARRY, Action.REMOVE))
    relinked = sum(step.action is Action.REUSE for step in moved(plan))
    parts = [f"{built} built"]
    parts += [f"{carried} carried over"] if carried else []
    parts += [f"{relinked} built before"] if relinked else []
    parts += [f"{len(plan.of(Action.REUSE)) - relinked} reused", f"{removed} removed"]
    parts += [count(len(plan.held), "left as it is", "left as they are")] if plan.held else []
    return ", ".join(parts)


def costs_line(costs: ExpectedCosts) -> str:
    """Return `expected: about 40 s (from 5 builds), 1.2 M rows, 83.9 MB`; "" where nothing is built. Without earlier
    builds it says so, and never guesses."""
    if not costs.relations:
        return ""
    if costs.seconds is None and costs.rows is None:
        return "expected: not known yet (nothing of it was built and served here before)"
    took = f"about {seconds(costs.seconds)} (from {count(costs.builds, 'build')})" if costs.seconds else ""
    brings = f"{amount(costs.rows)} {noun(costs.rows, 'row')}" if costs.rows is not None else ""
    parts = [took, brings, size(costs.bytes) if costs.bytes else ""]
    new = costs.relations - costs.with_past
    rest = f"; of {count(new, 'relation')} the time is not known yet" if new else ""
    return f"expected: {', '.join(part for part in parts if part)}{rest}"


def reached_lines(reached: Sequence[ReachedConsumer], width: int = WIDTH) -> list[Line]:
    """Return how many consumers are reached, and what changes for each; none where nobody is."""
    if not reached:
        return []
    return [line(f"reaches {count(len(reached), 'consumer')}:"), *_consumer_lines(reached, width)]


def given_up_lines(given_up: Sequence[ReachedConsumer], width: int = WIDTH) -> list[Line]:
    """Return what breaks for consumers that this very change no longer declares to read it; none where nothing does."""
    if not given_up:
        return []
    heading = f"{count(len(given_up), 'consumer')} no longer declared to read it:"
    return [*wrapped(heading, width, indent=0, style=Style.WARN), *_consumer_lines(given_up, width)]


def _consumer_lines(reached: Sequence[ReachedConsumer], width: int) -> list[Line]:
    lines: list[Line] = []
    for consumer in sorted(reached, key=lambda consumer: not consumer.breaking)[:_MOST_CONSUMERS]:
        breaks = [Span("breaks ", Style.BAD)] if consumer.breaking else []
        first, *more = wrapped(f"{consumer.title}: {consumer.told()}", width - len("breaks ") * bool(breaks))
        lines += [line("  ", *breaks, *first[1:]), *more]
    return [*lines, *and_more(len(reached) - _MOST_CONSUMERS)]


def files_lines(release: Release, commits: CommitRange | None) -> list[Line]:
    """Return the files that the commits that come change, no more of them than a screen has lines."""
    files, number = files_of(release, commits)
    if not files:
        return []
    lines = [line(faint(f"{count(number, 'file')} changed by {changed_by(release, commits)}:"))]
    # In one piece each, however long: it is there to be copied.
    lines += [line(path, indent=2) for path in files[:_MOST_FILES]]
    return [*lines, *and_more(number - _MOST_FILES, where="")]


def moved(plan: Plan) -> tuple[Step, ...]:
    """Return the steps that give a name another relation, or take it away."""
    return tuple(step for step in plan.steps if step.moves)


def word(step: Step) -> str:
    """Return what a step does in one word; `relink` is to point to a relation that was built before."""
    return "relink" if step.action is Action.REUSE else step.action.value
