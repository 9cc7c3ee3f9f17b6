"""The status of environments, with links to where people act: as Markdown for an artifact, and as a page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prefect_sluice.reporting.markdown import escaped
from prefect_sluice.reporting.prefect.links import link
from prefect_sluice.reporting.report.html import rendered
from prefect_sluice.reporting.report.model import WebLinks
from prefect_sluice.reporting.wording import moment


@dataclass(frozen=True, slots=True)
class WaitingPromotion:
    """A promotion that is not at its end: its title, its `approvers` ("": somebody has said yes or no), since when (UTC),
    where its run, its form and its report (`page`) are, and which promotions its publish `ends`."""

    promotion: str
    title: str
    approvers: str
    since: datetime
    way: WebLinks
    page: str = ""
    ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ControlInForce:
    """A hold, freeze or block in force, and the form that lifts it ("": there is none)."""

    id: str
    told: str
    lift: str = ""


@dataclass(frozen=True, slots=True)
class PreviewCard:
    """A preview of an environment: its name, what it shows, its schema ("": it is not published), when it ends (UTC), the report
    of its check, and the form that ends it ("": there is none)."""

    name: str
    shows: str
    schema: str
    until: datetime
    page: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True)
class EnvironmentCard:
    """The card of an environment ("": for what is in no environment). `generation` 0: nothing is served. `title` is what serves,
    `since` when it was published (UTC), `page` its report, `links` are forms by what they do, `dashboards`
    those that can be promoted to it, with the form, `previews` what checks for it are shown in, `copy` what it is a copy of ("":
    it is none)."""

    environment: str
    generation: int = 0
    title: str = ""
    since: datetime | None = None
    page: str = ""
    waits: tuple[WaitingPromotion, ...] = ()
    stops: tuple[ControlInForce, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    dashboards: tuple[tuple[str, str], ...] = ()
    previews: tuple[PreviewCard, ...] = ()
    copy: str = ""


def standing_markdown(stands: Sequence[EnvironmentCard], index: str = "") -> str:
    """Return the status as Markdown. No time of its own is in it: it changes only when something did. `index` is the
    page of the same ("": none is served)."""
    lines = ["## What serves, what waits, what is held", ""]
    for stand in stands:
        lines += [f"### {escaped(stand.environment or 'Wherever it goes')}", ""]
        lines += [f"* {_serves(stand)}"] if stand.environment else []
        lines += [f"* {escaped(stand.copy)}"] if stand.copy else []
        lines += [row for waiting in stand.waits for row in _waiting_rows(waiting)]
        lines += [f"* ⛔ {escaped(stop.told)}{_lift(stop)}" for stop in stand.stops]
        lines += [f"* 👁 {_preview(preview)}" for preview in stand.previews]
        lines += [f"* {' · '.join(link(text, url) for text, url in stand.links)}"] if stand.links else []
        lines += (
            [f"* promote: {' · '.join(link(*named_link) for named_link in stand.dashboards)}"]
            if stand.dashboards
            else []
        )
        lines.append("")
    return "\n".join([*lines, *([link("the same as a page", index), ""] if index else [])])


def _serves(stand: EnvironmentCard) -> str:
    if not stand.generation:
        return "nothing is served yet"
    since = f", since {moment(stand.since)}" if stand.since else ""
    return f"serves generation **{stand.generation}**: {link(stand.title or 'what was adopted', stand.page)}{since}"


def _lift(stop: ControlInForce) -> str:
    return f" — {link('lift it', stop.lift)}" if stop.lift else ""


def _preview(preview: PreviewCard) -> str:
    where = f"schema `{preview.schema}`" if preview.schema else "not published"
    end = f" — {link('end it', preview.end)}" if preview.end else ""
    shows = link(preview.shows, preview.page)
    return f"preview **{escaped(preview.name)}** of {shows}: {where}, until {moment(preview.until)}{end}"


def _waiting_rows(waiting: WaitingPromotion) -> list[str]:
    """Return what waits, and below it what ends when that is published."""
    return [
        f"* ⏳ {_waiting(waiting)}",
        *(f"  * its publish ends {escaped(other)}" for other in waiting.ends),
    ]


def _waiting(waiting: WaitingPromotion) -> str:
    sentence = f"{link(waiting.title, waiting.page)}, since {moment(waiting.since)}"
    if not waiting.approvers:
        return f"{sentence}: answered, and not published yet{_run(waiting)}"
    way = waiting.way
    form = f" — {link('say yes', way.yes)} or {link('say no', way.no)}" if way.yes else ""
    return f"{sentence}, waits for a yes of {escaped(waiting.approvers)}{form}{_run(waiting)}"


def _run(waiting: WaitingPromotion) -> str:
    return f" · {link('its run', waiting.way.run)}" if waiting.way.run else ""


def standing_page(stands: Sequence[EnvironmentCard], now: datetime, home: str = "") -> str:
    """Return the status as one HTML file, made at `now`. `home` is the page with all forms ("": no server is known)."""
    return rendered(
        "standing.html", "What serves, what waits, what is held", stands=stands, now=now, home=home
    )
