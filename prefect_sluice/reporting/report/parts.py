"""The small parts that all sections of a page are made of: headings, words on their colour, and what was cut."""

from __future__ import annotations

from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.reporting.report.markup import Child, Markup, tag
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.wording import count

LOOKS = {
    Verdict.PASSED: Style.GOOD,
    Verdict.WARNED: Style.WARN,
    Verdict.INCONCLUSIVE: Style.BAD,
    Verdict.ERRORED: Style.BAD,
    Verdict.FAILED: Style.BAD,
}


def section(name: str, title: str, *children: Child) -> Markup:
    """Return a section with its heading, which a link of the page leads to."""
    return tag(
        "section", tag("h2", title, id=f"{name}-title"), *children, id=name, aria_labelledby=f"{name}-title"
    )


def pill(text: str, style: Style) -> Markup:
    """Return a word on its colour."""
    return tag("span", text, class_=f"pill {style.value}")


def verdict(value: Verdict) -> Markup:
    """Return a verdict on its colour."""
    return pill(value.name, LOOKS[value])


def more(number: int, what: str) -> Markup | None:
    """Return that there are more; None where there are none."""
    told = f"and {count(number, f'more {what}')}; all of it: sluice report --format json"
    return tag("p", told, class_="more") if number else None
