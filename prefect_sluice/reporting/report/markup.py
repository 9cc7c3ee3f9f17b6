"""HTML and SVG that cannot be broken by what is in the data: all text is escaped, unless it is markup made here."""

from __future__ import annotations

import html
from typing import TypeAlias

from prefect_sluice.reporting.styled_text import clean


class Markup(str):
    """Text that is markup already. Made by `tag` and `joined` only; the two fixed texts of the page, too."""

    __slots__ = ()


Child: TypeAlias = str | None
"""A piece of a page: Markup goes in as it is, any other text is escaped, None is nothing."""

_VOID = frozenset({"meta", "br", "rect", "path", "line"})


def escape(text: str) -> str:
    """Return text that is text in HTML, in an element and in a quoted attribute; no control character is left in it."""
    return html.escape(clean(text), quote=True)


def joined(*children: Child) -> Markup:
    """Return the pieces, one after the other."""
    return Markup(
        "".join(child if isinstance(child, Markup) else escape(child) for child in children if child)
    )


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """Return an element. `class_` is class, `aria_label` is aria-label; None and False leave an attribute out."""
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(_text(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{told}>" if name in {"meta", "br"} else f"<{name}{told}/>")
    return Markup(f"<{name}{told}>{joined(*children)}</{name}>")


def _text(value: str | int | float | bool) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
