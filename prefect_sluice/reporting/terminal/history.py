"""The generations of an environment, newest first, with the attempts in between that came to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prefect_sluice.domain.controls import EVERYWHERE, Control, ControlKind
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.promotion import UNAUTHENTICATED, Promotion, State
from prefect_sluice.domain.release import Release
from prefect_sluice.reporting.styled_text import Line, Span, Style, cut, faint, line, wrapped
from prefect_sluice.reporting.table import WIDTH, Cell, table
from prefect_sluice.reporting.wording import moment, short

_STYLES = {
    State.REFUSED: Style.BAD,
    State.REJECTED: Style.BAD,
    State.FAILED: Style.BAD,
    State.SUPERSEDED: Style.FAINT,
    State.EXPIRED: Style.FAINT,
}
_SAY_IT = frozenset({State.REJECTED})
"""What a promotion says of itself when it ends in these has the state in it: `rejected by ana`."""

_WIDEST_NAME = 28


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """A generation with the promotion that wrote it, a promotion that ended without one (`generation` None), or
    a hold, freeze or block: as it was placed, or as it was lifted (`at` tells which).

    `authenticated` says whether it is proven who the approver was.
    """

    at: datetime
    generation: Generation | None
    promotion: Promotion | None
    release: Release | None
    approver: str = ""
    authenticated: bool = False
    control: Control | None = None


def events(
    generations: Sequence[Generation],
    promotions: Sequence[Promotion],
    releases: Mapping[str, Release],
    approvers: Mapping[str, str],
    controls: Sequence[Control] = (),
) -> tuple[HistoryEvent, ...]:
    """Return all of it, newest first. `approvers` are names by promotion id. Pure."""
    by_id = {promotion.id: promotion for promotion in promotions}
    written = {generation.promotion for generation in generations}
    history = [
        HistoryEvent(
            generation.at,
            generation,
            by_id.get(generation.promotion),
            releases.get(generation.release),
            approvers.get(generation.promotion, ""),
        )
        for generation in generations
    ]
    history += [
        HistoryEvent(promotion.updated_at, None, promotion, releases.get(promotion.release), approvers.get(promotion.id, ""))
        for promotion in promotions if promotion.state in _STYLES and promotion.id not in written
    ]  # fmt: skip
    for control in controls:
        times = (control.at, control.lifted_at) if control.lifted_at else (control.at,)
        history += [
            HistoryEvent(at, None, None, releases.get(control.target), control=control) for at in times
        ]
    # Generations carry whole seconds: within one second the higher number is the newer.
    return tuple(
        sorted(
            history,
            key=lambda event: (event.at, event.generation.number if event.generation else 0),
            reverse=True,
        )
    )


def history_lines(history: Sequence[HistoryEvent], *, limit: int, width: int = WIDTH) -> list[Line]:
    """Return one line per event, at most `limit`; why an attempt came to nothing stands below it."""
    if not history:
        return [line("nothing was released here yet")]
    header = ("", "when (UTC)", "cause", "release", "by", "commit")
    notes = [_note(event) for event in history[:limit]]
    below = [wrapped(note.text, width, indent=5, style=note.style) if note else [] for note in notes]
    rows = [_row(event) for event in history[:limit]]
    lines = table(rows, header=header, right=(0,), width=width, stretch=True, below=below)
    if len(history) > limit:
        lines.append(line(faint(f"and {len(history) - limit} older (--limit {len(history)} shows all)")))
    return lines


def _row(event: HistoryEvent) -> Sequence[Cell]:
    generation, promotion = event.generation, event.promotion
    if event.control is not None:
        return _control_row(event, event.control)
    commit = f"{event.release.change.short} {event.release.change.subject}" if event.release else ""
    cause = generation.cause if generation else promotion.cause if promotion else ""
    release = generation.release if generation else promotion.release if promotion else ""
    number = str(generation.number) if generation else faint("-")
    return (
        number,
        f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M}",
        str(cause),
        short(release),
        _by(event),
        commit,
    )


def _control_row(event: HistoryEvent, control: Control) -> Sequence[Cell]:
    lifted = event.at == control.lifted_at
    by, reason = (control.lifted_by, control.lifted_reason) if lifted else (control.by, control.reason)
    what = "lifted" if lifted else control.kind.value
    release = short(control.target) if control.kind is ControlKind.BLOCK else ""
    reason_text = (
        f"the {control.kind.value} of {moment(control.at)}: {reason}" if lifted else _reason(control)
    )
    when = f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M}"
    return (faint("-"), when, Span(what, Style.WARN), release, cut(by, _WIDEST_NAME), reason_text)


def _reason(control: Control) -> str:
    until = f" (until {moment(control.until)})" if control.until else ""
    where = (
        "every environment: " if control.kind is ControlKind.FREEZE and control.target == EVERYWHERE else ""
    )
    return f"{where}{control.reason}{until}"


def _by(event: HistoryEvent) -> str:
    actor = event.promotion.actor if event.promotion else ""
    if event.approver in {"", actor} or not event.generation:
        return cut(actor, _WIDEST_NAME)
    mark = "" if event.authenticated else f" ({UNAUTHENTICATED})"
    return f"{cut(f'{actor}, {event.approver}', _WIDEST_NAME)}{mark}"


def _note(event: HistoryEvent) -> Span | None:
    generation, promotion = event.generation, event.promotion
    if promotion is not None and promotion.state in _STYLES:
        text = (
            promotion.message
            if promotion.state in _SAY_IT
            else f"{promotion.state.value}: {promotion.message}"
        )
        return Span(text, _STYLES[promotion.state])
    notes: list[str] = []
    if generation is not None and generation.cause.goes_back:
        notes.append(f"= generation {generation.origin} again")
    if generation is not None and generation.collected_at is not None:
        notes.append(f"collected on {generation.collected_at:%Y-%m-%d}: cannot be served again")
    return Span("; ".join(notes), Style.FAINT) if notes else None


def ledger_line(entries: int, problem: str = "") -> Line:
    """Return `ledger: 37 entries, unbroken`, or what is wrong with it."""
    state = Span(problem, Style.BAD) if problem else Span("unbroken", Style.GOOD)
    return line(f"ledger: {count(entries, 'entry', 'entries')}, ", state)
