"""What changes, and for whom, as the page shows it: relations and consumers in plain words, and further down their rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.verdict import Evidence, Finding
from prefect_sluice.reporting.report.limits import ReportLimits, clipped, few
from prefect_sluice.reporting.report.model import ChangedRelation, ConsumerRow, Report
from prefect_sluice.reporting.report.once import Once, of_consumer
from prefect_sluice.reporting.report.tables import EvidenceRows, Piece, Shown, Table, evidence
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.findings import DIFF, caption

_LONGEST = 200


def values(report: Report, once: Once, bounds: ReportLimits) -> dict[str, Any]:
    """Return what the sections `changes` and `diff` show."""
    shown, rest = few(once.relations, bounds.steps)
    names, names_left = few(report.new, bounds.steps)
    rows: list[Sequence[Shown]] = [
        (_link(one, n, bounds), one.told, _readers(one.readers)) for n, one in shown
    ]
    rows += [(name, "new: nobody can read it yet", "") for name in names]
    rows += [(name, Piece("pill", "removed", Style.BAD), "who reads it finds nothing")
             for name in report.gone[: bounds.steps]]  # fmt: skip
    rows += [(str(item.name), item.told, "") for item in report.old_names[: bounds.steps]]
    consumers = [
        (one, codes(one.through), [_consumer_finding(one, item, once, bounds) for item in one.findings])
        for one in report.reached[: bounds.consumers]
    ]
    return {
        "changes": Table(("relation", "what readers find", "read by"), rows, "relations that change"),
        "changes_left": rest + names_left,
        "no_change": no_change(report),
        "consumers": consumers,
        "no_consumer": _no_consumer(report),
        "diff": [_relation(one, bounds) for one in report.changed[: bounds.changed]],
    }


def no_change(report: Report) -> str:
    """Return why no relation is told of; that nothing changed is only said where it was compared."""
    promotion = report.dossier.promotion
    if report.changed:
        return "What changes in the relations is said above."
    if promotion is None:
        return "Nothing was compared with what is served: it was never promoted."
    if promotion.cause is Cause.ROLLBACK:
        return "This promotion has no plan of its own: an older generation is served again, as it was."
    if not any(gate.gate == DIFF for gate in report.gates):
        return "Nothing was compared with what is served: it ended before that."
    return "No relation that people read now was found to change."


def _link(one: ChangedRelation, place: int, bounds: ReportLimits) -> Shown:
    """Return the name, as a link to its rows where these are shown."""
    return Piece("anchor", one.name, f"diff-{place}") if place <= bounds.changed else one.name


def _readers(names: Sequence[str]) -> Shown:
    return ", ".join(names) if names else Piece("null", "no declared consumer")


def _no_consumer(report: Report) -> str:
    known = report.dossier
    if not known.plan or not known.consumers:
        return (
            "The project declares no consumers (dbt exposures): nobody can tell who reads it."
            if known.plan
            else ""
        )
    if len(known.consumers) == 1:
        return "The project's one declared consumer does not read what changes."
    return f"None of the project's {len(known.consumers)} declared consumers reads what changes."


def _consumer_finding(
    one: ConsumerRow, item: Finding, once: Once, bounds: ReportLimits
) -> tuple[Finding, str, int, Sequence[EvidenceRows]]:
    """Return what a gate says of a consumer: the words, "" where they stand with the findings, and at which place there."""
    said = of_consumer(one, item)
    tables = (
        [evidence(each, each.title, bounds, label=item.check) for each in tables_of(item)] if said else ()
    )
    return item, said, once.place.get(id(item), 0), tables


def codes(names: Iterable[str], rest: str = "") -> Piece:
    """Return names of things with commas between them, and `rest` behind the last."""
    return Piece("codes", rest, parts=tuple((", " if n else "", name) for n, name in enumerate(names)))


def tables_of(finding: Finding) -> Sequence[Evidence]:
    """Return the tables of a finding, its own first."""
    return [each for each in (finding.evidence, *finding.more) if each is not None]


def _relation(
    one: ChangedRelation, bounds: ReportLimits
) -> tuple[ChangedRelation, float, str, Sequence[EvidenceRows]]:
    """Return a relation of the diff: with the share of its rows that changed, 0 where a table says so, and what it is."""
    item = one.finding
    tables = [each for each in (*item.more, item.evidence) if each is not None]
    known = item.observed if item.observed is not None and 0 <= item.observed <= 1 else 0.0
    share = 0.0 if any(each.bars for each in tables) else known
    rows = [evidence(each, caption(item, each) or _sample(each), bounds, label=one.name) for each in tables]
    return one, share, clipped(one.about, _LONGEST), rows


def _sample(found: Evidence) -> str:
    return "values before and after" if found.columns[-2:] == ("before", "after") else ""
