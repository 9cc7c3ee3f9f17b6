"""The sections on changes and their readers: relations and consumers in plain words, and further down their rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prefect_sluice.domain.verdict import Evidence, Finding
from prefect_sluice.planning.column_reach import ColumnReach
from prefect_sluice.planning.reasons import some
from prefect_sluice.reporting.base_words import ORIGIN, name_words
from prefect_sluice.reporting.reach_words import TITLE, nobody_line, place_name, place_note, reaching_columns
from prefect_sluice.reporting.report.limits import ReportLimits, clipped, few
from prefect_sluice.reporting.report.model import ChangedRelation, ConsumerRow, Report
from prefect_sluice.reporting.report.once import Once, of_consumer
from prefect_sluice.reporting.report.page_tables import EvidenceRows, Piece, Shown, Table, evidence
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.findings import DIFF, caption

_LONGEST = 200
_PLACES = 20
"""So many places that a column reaches are named in its row."""


def values(report: Report, once: Once, bounds: ReportLimits) -> dict[str, Any]:
    """Return what the sections `changes` and `diff` show."""
    shown, rest = few(once.relations, bounds.steps)
    names, names_left = few(report.new, bounds.steps)
    base = report.dossier.base
    rows: list[Sequence[Shown]] = [
        (_link(one, n, bounds), one.told, _readers(one.readers), one.origin) for n, one in shown
    ]
    rows += [(name, "new: nobody can read it yet", "", name_words(base, name)) for name in names]
    rows += [(name, Piece("pill", "removed", Style.BAD), "who reads it finds nothing", name_words(base, name))
             for name in report.gone[: bounds.steps]]  # fmt: skip
    rows += [(str(old_name.name), old_name.told, "", "") for old_name in report.old_names[: bounds.steps]]
    header = ("relation", "what readers find", "read by", ORIGIN)[: 4 if base else 3]
    rows = [row[: len(header)] for row in rows]
    consumers = [
        (one, codes(one.through), [_consumer_finding(one, finding, once, bounds) for finding in one.findings])
        for one in report.reached[: bounds.consumers]
    ]
    return {
        "changes": Table(header, rows, "relations that change"),
        "changes_left": rest + names_left,
        "no_change": no_change(report),
        "consumers": consumers,
        "no_consumer": _no_consumer(report),
        **_reach(report, bounds),
        "diff": [_relation(one, bounds) for one in report.changed[: bounds.changed]],
    }


def _reach(report: Report, bounds: ReportLimits) -> dict[str, Any]:
    """Return what the changed columns reach: a table of those that reach something, and a line on the others."""
    reach = report.dossier.reach
    reaching, nothing = reaching_columns(reach) if reach else ((), ())
    shown, rest = few(reaching, bounds.changed)
    rows = [(Piece("code", one.name), one.change, _places(one), _consumers(one)) for one in shown]
    return {
        "reach": Table(("column", "what changes", "goes into", "read by"), rows, TITLE),
        "reach_title": TITLE,
        "reach_left": rest,
        "reach_untold": reach.untold if reach else "",
        "reach_nothing": nobody_line(nothing) if nothing else "",
    }


def _places(one: ColumnReach) -> Shown:
    """Return what a column goes into, each with how it is made."""
    shown, rest = few(one.places, _PLACES)
    notes = [f" ({note})" if (note := place_note(place)) else "" for place in shown]
    before = ["", *(f"{note}, " for note in notes)]
    parts = tuple((words, place_name(place)) for words, place in zip(before, shown, strict=False))
    more = f" and {rest} more" if rest else ""
    return Piece("codes", f"{notes[-1]}{more}", parts=parts) if parts else Piece("null", "no other column")


def _consumers(one: ColumnReach) -> Shown:
    names = [consumer.name for consumer in one.consumers]
    return some(names, _PLACES) if names else Piece("null", "no declared consumer")


def no_change(report: Report) -> str:
    """Return why the section lists no relation; that nothing changed is only said where it was compared."""
    promotion = report.dossier.promotion
    if report.changed:
        return "What changes in the relations is said above."
    if promotion is None:
        return "Nothing was compared with what is served: it was never promoted."
    if promotion.cause.goes_back:
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
    record = report.dossier
    if not record.plan or not record.consumers:
        return (
            "The project declares no consumers (dbt exposures): nobody can tell who reads it."
            if record.plan
            else ""
        )
    if len(record.consumers) == 1:
        return "The project's one declared consumer does not read what changes."
    return f"None of the project's {len(record.consumers)} declared consumers reads what changes."


def _consumer_finding(
    one: ConsumerRow, finding: Finding, once: Once, bounds: ReportLimits
) -> tuple[Finding, str, int, Sequence[EvidenceRows]]:
    """Return what a gate says of a consumer: the words, "" where they stand with the findings, and at which place there."""
    sentence = of_consumer(one, finding)
    tables = (
        [evidence(sample, sample.title, bounds, label=finding.check) for sample in tables_of(finding)]
        if sentence
        else ()
    )
    return finding, sentence, once.place.get(id(finding), 0), tables


def codes(names: Iterable[str], rest: str = "") -> Piece:
    """Return names of things with commas between them, and `rest` behind the last."""
    return Piece("codes", rest, parts=tuple((", " if n else "", name) for n, name in enumerate(names)))


def tables_of(finding: Finding) -> Sequence[Evidence]:
    """Return the tables of a finding, its own first."""
    return [sample for sample in (finding.evidence, *finding.more) if sample is not None]


def _relation(
    one: ChangedRelation, bounds: ReportLimits
) -> tuple[ChangedRelation, float, str, Sequence[EvidenceRows]]:
    """Return a relation of the diff: with the share of its rows that changed, 0 where a table says so, and what it is."""
    finding = one.finding
    tables = [sample for sample in (*finding.more, finding.evidence) if sample is not None]
    observed_share = finding.observed if finding.observed is not None and 0 <= finding.observed <= 1 else 0.0
    share = 0.0 if any(sample.bars for sample in tables) else observed_share
    rows = [
        evidence(sample, caption(finding, sample) or _sample(sample), bounds, label=one.name)
        for sample in tables
    ]
    return one, share, clipped(one.about, _LONGEST), rows


def _sample(sample: Evidence) -> str:
    return "values before and after" if sample.columns[-2:] == ("before", "after") else ""
