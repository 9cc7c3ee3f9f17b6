"""The sections below the findings: lineage, stages, plan and approvals. Each takes the report and its bounds."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.planning.plan import Step
from prefect_sluice.reporting.report.charts import PARTS, bar, drawing
from prefect_sluice.reporting.report.limits import Bounds, few
from prefect_sluice.reporting.report.markup import Child, Markup, joined, tag
from prefect_sluice.reporting.report.model import Report
from prefect_sluice.reporting.report.parts import more, pill, section
from prefect_sluice.reporting.report.tables import table
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.plan import moved, summary, word
from prefect_sluice.reporting.terminal.promotion import SAID
from prefect_sluice.reporting.wording import count, moment, seconds, short


def lineage(report: Report, bounds: Bounds) -> Markup | None:
    """Return the drawing of what is touched, what it means, and the same as a list."""
    known = report.lineage
    if not known.dots:
        return None
    names = {dot.id: dot.label for dot in known.dots}
    rows = [
        (dot.label, PARTS[dot.part], ", ".join(names[a] for a, b in known.edges if b == dot.id))
        for dot in known.dots
    ]
    left = f"{count(known.left_out, 'node')} of this big change are drawn together." if known.left_out else ""
    parts = dict.fromkeys(dot.part for dot in known.dots)
    legend = tag(
        "ul", *(tag("li", tag("span", class_=f"key {part}"), PARTS[part]) for part in parts), class_="legend"
    )
    return section(
        "lineage",
        "What it hangs on, and who hangs on it",
        tag(
            "div",
            drawing(known),
            class_="scroll",
            role="region",
            aria_label="drawing of the lineage",
            tabindex=0,
        )
        if bounds.drawn
        else None,
        legend if bounds.drawn else None,
        tag("p", left, class_="more") if left else None,
        tag(
            "details",
            tag("summary", "The same as a list"),
            table(("node", "part", "reads"), rows, label="lineage"),
        ),
    )


def stages(report: Report, _: Bounds) -> Markup | None:
    """Return the stages with their times, and how it gets, or got, into the warehouse."""
    if not report.laps:
        return None
    longest = max((lap.seconds or 0 for lap in report.laps), default=0)
    rows: list[Sequence[Child]] = [
        (
            tag("strong", lap.stage),
            pill(lap.state, lap.style),
            seconds(lap.seconds) if lap.seconds is not None else "",
            bar(lap.seconds / longest) if lap.seconds and longest else None,
            lap.told,
        )
        for lap in report.laps
    ]
    runs = len(report.dossier.runs)
    told = [
        f"In {count(runs, 'run')} of the stages together." if runs > 1 else "",
        "" if runs else "What the stages took was not recorded.",
        f"The answer was given {seconds(report.waited.total_seconds())} after it was staged."
        if report.waited
        else "",
        f"{report.publish[:1].upper()}{report.publish[1:]}." if report.publish else "",
    ]
    return section(
        "stages",
        "Stage by stage",
        table(("stage", "", "took", "", "what came of it"), rows, label="stages", right=(2,)),
        tag("p", " ".join(part for part in told if part), class_="more"),
    )


def plan(report: Report, bounds: Bounds) -> Markup | None:
    """Return what is built, carried over, relinked and removed, and why; what is reused is folded away."""
    known = report.dossier.plan
    if known is None:
        return None
    steps, rest = few(moved(known), bounds.steps)
    reused = [step for step in known.steps if not step.moves]
    same, same_left = few(reused, bounds.steps)
    held = [(uid, str(why)) for uid, why in known.held.items()]
    return section(
        "plan",
        "The plan",
        tag("p", summary(known), class_="summary"),
        table(
            ("", "relation", "kind", "why"),
            [(tag("strong", word(step)), str(step.name), step.kind.value, _why(step)) for step in steps],
            label="plan",
        )
        if steps
        else None,
        more(rest, "relation"),
        table(("left as it is", "why"), held[: bounds.steps], label="held back") if held else None,
        tag(
            "details",
            tag("summary", f"{len(reused)} reused as they are"),
            table(("relation", "kind"), [(str(step.name), step.kind.value) for step in same], label="reused"),
            more(same_left, "relation"),
        )
        if reused
        else None,
    )


def _why(step: Step) -> Child:
    note = tag("span", f" {step.note}", class_="note") if step.note else None
    return joined(str(step.reason), note)


def approvals(report: Report, _: Bounds) -> Markup:
    """Return who said yes or no, to what, and until when it is good."""
    found = report.dossier
    rows = [
        (
            pill(SAID[item.decision], Style.GOOD if item.decision.value == "approve" else Style.BAD),
            item.who,
            moment(item.at),
            f"used {moment(item.used_at)}" if item.used_at else f"good until {moment(item.expires_at)}",
            item.comment,
            tag("code", short(item.binding)),
        )
        for item in found.approvals
    ]
    needs = f"It needs {count(found.asked, 'approval')}. " if found.asked else "It needs no approval. "
    told = needs + ("" if rows else "Nobody has said anything yet." if found.asked else "")
    header = ("", "by", "at", "", "comment", "bound to")
    return section(
        "approvals",
        "Approvals",
        tag("p", told, class_="calm"),
        table(header, rows, label="approvals") if rows else None,
    )
