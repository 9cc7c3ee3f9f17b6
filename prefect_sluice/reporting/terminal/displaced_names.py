"""Public names that do not show what was published: their lines stand above everything else about what serves."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.displaced_names import TAKE_BACK, Displaced, describe_displaced
from prefect_sluice.reporting.styled_text import BLANK, Line, Style, line, strong, wrapped
from prefect_sluice.reporting.table import WIDTH


def displaced_lines(displaced: Sequence[Displaced], *, width: int = WIDTH) -> list[Line]:
    """Return the displaced names in red, and the command that helps; nothing where every name shows what it should."""
    if not displaced:
        return []
    head = wrapped(
        f"not what was published: {describe_displaced(displaced)}", width, indent=0, style=Style.BAD
    )
    return [*head, line("take the names back: ", strong(TAKE_BACK)), BLANK]
