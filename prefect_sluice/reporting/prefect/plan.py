"""The plan as an artifact: how much is built, what first, and the rest folded away. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from prefect_sluice.domain.counting import count
from prefect_sluice.planning.against_base import AgainstBase
from prefect_sluice.planning.explain import StepReasons
from prefect_sluice.planning.plan import Plan, Step
from prefect_sluice.reporting.base_words import ORIGIN, base_text, step_words
from prefect_sluice.reporting.markdown import escaped, folded, table
from prefect_sluice.reporting.prefect.links import ArtifactKind, RunLinks, about
from prefect_sluice.reporting.report.limits import SHORT
from prefect_sluice.reporting.report.markdown import lineage
from prefect_sluice.reporting.report.model import Report
from prefect_sluice.reporting.styled_text import plain
from prefect_sluice.reporting.terminal.explain import why_lines
from prefect_sluice.reporting.terminal.plan import costs_line, moved, summary, word
from prefect_sluice.reporting.terminal.publishing import adopted_lines
from prefect_sluice.reporting.wording import short
from prefect_sluice.stages.adopt import TakenNames

_OPEN = 40
"""So many relations are seen at once."""
_FOLDED = 400
"""So many more can be unfolded; whoever needs more asks for the JSON."""
_HELD = 40
_TAKEN = 30
_REASONS = 12


def plan_page(
    report: Report, links: RunLinks, reasons: Sequence[StepReasons] = (), taken: TakenNames | None = None
) -> str:
    """Return what is built, carried over, relinked and removed, and why; of a plan of thousands what a person can read.
    `reasons` are those of the nodes that somebody asked for by name; `taken` the public names that a release is refused for."""
    plan = report.dossier.plan
    if plan is None:
        return ""
    title = f"## Plan: {plan.cause.value} {short(plan.release)} → {escaped(plan.environment)}"
    lines = [title, "", *about(report.dossier, links, ArtifactKind.PLAN), f"**{summary(plan)}**", ""]
    lines += _taken_lines(taken) if taken else []
    expected = costs_line(report.dossier.costs) if report.dossier.costs else ""
    lines += [escaped(expected), ""] if expected else []
    if report.publish:
        lines += [escaped(report.publish), ""]
    for reason in reasons:
        lines += ["```text", plain(why_lines(reason)).rstrip("\n"), "```", ""]
    base = report.dossier.base
    lines += [escaped(base_text(base)), ""] if base else []
    lines += _steps(plan, base)
    lines += _held_lines(plan)
    if plan.adopted:
        adopted = plain(adopted_lines(plan.adopted)).splitlines()
        lines += [*(f"* {escaped(adopted_line.strip())}" for adopted_line in adopted), ""]
    return "\n".join([*lines, *lineage(report, SHORT[0])]).rstrip("\n") + "\n"


def _taken_lines(taken: TakenNames) -> list[str]:
    """Return what a release is refused for. No line is wrapped: a command stays whole, and is linked to its form."""
    names = [f"* {escaped(name)}" for name in taken.names[:_TAKEN]]
    rest = len(taken.names) - _TAKEN
    more = [f"* and {rest} more"] if rest > 0 else []
    head = f"⚠️ **A release is refused:** these public names {escaped(taken.what)}:"
    return [head, "", *names, *more, "", escaped(taken.way_out), ""]


def _steps(plan: Plan, base: AgainstBase | None) -> list[str]:
    steps = base.in_order(moved(plan)) if base else moved(plan)
    if not steps:
        return ["No name gets another relation.", ""]
    shown, more, left = steps[:_OPEN], steps[_OPEN : _OPEN + _FOLDED], steps[_OPEN + _FOLDED :]
    lines = _why(steps) if more else []
    lines += _table(shown, base)
    if more:
        lines += folded(f"{count(len(more), 'more relation')}", _table(more, base))
    if left:
        lines += [f"and {count(len(left), 'more relation')}: `sluice plan --json`", ""]
    return lines


def _why(steps: Sequence[Step]) -> list[str]:
    """Return how many relations there are for each reason: what a list of a thousand does not show."""
    reasons = Counter((word(step), str(step.reason)) for step in steps)
    rows = [(str(many), action, why) for (action, why), many in reasons.most_common(_REASONS)]
    rest = len(reasons) - len(rows)
    more = [f"and {count(rest, 'more reason')}", ""] if rest else []
    return [*table(("relations", "", "why"), rows), *more]


def _table(steps: Sequence[Step], base: AgainstBase | None) -> list[str]:
    noted = any(step.note for step in steps)
    header = ("", "relation", "kind", "why", *(("note",) if noted else ()), *((ORIGIN,) if base else ()))
    rows = [
        (
            word(step),
            str(step.name),
            step.kind.value,
            str(step.reason),
            *((str(step.note or ""),) if noted else ()),
            *((step_words(base, step),) if base else ()),
        )
        for step in steps
    ]
    return table(header, rows)


def _held_lines(plan: Plan) -> list[str]:
    if not plan.held:
        return []
    rows = [(uid.split(".", 2)[-1], str(why)) for uid, why in plan.held.items()]
    lines = table(("left as it is", "why"), rows[:_HELD])
    return lines + ([f"and {len(rows) - _HELD} more", ""] if len(rows) > _HELD else [])
