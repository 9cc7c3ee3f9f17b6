"""The sections around the findings: request, lineage, stages, plan, approvals, provenance. Pure."""

from __future__ import annotations

from typing import Any

from prefect_sluice.domain.counting import count
from prefect_sluice.planning.plan import Plan
from prefect_sluice.reporting.base_words import ORIGIN, commit_rows, step_words
from prefect_sluice.reporting.counted_notes import note_told
from prefect_sluice.reporting.part import authors, brought_line, files_of, goes_line
from prefect_sluice.reporting.report.changes import codes
from prefect_sluice.reporting.report.charts import PARTS, picture
from prefect_sluice.reporting.report.limits import ReportLimits, few
from prefect_sluice.reporting.report.model import Lineage, ReleaseRecord, Report, StageRow
from prefect_sluice.reporting.report.page_tables import Facts, Piece, Shown, Table
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.plan import moved, summary, word
from prefect_sluice.reporting.terminal.promotion import SAID
from prefect_sluice.reporting.wording import moment, seconds, short

_FILES = 3


def values(report: Report, bounds: ReportLimits) -> dict[str, Any]:
    """Return what these sections show."""
    record = report.dossier
    others = [
        (
            promotion.id,
            promotion.environment,
            promotion.cause.value,
            promotion.state.value,
            moment(promotion.created_at),
        )
        for promotion in record.others[: bounds.entries]
    ]
    entries = [
        (str(entry.number), moment(entry.at), entry.event, entry.actor, Piece("code", short(entry.digest)))
        for entry in record.entries[: bounds.entries]
    ]
    return {
        "kicker": _kicker(report),
        "asked": _request_rows(report),
        **_lineage(report.lineage, bounds),
        "stages": _stages(report),
        "stages_told": _stages_told(report),
        "plan": _plan(record.plan, record, bounds) if record.plan else None,
        "approvals": _approvals(report),
        "provenance": _provenance(report),
        "ledger": Table(("no.", "at", "what", "who", "digest"), entries, "ledger", right=(0,)),
        "others": Table(("promotion", "environment", "cause", "state", "at"), others, "other promotions"),
    }


def _kicker(report: Report) -> str:
    promotion = report.dossier.promotion
    if promotion is None:
        return "A release"
    return f"{promotion.cause.value.capitalize()} to {promotion.environment} · promotion {promotion.id}"


def _request_rows(report: Report) -> Facts:
    record, promotion = report.dossier, report.dossier.promotion
    rows: Facts = []
    if promotion is not None:
        former = f", {record.former.change.short} {record.former.change.subject}" if record.former else ""
        base = (
            f"generation {promotion.base}: release {short(promotion.base_release)}{former}"
            if promotion.base
            else "nothing: it serves nothing yet"
        )
        rows += [("environment", promotion.environment), ("from", base)]
        rows += [("copy", record.copy.line)] if record.copy else []
    rows += _release(report)
    if record.way.run:
        rows.append(("run", Piece("link", record.way.name or "in Prefect", record.way.run)))
    if promotion is not None:
        rows.append(("asked by", f"{promotion.actor}, {moment(promotion.created_at)}"))
    if promotion is not None and promotion.evidence:
        bound = (
            ("plan ", short(promotion.plan)),
            (", evidence ", short(promotion.evidence)),
            (", all of it ", short(promotion.binding)),
        )
        rows.append(("a yes binds", Piece("codes", parts=bound)))
    return rows


def _release(report: Report) -> Facts:
    release = report.dossier.release
    if release is None:
        return []
    change, record = release.change, report.dossier
    brought, goes = brought_line(release, record.commits), goes_line(record.commits)
    paths, number = files_of(release, record.commits)
    rest = number - _FILES
    files = codes(paths[:_FILES], f" and {rest} more" if rest > 0 else "")
    return [
        ("to", f"release {release.short}, {'a part' if release.composed else f'commit {change.short}'}"),
        *([("commits", brought)] if brought else []),
        *(commit_rows(record.base) if record.base else []),
        *([("goes", Piece("strong", goes))] if goes else []),
        ("author", f"{authors(release, record.commits) if brought else change.author}, {moment(change.at)}"),
        ("files", files if paths else "none"),
    ]


