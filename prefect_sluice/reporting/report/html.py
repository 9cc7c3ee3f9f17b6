"""The report as one HTML file: no other file, no network, readable from a folder, a mail or a CI artifact."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files

from prefect_sluice.domain.promotion import ENDED
from prefect_sluice.reporting.part import authors, brought, commits_of
from prefect_sluice.reporting.report import changes, findings, sections
from prefect_sluice.reporting.report.limits import LADDER, ReportLimits, fitting
from prefect_sluice.reporting.report.markup import Child, Markup, joined, tag
from prefect_sluice.reporting.report.model import KeyPoint, Report
from prefect_sluice.reporting.report.parts import more, pill, section
from prefect_sluice.reporting.report.summary import waits_for_an_answer
from prefect_sluice.reporting.report.tables import table
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.wording import count, moment, short

LIMIT = 2_000_000
"""Characters that a page may have."""

Section = Callable[[Report, ReportLimits], Markup | None]
_SECTIONS: tuple[Section, ...] = (
    changes.changes,
    findings.findings,
    changes.diff,
    sections.lineage,
    sections.stages,
    sections.plan,
    sections.approvals,
)
_LINKS = (
    ("changes", "What changes"),
    ("findings", "Findings"),
    ("diff", "Diff"),
    ("lineage", "Lineage"),
    ("stages", "Stages"),
    ("plan", "Plan"),
    ("approvals", "Approvals"),
    ("provenance", "Provenance"),
)


def page(report: Report, *, limit: int = LIMIT) -> str:
    """Return the page, at most `limit` characters: what does not fit is left out, the least telling first, and counted."""
    return fitting(lambda bounds: _page(report, bounds), limit, LADDER)


def _page(report: Report, bounds: ReportLimits) -> str:
    parts = [part for make in _SECTIONS if (part := make(report, bounds))]
    main = joined(_head(report), _contents(parts), *parts, _provenance(report, bounds), _words())
    promotion = report.dossier.promotion
    where = promotion.environment if promotion else ""
    return sheet(f"{report.head.word}: {report.head.title}", main, kind="report", where=where)


def sheet(title: str, main: Markup, *, kind: str = "", where: str = "") -> str:
    """Return a page of ours with this content. `kind` says what it is, `where` of which environment, in its top line."""
    style, script = _text("page.css"), _text("page.js")
    body = joined(
        tag("a", "To the content", href="#main", class_="skip"),
        _top(kind, where),
        tag("main", main, id="main"),
        tag("script", script),
    )
    head = joined(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", style),
    )
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def _text(name: str) -> Markup:
    return Markup((files(__package__ or "") / name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    """Return what the page may do: its own style and script, and nothing else; not even a picture."""
    return (
        f"default-src 'none'; style-src '{_hashed(style)}'; script-src '{_hashed(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hashed(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _top(kind: str, where: str) -> Markup:
    place = tag("span", where, class_="place") if where else None
    button = tag("button", "Dark or light", type="button", id="theme", hidden=True)
    return tag(
        "header",
        tag("span", "Sluice", class_="brand"),
        f" {kind} ",
        place,
        tag("span", class_="grow"),
        button,
    )


def _head(report: Report) -> Markup:
    head = report.head
    word = tag(
        "p", tag("strong", head.word, class_=f"word {head.style.value}"), " ", tag("span", head.sentence)
    )
    tallies = [
        tag("li", tag("strong", item.value, class_=item.style.value), " ", tag("span", item.label))
        for item in report.tallies
    ]
    advice = _answering(report) or [
        tag(
            "li",
            tag("span", item.text),
            tag("code", item.command, class_="command") if item.command else None,
        )
        for item in head.advice
    ]
    blocked = [
        tag("p", pill("blocked", Style.BAD), f" {item.origin}", class_="more")
        for item in report.dossier.blocks
    ]
    return tag(
        "section",
        tag("p", _kicker(report), class_="kicker"),
        tag("h1", head.title),
        tag("div", word, class_=f"verdict {head.style.value}"),
        *blocked,
        tag("ul", *(_point(item) for item in report.points), class_="points") if report.points else None,
        tag("ul", *tallies, class_="tallies") if tallies else None,
        tag(
            "div",
            tag("div", tag("h2", "What to do"), tag("ul", *advice), class_="advice") if advice else None,
            tag(
                "div",
                tag("h2", "What is asked" if _is_open(report) else "What was asked"),
                _facts(report),
                class_="asked",
            ),
            class_="pair",
        ),
        id="decision",
    )


def _answering(report: Report) -> list[Markup]:
    """Return where a yes or no is said in a browser; nothing where it is not waited for, or only a terminal can."""
    way = report.dossier.way
    if not waits_for_an_answer(report) or not way.is_there:
        return []
    yes, no = tag("a", "Say yes", href=way.yes), tag("a", "Say no", href=way.no)
    form = tag("li", yes, " or ", no, " in a form: your name, Submit. What waits goes on by itself.")
    run = tag("a", way.name or "the run that waits", href=way.run) if way.resumes else None
    return [
        *([form] if way.yes else []),
        *([tag("li", "Or in its run: ⋮ → Resume in ", run)] if run else []),
    ]


def _point(item: KeyPoint) -> Markup:
    about = tag("a", item.about, href=f"#{item.anchor}", class_=item.style.value) if item.about else None
    told = item.text if item.about else tag("a", item.text, href=f"#{item.anchor}")
    return tag("li", about, " " if about else None, told, class_=item.style.value)


def _is_open(report: Report) -> bool:
    promotion = report.dossier.promotion
    return promotion is not None and promotion.state not in ENDED


def _kicker(report: Report) -> str:
    promotion = report.dossier.promotion
    if promotion is None:
        return "A release"
    return f"{promotion.cause.value.capitalize()} to {promotion.environment} · promotion {promotion.id}"


def _facts(report: Report) -> Markup:
    known = report.dossier
    promotion, release = known.promotion, known.release
    rows: list[tuple[str, Child]] = []
    if promotion is not None:
        former = f", {known.former.change.short} {known.former.change.subject}" if known.former else ""
        base = (
            f"generation {promotion.base}: release {short(promotion.base_release)}{former}"
            if promotion.base
            else "nothing: it serves nothing yet"
        )
        rows += [("environment", promotion.environment), ("from", base)]
    if release is not None:
        change, commits = release.change, commits_of(release)
        rows += [
            ("to", f"release {release.short}, {'a part' if release.composed else f'commit {change.short}'}"),
            *([("commits", brought(commits))] if commits else []),
            ("author", f"{authors(release) if commits else change.author}, {moment(change.at)}"),
            ("files", _files(change.files)),
        ]
    if known.way.run:
        rows.append(("run", tag("a", known.way.name or "in Prefect", href=known.way.run)))
    if promotion is not None:
        rows.append(("asked by", f"{promotion.actor}, {moment(promotion.created_at)}"))
    if promotion is not None and promotion.evidence:
        digests = (
            ("plan ", promotion.plan),
            (", evidence ", promotion.evidence),
            (", all of it ", promotion.binding),
        )
        rows.append(
            ("a yes binds", joined(*(joined(name, tag("code", short(value))) for name, value in digests)))
        )
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), class_="facts")


def _files(paths: tuple[str, ...]) -> Child:
    shown: list[Child] = []
    for path in paths[:3]:
        shown += [", " if shown else None, tag("code", path)]
    rest = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return joined(*shown, rest) if shown else "none"


def _contents(parts: list[Markup]) -> Markup:
    known = "".join(parts)
    links = [(name, title) for name, title in _LINKS if name == "provenance" or f'id="{name}"' in known]
    items = (tag("li", tag("a", title, href=f"#{name}")) for name, title in links)
    return tag("nav", tag("ul", *items), aria_label="Contents")


_WORDS = (
    (
        "generation",
        "A numbered version of what an environment serves. Writing one switches all names at once; the one before stays, "
        "and can be served again.",
    ),
    (
        "promotion",
        "The attempt to make one release current in one environment. A yes is for exactly this one: its plan and its "
        "evidence.",
    ),
    (
        "gate",
        "A group of checks. PASSED and WARNED let a release go on. INCONCLUSIVE (could not tell), ERRORED (broke) and "
        "FAILED hold it.",
    ),
    (
        "reused",
        "Not built, because nothing that it is made of changed: it stays, to the byte, what is served now.",
    ),
    (
        "consumer",
        "A dashboard, report or system that the project declares as a reader of its relations (a dbt exposure).",
    ),
)


def _words() -> Markup:
    """Return what the words of the page mean, for who never saw one."""
    told = (tag("div", tag("dt", name), tag("dd", text)) for name, text in _WORDS)
    return tag(
        "section", tag("details", tag("summary", "The words of this page"), tag("dl", *told, class_="facts"))
    )


def _provenance(report: Report, bounds: ReportLimits) -> Markup:
    known = report.dossier
    promotion, release = known.promotion, known.release
    rows: list[tuple[str, Child]] = []
    if release is not None:
        change = release.change
        rows += [
            ("release", tag("code", release.id)),
            ("commit", tag("code", change.commit)),
            ("tree", tag("code", change.tree)),
        ]
        rows += [("made for", ", ".join(f"{name} {version}" for name, version in release.tools.items()))]
    if promotion is not None:
        digests = (
            ("plan", promotion.plan),
            ("evidence", promotion.evidence),
            ("bound as", promotion.binding),
        )
        rows += [(name, tag("code", value)) for name, value in digests if value]
    rows.append(("this report", f"made {moment(known.at)}, from what was recorded by then"))
    entries = [
        (str(item.number), moment(item.at), item.event, item.actor, tag("code", short(item.digest)))
        for item in known.entries[: bounds.entries]
    ]
    others = [
        (item.id, item.environment, item.cause.value, item.state.value, moment(item.created_at))
        for item in known.others[: bounds.entries]
    ]
    return section(
        "provenance",
        "Provenance",
        tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), class_="facts"),
        tag("details", tag("summary", count(len(known.entries), "entry of the ledger", "entries of the ledger")),
            table(("no.", "at", "what", "who", "digest"), entries, label="ledger", right=(0,)),
            more(len(known.entries) - len(entries), "entry")) if entries else None,
        tag("details", tag("summary", f"{count(len(known.others), 'other promotion')} of this release"),
            table(("promotion", "environment", "cause", "state", "at"), others, label="other promotions")) if others else None,
    )  # fmt: skip
