"""What changed columns reach, in words: a line for each column, folded where there is too much. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prefect_sluice.domain.counting import count
from prefect_sluice.planning.column_reach import ChangeReach, ColumnReach, ReachedPlace
from prefect_sluice.planning.lineage_graph import ANY
from prefect_sluice.planning.reasons import some
from prefect_sluice.reporting.markdown import escaped
from prefect_sluice.sql.column_lineage import ROWS

TITLE = "What the changed columns reach"
_SHORT = 40
"""Characters of an expression beside other words; JSON has all of it."""
_PLACES = 6
"""So many places, consumers and names stand in a line."""
_PLAIN = ("as it is", "decides which rows")


def reach_lines(reach: ChangeReach, most: int) -> Iterator[str]:
    """Yield a sentence for each changed column, at most so many; columns that reach nothing share one."""
    if reach.untold:
        yield f"what the changed columns reach is not known: {reach.untold}"
    reaching, rest = reaching_columns(reach)
    for column in reaching[:most]:
        yield _line(column)
    if len(reaching) > most:
        yield f"and {count(len(reaching) - most, 'more column reaches', 'more columns reach')} something below"
    if rest:
        yield nobody_line(rest)


def reach_list(reach: ChangeReach | None, most: int) -> list[str]:
    """Return the same as a list in Markdown, under its title; nothing where no column changed."""
    lines = [f"* {escaped(text)}" for text in reach_lines(reach, most)] if reach else []
    return [f"{TITLE}, as the SQL says (no verdict hangs on it):", "", *lines, ""] if lines else []


def reaching_columns(reach: ChangeReach) -> tuple[Sequence[ColumnReach], Sequence[ColumnReach]]:
    """Return the columns that reach something, and those that reach nothing that is known."""
    reaching = [column for column in reach.columns if column.places or column.consumers]
    return reaching, [column for column in reach.columns if column not in reaching]


def nobody_line(columns: Sequence[ColumnReach]) -> str:
    """Return in one line which changed columns reach nothing."""
    names = [f"{column.name} ({column.change})" for column in columns]
    return f"nothing that is known reads {some(names, _PLACES)}"


def place_name(place: ReachedPlace) -> str:
    """Return what is reached: a column with its relation, a relation of which no column is known, or its rows."""
    if place.column == ROWS:
        return f"the rows of {place.relation}"
    return place.relation if place.column == ANY else f"{place.relation}.{place.column}"


def place_note(place: ReachedPlace) -> str:
    """Return in short how it is made, "" where it is a copy or its name says it, and that it goes or gets another type itself."""
    text = " ".join(place.how.split())
    short = text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
    own = place.change.partition(", values change")[0]
    notes = ("" if text in _PLAIN else short, "" if own.startswith("values change") else own)
    return ", ".join(note for note in notes if note)


def _line(column: ColumnReach) -> str:
    places = [_with_note(place) for place in column.places]
    consumers = [consumer.name for consumer in column.consumers]
    reaches = some(places, _PLACES) if places else "no other column"
    read = f"; read by {some(consumers, _PLACES)}" if consumers else ""
    return f"{column.name} ({column.change}) reaches {reaches}{read}"


def _with_note(place: ReachedPlace) -> str:
    note = place_note(place)
    return f"{place_name(place)} ({note})" if note else place_name(place)