def _provenance(report: Report) -> Facts:
    record = report.dossier
    promotion, release = record.promotion, record.release
    codes: list[tuple[str, str]] = []
    if release is not None:
        change = release.change
        codes += [("release", release.id), ("commit", change.commit), ("tree", change.tree)]
    rows: Facts = [(name, Piece("code", value)) for name, value in codes]
    if release is not None:
        rows.append(("made for", ", ".join(f"{name} {version}" for name, version in release.tools.items())))
    if promotion is not None:
        digests = (
            ("plan", promotion.plan),
            ("evidence", promotion.evidence),
            ("bound as", promotion.binding),
        )
        rows += [(name, Piece("code", value)) for name, value in digests if value]
    if promotion is not None and not (record.web.forms or record.way.is_there):
        rows.append(("all of it", Piece("code", f"sluice report {promotion.id} --format json")))
    return [*rows, ("this report", f"made {moment(record.at)}, from what was recorded by then")]


def _lineage(lineage: Lineage, bounds: ReportLimits) -> dict[str, Any]:
    names = {dot.id: dot.label for dot in lineage.dots}
    reads: dict[str, list[str]] = {}
    for above, below in lineage.edges:
        reads.setdefault(below, []).append(names[above])
    rows = [(dot.label, PARTS[dot.part], ", ".join(reads.get(dot.id, ()))) for dot in lineage.dots]
    return {
        "lineage": Table(("node", "part", "reads"), rows, "lineage"),
        "legend": [(part, PARTS[part]) for part in dict.fromkeys(dot.part for dot in lineage.dots)],
        "picture": picture(lineage) if bounds.drawn else None,
    }


def _stages(report: Report) -> Table:
    longest = max((lap.seconds or 0 for lap in report.laps), default=0)

    def row(lap: StageRow) -> tuple[Shown, ...]:
        took = seconds(lap.seconds) if lap.seconds is not None else ""
        bar = Piece("bar", share=lap.seconds / longest) if lap.seconds and longest else ""
        return Piece("strong", lap.stage), Piece("pill", lap.state, lap.style), took, bar, lap.told

    header = ("stage", "", "took", "", "what came of it")
    return Table(header, [row(lap) for lap in report.laps], "stages", right=(2,))


def _stages_told(report: Report) -> str:
    """Return in how many runs, and how it gets, or got, into the warehouse."""
    runs = len(report.dossier.runs)
    waited = seconds(report.waited.total_seconds()) if report.waited else ""
    sentences = (
        f"In {count(runs, 'run')} of the stages together." if runs > 1 else "",
        "" if runs else "What the stages took was not recorded.",
        f"The answer was given {waited} after it was staged." if waited else "",
        f"{report.publish[:1].upper()}{report.publish[1:]}." if report.publish else "",
    )
    return " ".join(part for part in sentences if part)


def _plan(plan: Plan, record: ReleaseRecord, bounds: ReportLimits) -> dict[str, Any]:
    """Return what is built, carried over, relinked and removed, and why; what is reused is folded away."""
    base = record.base
    steps, rest = few(base.in_order(moved(plan)) if base else moved(plan), bounds.steps)
    reused = [step for step in plan.steps if not step.moves]
    rows = [
        (
            Piece("strong", word(it)),
            str(it.name),
            it.kind.value,
            Piece("note", str(it.reason), note_told(it, record.reports)),
            *((step_words(base, it),) if base else ()),
        )
        for it in steps
    ]
    held = [(uid, str(why)) for uid, why in plan.held.items()]
    same = [(str(step.name), step.kind.value) for step in reused[: bounds.steps]]
    return {
        "summary": summary(plan),
        "steps": Table(("", "relation", "kind", "why", *((ORIGIN,) if base else ())), rows, "plan"),
        "left": rest,
        "held": Table(("left as it is", "why"), held[: bounds.steps], "held back"),
        "reused": len(reused),
        "same": Table(("relation", "kind"), same, "reused"),
    }


def _approvals(report: Report) -> Table:
    """Return who said yes or no, to what, and until when it is good."""
    rows = [
        (
            Piece(
                "pill",
                SAID[approval.decision],
                Style.GOOD if approval.decision.value == "approve" else Style.BAD,
            ),
            approval.who,
            moment(approval.at),
            f"used {moment(approval.used_at)}"
            if approval.used_at
            else f"good until {moment(approval.expires_at)}",
            approval.comment,
            Piece("code", short(approval.binding)),
        )
        for approval in report.dossier.approvals
    ]
    return Table(("", "by", "at", "", "comment", "bound to"), rows, "approvals")
