"""The report as Markdown: for pull requests, job summaries and Prefect's artifacts. The same content, cut to a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prefect_sluice.diff.values import with_change
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.verdict import Evidence, Finding
from prefect_sluice.reporting.base_words import ORIGIN, commit_rows, name_words, step_words
from prefect_sluice.reporting.counted_notes import note_told
from prefect_sluice.reporting.markdown import MARKS, escaped, folded, table
from prefect_sluice.reporting.part import authors, brought_line, goes_line
from prefect_sluice.reporting.reach_words import reach_list
from prefect_sluice.reporting.report.changes import no_change
from prefect_sluice.reporting.report.charts import share
from prefect_sluice.reporting.report.limits import SHORT, ReportLimits, clipped, few, fitting
from prefect_sluice.reporting.report.mermaid import mermaid
from prefect_sluice.reporting.report.model import ConsumerRow, GateRow, Report
from prefect_sluice.reporting.report.once import Once, of_consumer
from prefect_sluice.reporting.report.side_by_side import Cell, side_by_side
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.findings import caption, counted, skipped_gates_line
from prefect_sluice.reporting.terminal.plan import moved, summary, word
from prefect_sluice.reporting.terminal.promotion import SAID
from prefect_sluice.reporting.wording import moment, number, seconds, short

LIMITS = {"github": 65_536, "gitlab": 1_000_000}
"""Characters that a comment may have there."""

_WORDS = {Style.GOOD: "✅", Style.WARN: "⏳", Style.BAD: "❌"}
_BAR = 10
_LONGEST = 200


def markdown(report: Report, *, limit: int = LIMITS["github"], ladder: Sequence[ReportLimits] = SHORT) -> str:
    """Return the report, at most `limit` characters: what does not fit is left out, the least important first, and counted."""
    return fitting(lambda bounds: _page(report, bounds), limit, ladder)


def _page(report: Report, bounds: ReportLimits) -> str:
    parts = (
        head_lines(report),
        changes(report, bounds),
        finding_lines(report, bounds),
        diff(report, bounds),
        lineage(report, bounds),
        _stages(report),
        plan_lines(report, bounds),
        _approvals(report),
        _provenance(report),
    )
    return "\n".join(line for part in parts for line in part).rstrip("\n") + "\n"


def head_lines(report: Report) -> list[str]:
    """Return the lines with the verdict, what must be known first, what to do next, and from where to where it leads."""
    head, record = report.head, report.dossier
    promotion = record.promotion
    where = f"{promotion.environment}: " if promotion else ""
    lines = [f"## {_WORDS.get(head.style, '▪️')} {escaped(where)}{escaped(head.title)}", ""]
    lines += [f"**{head.word}.** {escaped(head.sentence)}", ""]
    lines += [
        f"* {f'**{escaped(point.about)}** ' if point.about else ''}{escaped(point.text)}"
        for point in report.points
    ]
    lines += [""] if report.points else []
    tallies = " · ".join(f"**{tally.value}** {tally.label}" for tally in report.tallies)
    lines += [tallies, ""] if tallies else []
    for advice in head.advice:
        lines += [escaped(advice.text), *(["```console", advice.command, "```"] if advice.command else [])]
    return [*lines, "", *_request_lines(report)]


def _request_lines(report: Report) -> list[str]:
    record = report.dossier
    promotion, release = record.promotion, record.release
    lines: list[str] = []
    if promotion is not None:
        former = f", {record.former.change.short} {record.former.change.subject}" if record.former else ""
        base = (
            f"generation {promotion.base}: release {short(promotion.base_release)}{former}"
            if promotion.base
            else "nothing served yet"
        )
        lines.append(f"* from {escaped(base)}")
        lines += [f"* this is {escaped(record.copy.line)}"] if record.copy else []
    if release is not None:
        change = release.change
        brought, goes = brought_line(release, record.commits), goes_line(record.commits)
        what = f"`{change.short}` by {escaped(change.author)}"
        brings = (
            f"commits {escaped(brought)}, by {escaped(authors(release, record.commits))}"
            if brought
            else f"commit {what}"
        )
        lines.append(f"* to release `{release.short}`, {brings}, {moment(change.at)}")
        own = commit_rows(record.base) if record.base else []
        lines += [f"* {escaped(label)}: {escaped(text)}" for label, text in own]
        lines += [f"* **goes:** {escaped(goes)}"] if goes else []
    if promotion is not None:
        lines.append(
            f"* promotion `{promotion.id}`, asked by {escaped(promotion.actor)}, {moment(promotion.created_at)}"
        )
    if promotion is not None and promotion.evidence:
        bound = f"plan `{short(promotion.plan)}`, evidence `{short(promotion.evidence)}`, all of it `{short(promotion.binding)}`"
        lines.append(f"* a yes binds {bound}")
    return [*lines, ""]


def changes(report: Report, bounds: ReportLimits, *, alone: bool = False) -> list[str]:
    """Return the lines on what readers find changed, and who they are; `alone`: on a page without points and findings."""
    lines = ["### What changes, and for whom", ""]
    base = report.dossier.base
    relations = report.changed if alone else [one for _, one in Once(report).relations]
    shown, rest = few(relations, bounds.steps)
    nobody = "no declared consumer"
    rows = [(one.name, one.told, ", ".join(one.readers) or nobody, one.origin) for one in shown]
    new, gone = report.new[: bounds.steps], report.gone[: bounds.steps]
    rows += [(name, "new: nobody can read it yet", "", name_words(base, name)) for name in new]
    rows += [(name, "removed: who reads it finds nothing", "", name_words(base, name)) for name in gone]
    rows += [(str(old_name.name), old_name.told, "", "") for old_name in report.old_names[: bounds.steps]]
    header = ("relation", "what readers find", "read by", ORIGIN)[: 4 if base else 3]
    rows = [row[: len(header)] for row in rows]
    lines += table(header, rows) if rows else [no_change(report), ""]
    lines += _more(rest + max(len(report.new) - bounds.steps, 0), "relation")
    lines += (
        [f"{count(report.same, 'relation')} built anew with the same rows as before.", ""]
        if report.same
        else []
    )
    notes = [f"* {escaped(note.summary)}" for note in report.noted[: bounds.steps]]
    lines += [*notes, ""] if notes else []
    for one in report.reached[: bounds.consumers]:
        consumer = one.consumer
        about = ", ".join(
            part for part in (consumer.kind, f"owned by {consumer.owner}" if consumer.owner else "") if part
        )
        lines.append(
            f"* **{escaped(consumer.label or consumer.name)}** ({escaped(about)}) reads {escaped(', '.join(one.through))}"
        )
        lines += [
            f"  * {MARKS[finding.verdict]} {_for_consumer(one, finding, alone=alone)}"
            for finding in one.findings
        ]
    reach = reach_list(report.dossier.reach if bounds.drawn else None, bounds.changed)
    return [*lines, "", *_more(len(report.reached) - bounds.consumers, "consumer"), *reach]


def _for_consumer(one: ConsumerRow, finding: Finding, *, alone: bool) -> str:
    return escaped(of_consumer(one, finding, alone=alone)) or f"{finding.verdict.name}: see the finding"


def finding_lines(report: Report, bounds: ReportLimits) -> list[str]:
    """Return the lines with all that did not pass, the worst first, and the table of gates."""
    lines = ["### What the gates found", ""]
    once = Once(report)
    shown, rest = few(once.listed, bounds.findings)
    lines += [f"{count(len(once.listed), 'finding')} to look at, the worst first.", ""] if shown else []
    in_diff = {id(one.finding) for one in report.changed[: bounds.changed]}
    for place, (_, finding) in enumerate(shown):
        lines += _finding(once, finding, bounds, place < bounds.detailed and id(finding) not in in_diff)
    lines += _more(rest, "finding")
    lines += gates(report, once)
    return lines + [line for gate in report.gates for line in _passed(once, gate, bounds)]


def gates(report: Report, once: Once) -> list[str]:
    """Return the lines with the table of gates."""
    judged = [gate for gate in report.gates if gate.verdict is not None]
    lines = table(("gate", "stage", "verdict", "checks", "time", ""), [_gate(once, gate) for gate in judged])
    left = [gate for gate in report.gates if gate.verdict is None]
    summary_line = skipped_gates_line((gate.gate, gate.switched_off) for gate in left)
    why = (
        folded(summary_line, [*(f"* {escaped(gate.gate)}: {escaped(gate.told)}" for gate in left), ""])
        if summary_line
        else []
    )
    return [*(lines if judged else ["No gate was asked.", ""]), *why]


def _finding(once: Once, finding: Finding, bounds: ReportLimits, detailed: bool) -> list[str]:
    held = finding.observed is not None and finding.limit is not None
    numbers = f"found {number(finding.observed)}, limit {number(finding.limit)}" if held else ""
    where = " · ".join(escaped(part) for part in (finding.subject, finding.location, numbers) if part)
    sentence = f": {escaped(text)}" if (text := once.of_finding(finding)) else ""
    lines = [
        f"{MARKS[finding.verdict]} **{finding.verdict.name} {escaped(finding.gate)}** {escaped(finding.check)}{sentence}",
        "",
    ]
    lines += [where, ""] if where else []
    fix = once.fix_of(finding)
    lines += [f"**What to do:** {escaped(fix)}", ""] if fix else []
    tables = (
        [sample for sample in (finding.evidence, *finding.more) if sample is not None] if detailed else []
    )
    return lines + [line for sample in tables for line in _evidence(sample, caption(finding, sample), bounds)]


def _gate(once: Once, gate: GateRow) -> tuple[str, ...]:
    assert gate.verdict is not None
    return (
        gate.gate,
        gate.stage,
        f"{MARKS[gate.verdict]} {gate.verdict.name}",
        counted(gate.counts),
        seconds(gate.seconds),
        once.of_gate(gate),
    )


def _passed(once: Once, gate: GateRow, bounds: ReportLimits) -> list[str]:
    title, passed = once.passed(gate)
    shown, rest = few(passed, bounds.passed)
    if not shown:
        return []
    rows = [(finding.check, finding.subject, finding.summary) for finding in shown]
    return folded(
        title,
        [*table(("check", "of", "what it says"), rows), *_more(rest, "finding")],
    )


def diff(report: Report, bounds: ReportLimits) -> list[str]:
    """Return the lines with the diff of each changed relation, row by row; none where nothing changed."""
    shown, rest = few(report.changed, bounds.changed)
    if not shown:
        return []
    lines = ["### The diff", ""]
    for one in shown:
        lines += [f"**{escaped(one.name)}**", ""]
        lines += [escaped(clipped(one.about, _LONGEST)), ""] if one.about else []
        tables = (sample for sample in (*one.finding.more, one.finding.evidence) if sample is not None)
        lines += [
            line for sample in tables for line in _evidence(sample, caption(one.finding, sample), bounds)
        ]
    return [*lines, *_more(rest, "relation")]


def _evidence(sample: Evidence, title: str, bounds: ReportLimits) -> list[str]:
    shown, _ = few(sample.rows, bounds.rows)
    lines = [f"{escaped(title)}:", ""] if title else []
    side = side_by_side(replace(sample, rows=tuple(shown)))
    if side is not None:
        rows = [
            [*(_value(key, bounds) for key in row.key), *(_change(cell, bounds) for cell in row.cells)]
            for row in side.rows
        ]
        lines += _wide((*side.key, *side.columns), rows, bounds)
    elif shown:
        marked = with_change(replace(sample, rows=tuple(shown)))
        rows = [[_cell(marked, n, value, bounds) for n, value in enumerate(row)] for row in marked.rows]
        lines += _wide(marked.columns, rows, bounds)
    unit = "changed value" if side is not None else "row"
    return (
        [*lines, f"{len(shown)} of {count(sample.total, unit)}", ""] if len(shown) < sample.total else lines
    )


def _wide(header: Sequence[str], rows: Sequence[Sequence[str]], bounds: ReportLimits) -> list[str]:
    """Return a table of as many columns as there is room for; the others are counted."""
    lines = table(header[: bounds.columns], [row[: bounds.columns] for row in rows])
    return [*lines, *_more(len(header) - bounds.columns, "column")]


def _cell(sample: Evidence, place: int, value: str | None, bounds: ReportLimits) -> str:
    part = share(value) if place < len(sample.columns) and sample.columns[place] in sample.bars else None
    if sample.bars and not value:
        return ""  # a table of numbers has blanks, as on the page
    if part is None or value is None:
        return _value(value, bounds)
    filled = round(part * _BAR) or (1 if part else 0)
    label = value if "%" in value else f"{part:.1%}".replace("%", " %")
    return f"{'█' * filled}{'░' * (_BAR - filled)} {label}"


def _change(cell: Cell | None, bounds: ReportLimits) -> str:
    if cell is None:
        return ""
    before, after, by = cell
    return f"{_value(before, bounds)} → {_value(after, bounds)}{f' ({by})' if by else ''}"


def _value(value: str | None, bounds: ReportLimits) -> str:
    return "NULL" if value is None else clipped(value, bounds.cell)


def lineage(report: Report, bounds: ReportLimits) -> list[str]:
    """Return the lines with the drawing of what is touched; none where nothing is."""
    drawing = report.lineage
    if not drawing.dots or not bounds.drawn:
        return []
    left = (
        [
            count(
                drawing.left_out,
                "node of this big change is drawn together with others.",
                "nodes of this big change are drawn together.",
            ),
            "",
        ]
        if drawing.left_out
        else []
    )
    return ["### What it hangs on, and who hangs on it", "", "```mermaid", mermaid(drawing), "```", "", *left]


def _stages(report: Report) -> list[str]:
    rows = [
        (lap.stage, lap.state, seconds(lap.seconds) if lap.seconds is not None else "", lap.told)
        for lap in report.laps
    ]
    if not rows:
        return []
    lines = ["### Stage by stage", "", *table(("stage", "", "took", ""), rows)]
    waited = (
        f"The answer was given {seconds(report.waited.total_seconds())} after it was staged."
        if report.waited
        else ""
    )
    return lines + [
        line for sentence in (waited, escaped(report.publish)) if sentence for line in (sentence, "")
    ]


def plan_lines(report: Report, bounds: ReportLimits) -> list[str]:
    """Return the lines with what is built, carried over and removed, and why; none where there is no plan."""
    plan, base = report.dossier.plan, report.dossier.base
    if plan is None:
        return []
    steps, rest = few(base.in_order(moved(plan)) if base else moved(plan), bounds.steps)
    rows = [
        (
            word(step),
            str(step.name),
            step.kind.value,
            str(step.reason),
            note_told(step, report.dossier.reports),
            *((step_words(base, step),) if base else ()),
        )
        for step in steps
    ]
    lines = ["### The plan", "", f"**{summary(plan)}**", ""]
    header = ("", "relation", "kind", "why", "note", *((ORIGIN,) if base else ()))
    lines += table(header, rows) if rows else []
    held = [(uid, str(why)) for uid, why in list(plan.held.items())[: bounds.steps]]
    return [*lines, *_more(rest, "relation"), *(table(("left as it is", "why"), held) if held else [])]


def _approvals(report: Report) -> list[str]:
    record = report.dossier
    lines = [
        "### Approvals",
        "",
        f"It needs {count(record.approvals_needed, 'approval')}."
        if record.approvals_needed
        else "It needs no approval.",
        "",
    ]
    for approval in record.approvals:
        comment = f": {escaped(approval.comment)}" if approval.comment else ""
        lines.append(
            f"* {SAID[approval.decision]} by {escaped(approval.who)}, {moment(approval.at)}{comment}"
        )
    return [*lines, ""] if record.promotion else []


def _provenance(report: Report) -> list[str]:
    record = report.dossier
    lines: list[str] = []
    if record.release is not None:
        tools = ", ".join(f"{name} {version}" for name, version in record.release.tools.items())
        lines += [
            f"* release `{record.release.id}`",
            f"* commit `{record.release.change.commit}`",
            f"* made for {escaped(tools)}",
        ]
    if record.promotion is not None and record.promotion.evidence:
        lines += [
            f"* plan `{record.promotion.plan}`",
            f"* evidence `{record.promotion.evidence}`",
            f"* bound as `{record.promotion.binding}`",
        ]
    return folded("Provenance", [*lines, f"* this report was made {moment(record.at)}", ""])


def _more(rest: int, what: str) -> Sequence[str]:
    return (
        [f"and {count(rest, f'more {what}')} (all of it: `sluice report --format json`)", ""]
        if rest > 0
        else []
    )
