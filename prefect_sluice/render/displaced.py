"""Public names that do not show what was published: told above whatever a command says of what serves."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.displaced import TAKE_BACK, Displaced, told
from prefect_sluice.render.styled import BLANK, Line, Span, Style, cut, line, strong
from prefect_sluice.render.table import WIDTH


def displaced_lines(found: Sequence[Displaced], *, width: int = WIDTH) -> list[Line]:
    """Return what stands where in red, and the command that helps; nothing where every name shows what it should."""
    if not found:
        return []
    head = Span(cut(f"not what was published: {told(found)}", width), Style.BAD)
    return [line(head), line("take the names back: ", strong(TAKE_BACK)), BLANK]
