"""What a first release takes over, and how a publish gets into the warehouse: as it is expected, and as it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from prefect_sluice.domain.adoption import Adopted
from prefect_sluice.domain.counting import count
from prefect_sluice.reporting.styled_text import Line, Style, and_more, line, wrapped
from prefect_sluice.reporting.table import WIDTH
from prefect_sluice.reporting.wording import seconds
from prefect_sluice.stages.adopt import TakenNames
from prefect_sluice.warehouse.publishing import Forecast, Published, PublishMode

_MOST = 30


def adopted_lines(adopted: Sequence[Adopted], *, width: int = WIDTH) -> list[Line]:
    """Return what is adopted, what becomes of it, and what is not moved along."""
    if not adopted:
        return []
    head = f"{count(len(adopted), 'relation')} adopted as generation 0: a rollback serves them again"
    lines = wrapped(head, width, indent=0, style=Style.STRONG)
    for relation in adopted[:_MOST]:
        lines += wrapped(f"{relation.name}  {_becomes(relation)}", width)
        if relation.loses:
            note = f"note: not moved along, and gone: {', '.join(relation.loses)}"
            lines += wrapped(note, width, indent=6, style=Style.FAINT)
    return [*lines, *and_more(len(adopted) - _MOST)]


def taken_lines(taken: TakenNames, *, width: int = WIDTH) -> list[Line]:
    """Return the public names that a release is refused for, and how it goes on."""
    head = f"a release is refused: these public names {taken.what}:"
    lines = wrapped(head, width, indent=0, style=Style.WARN)
    lines += [line(name, indent=2) for name in taken.names[:_MOST]]
    return [*lines, *and_more(len(taken.names) - _MOST), *wrapped(taken.way_out, width, indent=0)]


def _becomes(relation: Adopted) -> str:
    if not relation.is_view:
        return "table, moved"
    return "view, relinked" if relation.sql else "view, kept as a table of its rows"


def forecast_lines(expected: Forecast, width: int = WIDTH) -> list[Line]:
    """Return which way a publish will go, and for how long it will lock readers out."""
    return wrapped(forecast_text(expected), width, indent=0, style=Style.FAINT)


def forecast_text(expected: Forecast) -> str:
    """Return the same as plain words."""
    if expected.way is PublishMode.IN_PLACE:
        return (
            f"publish: in place, readers wait about {seconds(expected.lock.total_seconds())} ({expected.why})"
        )
    return f"publish: by a copy, in about {seconds(expected.takes.total_seconds())}; no reader waits ({expected.why})"


def publish_text(published: Published) -> str:
    """Return which way a publish went, and for how long it locked readers out."""
    if published.way is PublishMode.IN_PLACE:
        return f"published in place: readers were locked out for {_milliseconds(published.locked)}"
    took = seconds(published.writers.total_seconds())
    return f"published by a copy in {took}: no reader waited; they see it when they connect again ({published.why})"


def _milliseconds(time: timedelta) -> str:
    return f"{time.total_seconds() * 1000:.0f} ms"
