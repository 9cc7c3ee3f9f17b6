"""What changes, and for whom: relations and consumers in plain words, and further down their rows."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.verdict import Finding
from prefect_sluice.reporting.report import once
from prefect_sluice.reporting.report.charts import bar
from prefect_sluice.reporting.report.limits import ReportLimits, clipped, few
from prefect_sluice.reporting.report.markup import Child, Markup, joined, tag
from prefect_sluice.reporting.report.model import ChangedRelation, ConsumerRow, Report
from prefect_sluice.reporting.report.parts import more, pill, section, verdict
from prefect_sluice.reporting.report.tables import evidence, table
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.findings import DIFF, caption
from prefect_sluice.reporting.wording import count

_LONGEST = 200
ABOVE = "What changes in the relations is said above."


def changes(report: Report, bounds: ReportLimits) -> Markup:
    """Return who is reached, and what changes in each relation, in plain words."""
    return section(
        "changes",
        "What changes, and for whom",
        *_relations(report, bounds),
        *_consumers(report, bounds),
    )


def _relations(report: Report, bounds: ReportLimits) -> list[Child]:
    shown, rest = few(once.relations(report), bounds.steps)
    names, names_left = few(report.new, bounds.steps)
    rows: list[Sequence[Child]] = [
        (_link(one, place, bounds), one.told, _readers(one.readers)) for place, one in shown
    ]
    rows += [(name, "new: nobody can read it yet", "") for name in names]
    rows += [
        (name, pill("removed", Style.BAD), "who reads it finds nothing")
        for name in report.gone[: bounds.steps]
    ]
    rows += [(str(item.name), item.told, "") for item in report.old_names[: bounds.steps]]
    lines: list[Child] = [
        table(("relation", "what readers find", "read by"), rows, label="relations that change")
        if rows
        else tag("p", ABOVE if report.changed else no_change(report), class_="calm")
    ]
    if report.same:
        lines.append(
            tag(
                "p",
                f"{count(report.same, 'relation')} built anew with the same rows as before.",
                class_="more",
            )
        )
    lines += [tag("p", item.summary, class_="more") for item in report.noted[: bounds.steps]]
    return [*lines, more(rest + names_left, "relation")]


def no_change(report: Report) -> str:
    """Return why no relation is told of; that nothing changed is only said where it was compared."""
    promotion = report.dossier.promotion
    if promotion is None:
        return "Nothing was compared with what is served: it was never promoted."
    if promotion.cause is Cause.ROLLBACK:
        return "This promotion has no plan of its own: an older generation is served again, as it was."
    if not any(gate.gate == DIFF for gate in report.gates):
        return "Nothing was compared with what is served: it ended before that."
    return "No relation that people read now was found to change."


def _link(one: ChangedRelation, place: int, bounds: ReportLimits) -> Child:
    """Return the name, as a link to its rows where these are shown."""
    return tag("a", one.name, href=f"#diff-{place}") if place <= bounds.changed else one.name


def _about(one: ChangedRelation) -> Markup | None:
    """Return what the project says that a relation is: whoever decides may never have seen it."""
    return tag("p", clipped(one.about, _LONGEST), class_="more") if one.about else None


def _readers(names: Sequence[str]) -> Child:
    return ", ".join(names) if names else tag("span", "no declared consumer", class_="null")


def _consumers(report: Report, bounds: ReportLimits) -> list[Child]:
    shown, rest = few(report.reached, bounds.consumers)
    if not shown:
        known = bool(report.dossier.consumers)
        told = (
            f"None of the project's {count(len(report.dossier.consumers), 'declared consumer')} reads what changes."
            if known
            else "The project declares no consumers (dbt exposures): nobody can tell who reads it."
        )
        return [tag("p", told, class_="calm")] if report.dossier.plan else []
    head = tag("h3", f"{count(len(report.reached), 'consumer')} reached")
    return [
        head,
        tag("div", *(_consumer(report, one, bounds) for one in shown), class_="cards"),
        more(rest, "consumer"),
    ]


def _consumer(report: Report, one: ConsumerRow, bounds: ReportLimits) -> Markup:
    item = one.consumer
    name = item.label or item.name
    linked = tag("a", name, href=item.url, rel="noopener noreferrer") if _is_web(item.url) else joined(name)
    about = " · ".join(
        part for part in (item.kind, f"owned by {item.owner}" if item.owner else "owned by nobody") if part
    )
    through = tag("p", "Reads ", *_listed(one.through)) if one.through else None
    said = tuple(_consumer_finding(report, one, finding, bounds) for finding in one.findings)
    return tag(
        "article",
        tag("h4", linked),
        tag("p", about, class_="about"),
        tag("p", item.description.strip()) if item.description.strip() else None,
        through,
        *said,
        class_="card",
    )


def _consumer_finding(report: Report, one: ConsumerRow, finding: Finding, bounds: ReportLimits) -> Markup:
    said = once.of_consumer(one, finding)
    if not said:
        place = next((n for n, item in enumerate(report.findings, 1) if item is finding), 0)
        return tag("p", verdict(finding.verdict), " ", tag("a", "see the finding", href=f"#finding-{place}"))
    tables = [each for each in (finding.evidence, *finding.more) if each is not None]
    return joined(
        tag("p", verdict(finding.verdict), " ", said),
        *(evidence(each, each.title, bounds, label=finding.check) for each in tables),
    )


def _listed(names: Sequence[str]) -> list[Child]:
    parts: list[Child] = []
    for name in names:
        parts += [", " if parts else None, tag("code", name)]
    return parts


def _is_web(url: str) -> bool:
    """Say whether a link may be one: `javascript:` and its like are text, and stay so."""
    try:
        return urlsplit(url.strip()).scheme.lower() in {"http", "https"}
    except ValueError:
        return False


def diff(report: Report, bounds: ReportLimits) -> Markup | None:
    """Return each changed relation with its numbers, bars and sample rows; None where nothing was found to change."""
    if not report.changed:
        return None
    shown, rest = few(report.changed, bounds.changed)
    return section(
        "diff",
        "The diff, row by row",
        *(_relation(one, n, bounds) for n, one in enumerate(shown, 1)),
        more(rest, "relation"),
    )


def _relation(one: ChangedRelation, place: int, bounds: ReportLimits) -> Markup:
    item = one.finding
    tables = [each for each in (*item.more, item.evidence) if each is not None]
    known = item.observed if item.observed is not None and 0 <= item.observed <= 1 else None
    measured = (
        tag("p", bar(known), " ", tag("span", f"{known:.1%}".replace("%", " %"), class_="share"), " of the rows served now",
            class_="bars wide")
        if known and not any(each.bars for each in tables)
        else None
    )  # fmt: skip
    return tag(
        "article",
        tag("h3", tag("code", one.name), " ", verdict(item.verdict) if item.verdict else None),
        measured,
        _about(one),
        *(
            evidence(each, caption(item, each) or _sample(each.columns), bounds, label=one.name)
            for each in tables
        ),
        class_="relation",
        id=f"diff-{place}",
    )


def _sample(columns: Sequence[str]) -> str:
    return "values before and after" if columns[-2:] == ("before", "after") else ""
