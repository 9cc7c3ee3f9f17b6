"""Holds, freezes and blocks as lines: as they are placed, as they are lifted, and as they stand in the way."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.controls import Control
from prefect_sluice.reporting.styled_text import Line, Span, Style, line, strong


def placed_lines(control: Control, *, fresh: bool, served: Sequence[str] = ()) -> list[Line]:
    """Return what is in force now, how it is lifted, and where a blocked release serves all the same."""
    head = Span(f"{control.done}: " if fresh else f"{control.done} already: ", Style.GOOD)
    lines = [line(head, f"{control.told}; lift it: ", strong(control.lift))]
    for environment in served:
        sentence = f"{environment} serves this release; go back: "
        lines.append(line(Span(sentence, Style.BAD), strong(f"sluice rollback --env {environment}")))
    return lines


def lifted_lines(lifted: Sequence[Control], left: Sequence[Control]) -> list[Line]:
    """Return each that was lifted, and each that still stops the same environment."""
    lines = [
        line(Span("lifted: ", Style.GOOD), f"{control.kind.value} by {control.by}: {control.reason}")
        for control in lifted
    ]
    return lines + [
        line(Span("still: ", Style.WARN), f"{control.told}; lift it: ", strong(control.lift))
        for control in left
    ]


def despite_lines(controls: Sequence[Control]) -> list[Line]:
    """Return the controls that did not stop a rollback."""
    return [
        line(Span("all the same: ", Style.WARN), f"{control.told}; a rollback is not stopped by it")
        for control in controls
    ]


def own_hold_line(hold: Control) -> Line:
    """Return the hold that a rollback placed, and the command that ends it."""
    sentence = f"{hold.named} stays as it is until this is lifted: "
    return line(Span("held: ", Style.WARN), sentence, strong(hold.lift))
