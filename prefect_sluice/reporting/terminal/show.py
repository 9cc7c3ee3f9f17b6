"""Everything about one change, on one screen: what it is, what it did, and who said yes."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.release import CommitRange, Composed, Release
from prefect_sluice.reporting.report.model import Headline, Report
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
from prefect_sluice.reporting.terminal.findings import DIFF, changes_lines, findings_lines, gates_table
from prefect_sluice.reporting.terminal.plan import files_lines, steps_lines, summary
from prefect_sluice.reporting.terminal.policy import policy_lines
from prefect_sluice.reporting.terminal.promotion import approvals_lines, bound, section
from prefect_sluice.reporting.wording import moment, seconds, short

_MOST_PROMOTIONS = 20


def dossier_lines(report: Report, *, width: int = WIDTH) -> list[Line]:
    """Return all of it."""
    record = report.dossier
    lines = _release(record.release, record.commits, width) if record.release else []
    where = record.promotion.environment if record.promotion else ""
    lines += section("Commits", range_lines(record.commits, where, width, base=record.base))
    for control in record.blocks:
        lines += labelled(Span("  blocked  ", Style.BAD), control.origin, width, style=Style.BAD)
        lines.append(line(faint("           lift it: "), control.lift))
    lines += _promotion(record.promotion, record.generations, width) if record.promotion else []
    lines += _head(report.head, width)
    if record.plan is not None:
        steps = steps_lines(record.plan, width=width, reports=record.reports, base=record.base)
        lines += section("Plan", [*steps, line(summary(record.plan), indent=2)])
    lines += section("Policy", policy_lines(record.policy, width=width))
    lines += section("Gates", gates_table(record.reports, warns=record.warns, width=width))
    bad = [finding for finding in report.findings if finding.gate != DIFF]
    lines += [BLANK, *findings_lines(bad, width=width)] if bad else []
    lines += section("What changes for readers", changes_lines(record.reports, width=width))
    lines += section("Who reads it", _consumers(report, width))
    lines += section("Stages", _laps(report, width))
    lines += section("Approvals", approvals_lines(record.approvals, width=width))
    lines += section("Other promotions of this release", _others(record.others, width))
    return lines + section("Ledger", _entries(record.entries, width))


def _head(head: Headline, width: int) -> list[Line]:
    lines = [BLANK, line(Span(head.word, head.style)), *wrapped(head.sentence, width)]
    for advice in head.advice:
        if advice.finding is None:  # what to do about one stands with it
            lines += wrapped(advice.text, width)
            lines += [line(strong(advice.command), indent=4)] if advice.command else []
    return lines


def _consumers(report: Report, width: int) -> list[Line]:
    rows = [
        (
            one.consumer.label or one.consumer.name,
            one.consumer.kind,
            one.consumer.owner,
            ", ".join(one.through),
        )
        for one in report.reached
    ]
    return (
        table(rows, header=("consumer", "kind", "owner", "reads"), indent=2, width=width, stretch=True)
        if rows
        else []
    )


def _laps(report: Report, width: int) -> list[Line]:
    rows = [
        (
            lap.stage,
            seconds(lap.seconds) if lap.seconds is not None else "",
            Span(lap.state, lap.style),
            lap.told,
        )
        for lap in report.laps
    ]
    return table(rows, right=(1,), indent=2, width=width, stretch=True) if rows else []


def _release(release: Release, commits: CommitRange | None, width: int) -> list[Line]:
    change = release.change
    return [
        line("release ", strong(short(release.id)), faint(f"  {release.id}")),
        *labelled(faint("  commit   "), f"{change.commit}  {change.subject}", width),
        *labelled(faint("  author   "), f"{change.author}, {moment(change.at)}", width),
        *labelled(
            faint("  tools    "),
            ", ".join(f"{name} {version}" for name, version in release.tools.items()),
            width,
        ),
        *_composed(release.composed, width),
        *(line(*one, indent=2) for one in files_lines(release, commits)),
    ]


def _composed(composed: Composed | None, width: int) -> list[Line]:
    """Return of which two releases it was put together."""
    if composed is None:
        return []
    sentence = (
        f"{composed.select} of release {short(composed.of)}, all else of release {short(composed.onto)}"
    )
    return labelled(faint("  composed "), f"{sentence}; for {composed.environment}", width)


def _promotion(promotion: Promotion, generations: Sequence[Generation], width: int) -> list[Line]:
    base = (
        f"generation {promotion.base} (release {short(promotion.base_release)})"
        if promotion.base
        else "nothing served"
    )
    lines = [
        BLANK,
        line("promotion ", strong(promotion.id), f" of {promotion.environment}: {promotion.state.value}"),
        *(wrapped(promotion.message, width, indent=11) if promotion.message else []),
        *labelled(
            faint("  asked    "),
            f"{promotion.cause.value} by {promotion.actor}, {moment(promotion.created_at)}, on {base}",
            width,
        ),
    ]
    for generation in generations:
        again = f" = generation {generation.origin} again" if generation.origin != generation.number else ""
        lines.append(
            line(
                faint("  served   "),
                f"as generation {generation.number}{again} since {moment(generation.at)}",
            )
        )
    return [*lines, line(faint("  digests  "), bound(promotion))]


def _others(promotions: Sequence[Promotion], width: int) -> list[Line]:
    rows = [
        (
            promotion.id,
            promotion.environment,
            promotion.cause.value,
            promotion.state.value,
            f"generation {promotion.generation}" if promotion.generation else "",
            moment(promotion.created_at),
        )
        for promotion in promotions[:_MOST_PROMOTIONS]
    ]
    return [*table(rows, indent=2, width=width), *and_more(len(promotions) - _MOST_PROMOTIONS)]


def _entries(entries: Sequence[LedgerEntry], width: int) -> list[Line]:
    rows = [
        (str(entry.number), moment(entry.at), entry.event, entry.actor, short(entry.digest))
        for entry in entries
    ]
    return table(rows, indent=2, right=(0,), widest=32, width=width)
