"""The report as one HTML file: no other file, no network, readable from a folder, a mail or a CI artifact.

The page is written in `templates/`, where all text is escaped by itself. What it shows is gathered here, as plain values.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, cast
from urllib.parse import urlsplit

from jinja2 import Environment, FunctionLoader, StrictUndefined

from prefect_sluice.diff.relation import percent
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.promotion import ENDED
from prefect_sluice.reporting.forms_for_commands import in_pieces
from prefect_sluice.reporting.report import changes, findings, sections
from prefect_sluice.reporting.report.charts import bar_width
from prefect_sluice.reporting.report.limits import LADDER, ReportLimits, fitting
from prefect_sluice.reporting.report.model import Report
from prefect_sluice.reporting.report.once import Once
from prefect_sluice.reporting.report.summary import waits_for_an_answer
from prefect_sluice.reporting.styled_text import LOOKS, clean
from prefect_sluice.reporting.wording import moment

LIMIT = 2_000_000
"""Characters that a page may have."""


def page(report: Report, *, limit: int = LIMIT) -> str:
    """Return the page, at most `limit` characters: what does not fit is left out, the least important first, and counted."""
    once = Once(report)
    return fitting(lambda bounds: _page(report, once, bounds), limit, LADDER)


def _page(report: Report, once: Once, bounds: ReportLimits) -> str:
    promotion = report.dossier.promotion
    return rendered(
        "report.html",
        f"{report.head.word}: {report.head.title}",
        kind="report",
        where=promotion.environment if promotion else "",
        report=report,
        once=once,
        bounds=bounds,
        answers=waits_for_an_answer(report) and report.dossier.way.is_there,
        is_open=promotion is not None and promotion.state not in ENDED,
        contents=list(_contents(report)),
        **changes.values(report, once, bounds),
        **findings.values(report, once, bounds),
        **sections.values(report, bounds),
    )


def _contents(report: Report) -> Iterable[tuple[str, str]]:
    """Return the sections that the page has, by id and title."""
    yield from (("changes", "What changes"), ("findings", "Findings"))
    if report.changed:
        yield "diff", "Diff"
    if report.lineage.dots:
        yield "lineage", "Lineage"
    if report.laps:
        yield "stages", "Stages"
    if report.dossier.plan is not None:
        yield "plan", "Plan"
    yield from (("approvals", "Approvals"), ("provenance", "Provenance"))


def rendered(template: str, title: str, *, kind: str = "", where: str = "", **shown: Any) -> str:
    """Return a page of ours. `kind` says what it is, `where` of which environment, in its top line; `shown` is what the template
    asks for: what is missing raises jinja2.UndefinedError."""
    return _templates().get_template(template).render(title=title, kind=kind, where=where, **shown)


@cache
def _templates() -> Environment:
    """Return the templates, each compiled when it is first asked for."""
    made = Environment(
        loader=FunctionLoader(lambda name: _text(f"templates/{name}")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _text("page.css"), _text("page.js")
    cast(dict[str, Any], made.globals).update(
        style=style, script=script, policy=_policy(style, script), looks=LOOKS, bar_width=bar_width, count=count,
        in_pieces=in_pieces, is_web=_is_web, moment=moment, percent=percent,
    )  # fmt: skip
    return made


def _finalized(value: Any) -> Any:
    """Take control characters out of text, before it is escaped."""
    return clean(value) if type(value) is str else value


def _text(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return what the page may do: its own style and script, and nothing else; not even a picture."""
    return (
        f"default-src 'none'; style-src '{_hashed(style)}'; script-src '{_hashed(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hashed(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _is_web(url: str) -> bool:
    """Say whether a link may be one: `javascript:` and its like are text, and stay so."""
    try:
        return urlsplit(url.strip()).scheme.lower() in {"http", "https"}
    except ValueError:
        return False
