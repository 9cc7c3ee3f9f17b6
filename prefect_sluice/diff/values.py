"""Values as people read them: numbers to twelve digits that count, and what a changed one changed by. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Context, Decimal
from math import inf, isfinite

from prefect_sluice.domain.verdict import Evidence

ROWS_THAT_GO, ROWS_THAT_COME = "rows that go", "rows that come"
"""The titles of the samples."""
CHANGE = "change"
"""The column of `with_change`."""
_DIGITS = 12
_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d{0,99})(?:\.\d{1,99})?(?:[eE][+-]?\d{1,3})?")
"""No longer than an engine writes one: `7e1234567` is the beginning of a digest."""
_VALUES = ("column", "before", "after")
_EXACT = Context(prec=60)


def format_value(value: str) -> str:
    """Return a value as text; of a number with a fraction at most twelve digits that count, but never less than the whole of it
    before its point. Whole numbers stay as they are: they may be ids."""
    if not _NUMBER.fullmatch(value) or not set(value) & set(".eE"):
        return value
    number = Decimal(value)
    if len(number.as_tuple().digits) <= _DIGITS:
        return value
    whole = number.adjusted() + 1
    if not -4 < whole <= 15:
        return f"{float(value):.{_DIGITS}g}"
    text = f"{number:.{max(_DIGITS - max(whole, 0), 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def changed(before: str | None, after: str | None, *, number: bool) -> tuple[str | None, str | None, str]:
    """Return both values as `format_value` (whole, where they would then look the same), and `+31, +4.2 %`.

    What is no `number` by the type of its column, such as a zip code, stays as it is.
    """
    if not number:
        return before, after, ""
    if before is None or after is None or before == after:
        return before and format_value(before), after and format_value(after), ""
    one, two = format_value(before), format_value(after)
    one, two = (before, after) if one == two else (one, two)
    if not (_NUMBER.fullmatch(before) and _NUMBER.fullmatch(after)):
        return one, two, ""
    old, new = Decimal(before), Decimal(after)
    by = _EXACT.subtract(new, old)
    times = float(by / abs(old)) if old else inf
    share = f", {_percent(times)}" if isfinite(times) else ""
    return (
        one,
        two,
        f"{'+' if by > 0 else ''}{format_value(f'{by:f}' if abs(by.adjusted()) < 15 else str(by).lower())}{share}",
    )


def _percent(share: float) -> str:
    value = share * 100
    return f"{value:+.3g} %" if abs(value) < 1000 else f"{value:+.0f} %"


def with_change(rows_shown: Evidence) -> Evidence:
    """Return rows with their values as people read them; beside values before and after what they changed by."""
    if rows_shown.columns[-3:] != _VALUES:
        rows = tuple(tuple(cell and format_value(cell) for cell in row) for row in rows_shown.rows)
        return replace(rows_shown, rows=rows)
    changed_rows = (
        (
            *(cell and format_value(cell) for cell in row[:-2]),
            *changed(*row[-2:], number=row[-3] in rows_shown.numbers),
        )
        for row in rows_shown.rows
    )
    return replace(rows_shown, columns=(*rows_shown.columns, CHANGE), rows=tuple(changed_rows))
