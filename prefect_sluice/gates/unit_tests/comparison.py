"""dbt's comparison of a unit test's rows, as a table: what was expected, and what came."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from prefect_sluice.diff.float_tolerance import close_texts
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence

_BEGINS = re.compile(r"^@@", re.MULTILINE)
_CELL = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*)) *(,|\r?\n|\Z)')
_DECIMAL = re.compile(r"Decimal\('([^']*)'\)")
_EXPECTED, _ACTUAL, _BOTH = "expected", "actual", "both"


def compared(message: str) -> Evidence | None:
    """Return the rows of dbt's comparison, those that differ twice; None if it cannot be read.

    dbt writes it as daff does: CSV padded with blanks, a first column that says what became of a row, and
    `before→after` in cells that differ.
    """
    begins = _BEGINS.search(message)
    lines = list(_lines(message[begins.start() :])) if begins else []
    if not lines or any(len(line) != len(lines[0]) for line in lines):
        return None
    rows: list[tuple[str | None, ...]] = []
    for line in lines[1:]:
        found = _rows(line)
        if found is None:
            return None
        rows += found
    columns = ("row", *lines[0][1:])
    return Evidence(columns, tuple(rows[:EVIDENCE_ROWS]), len(rows)) if rows else None


def last_digits(rows: Evidence, tolerance: float) -> tuple[str, ...]:
    """Return the columns of floats in which rows differ by no more than their last digits; none if they differ otherwise, too."""
    kinds = [row[0] for row in rows.rows if row[0] != _BOTH]
    if len(rows.rows) < rows.total or kinds != [_EXPECTED, _ACTUAL] * (len(kinds) // 2):
        return ()
    told = [row for row in rows.rows if row[0] != _BOTH]
    differing = [
        (column, one, two)
        for expected, actual in zip(told[::2], told[1::2], strict=True)
        for column, one, two in zip(rows.columns[1:], expected[1:], actual[1:], strict=True)
        if one != two
    ]
    if not all(one and two and close_texts(one, two, tolerance) for _, one, two in differing):
        return ()
    return tuple(dict.fromkeys(column for column, _, _ in differing))


def _lines(text: str) -> Iterator[list[str]]:
    """Yield the cells of each line; nothing more after what is not CSV, the last line then being short."""
    line: list[str] = []
    at = 0
    while at < len(text) and (cell := _CELL.match(text, at)):
        at = cell.end()
        quoted, plain, end = cell[1], cell[2], cell[3]
        line.append(quoted.replace('""', '"') if quoted is not None else plain.rstrip(" "))
        if end != ",":
            yield line
            line = []
    if line or at < len(text):
        yield []


def _rows(line: Sequence[str]) -> list[tuple[str | None, ...]] | None:
    """Return the rows that a line stands for; None for a kind of line that is not known, or can be read in two ways."""
    kind, cells = line[0], line[1:]
    if kind == "...":
        return []
    if kind in {"", ":"}:
        return [_row(_BOTH, cells)]
    if kind in {"+++", "---"}:
        return [_row(_ACTUAL if kind == "+++" else _EXPECTED, cells)]
    if kind.endswith(("→", "->")):
        if any(cell.count(kind) > 1 for cell in cells):
            return None
        parts = [cell.split(kind) if kind in cell else [cell, cell] for cell in cells]
        return [_row(_EXPECTED, [part[0] for part in parts]), _row(_ACTUAL, [part[1] for part in parts])]
    return None


def _row(which: str, cells: Sequence[str]) -> tuple[str | None, ...]:
    return which, *(None if cell == "NULL" else _DECIMAL.sub(r"\1", cell) for cell in cells)
