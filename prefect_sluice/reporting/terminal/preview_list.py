"""Previews: what each shows, for how long, and under which names, one a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefect_sluice.reporting.styled_text import Line, Span, line
from prefect_sluice.reporting.table import WIDTH, table
from prefect_sluice.reporting.wording import moment, short
from prefect_sluice.workspace.previews import preview_schema

if TYPE_CHECKING:  # the store brings SQLAlchemy with it
    from prefect_sluice.state.records import Preview

_HEADER = ("preview", "schema", "commit", "branch", "beside", "made (UTC)", "ends (UTC)", "report")


def preview_lines(previews: Sequence[Preview], *, width: int = WIDTH) -> list[Line]:
    """Return a table of previews; a line that says how to make one where there is none."""
    if not previews:
        return [line("there is no preview: sluice check --serve")]
    return table([_row(preview) for preview in previews], header=_HEADER, width=width)


def _row(preview: Preview) -> tuple[str | Span, ...]:
    beside = f"{preview.like} {preview.beside}" if preview.beside else preview.like
    return (
        preview.name,
        preview_schema(preview.name) if preview.number else "not published",
        short(preview.commit),
        preview.branch,
        beside,
        moment(preview.at).removesuffix(" UTC"),
        moment(preview.until).removesuffix(" UTC"),
        preview.promotion,
    )
