"""The generations of an environment, newest first, with the attempts in between that came to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prefect_sluice.generation import Cause, Generation
from prefect_sluice.promotion import Promotion, State
from prefect_sluice.release import Release
from prefect_sluice.render.styled import Line, Span, Style, cut, faint, line
from prefect_sluice.render.table import WIDTH, Cell, table
from prefect_sluice.render.words import count, short

_STYLES = {
    State.REFUSED: Style.BAD,
    State.REJECTED: Style.BAD,
    State.FAILED: Style.BAD,
    State.SUPERSEDED: Style.FAINT,
}

_WIDEST_NAME = 28


@dataclass(frozen=True, slots=True)
class Event:
    """A generation with the promotion that wrote it, or (`generation` None) a promotion that ended without
    one."""

    at: datetime
    generation: Generation | None
    promotion: Promotion | None
    release: Release | None
    approver: str = ""


def events(
    generations: Sequence[Generation],
    promotions: Sequence[Promotion],
    releases: Mapping[str, Release],
    approvers: Mapping[str, str],
) -> tuple[Event, ...]:
    """Return both, newest first. `approvers` are names by promotion id. Pure."""
    known = {promotion.id: promotion for promotion in promotions}
    written = {generation.promotion for generation in generations}
    found = [
        Event(
            item.at,
            item,
            known.get(item.promotion),
            releases.get(item.release),
            approvers.get(item.promotion, ""),
        )
        for item in generations
    ]
    found += [
        Event(item.updated_at, None, item, releases.get(item.release), approvers.get(item.id, ""))
        for item in promotions if item.state in _STYLES and item.id not in written
    ]  # fmt: skip
    # Generations carry whole seconds: within one second the higher number is the newer.
    return tuple(
        sorted(
            found,
            key=lambda event: (event.at, event.generation.number if event.generation else 0),
            reverse=True,
        )
    )


def history_lines(found: Sequence[Event], *, limit: int, width: int = WIDTH) -> list[Line]:
    """Return one line per event, at most `limit`; why an attempt came to nothing stands below it."""
    if not found:
        return [line("nothing was released here yet")]
    header = ("", "when (UTC)", "cause", "release", "by", "commit")
    first, *rest = table(
        [_row(event) for event in found[:limit]], header=header, right=(0,), width=width, stretch=True
    )
    lines = [first]
    for event, row in zip(found, rest, strict=False):
        lines.append(row)
        note = _note(event)
        if note is not None:
            lines.append(line(Span(cut(note.text, width - 5), note.style), indent=5))
    if len(found) > limit:
        lines.append(line(faint(f"and {len(found) - limit} older (--limit {len(found)} shows all)")))
    return lines


def _row(event: Event) -> Sequence[Cell]:
    generation, promotion = event.generation, event.promotion
    commit = f"{event.release.change.short} {event.release.change.subject}" if event.release else ""
    cause = generation.cause if generation else promotion.cause if promotion else ""
    release = generation.release if generation else promotion.release if promotion else ""
    number = str(generation.number) if generation else faint("-")
    return (
        number,
        f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M}",
        str(cause),
        short(release),
        cut(_by(event), _WIDEST_NAME),
        commit,
    )


def _by(event: Event) -> str:
    actor = event.promotion.actor if event.promotion else ""
    return f"{actor}, {event.approver}" if event.approver not in {"", actor} and event.generation else actor


def _note(event: Event) -> Span | None:
    generation, promotion = event.generation, event.promotion
    if promotion is not None and promotion.state in _STYLES:
        told = (
            promotion.message
            if promotion.message.startswith(promotion.state.value)
            else f"{promotion.state.value}: {promotion.message}"
        )
        return Span(told, _STYLES[promotion.state])
    notes: list[str] = []
    if generation is not None and generation.cause is Cause.ROLLBACK:
        notes.append(f"= generation {generation.origin} again")
    if generation is not None and generation.collected_at is not None:
        notes.append(f"collected on {generation.collected_at:%Y-%m-%d}: cannot be served again")
    return Span("; ".join(notes), Style.FAINT) if notes else None


def ledger_line(entries: int, problem: str = "") -> Line:
    """Return `ledger: 37 entries, unbroken`, or what is wrong with it."""
    told = Span(problem, Style.BAD) if problem else Span("unbroken", Style.GOOD)
    return line(f"ledger: {count(entries, 'entry', 'entries')}, ", told)
