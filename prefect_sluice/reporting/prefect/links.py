"""The head of every artifact: which promotion and release it is about, and links to the others. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.release import CommitRange, Release
from prefect_sluice.reporting.markdown import escaped
from prefect_sluice.reporting.part import authors, brought_line, goes_line
from prefect_sluice.reporting.report.model import ReleaseRecord
from prefect_sluice.reporting.wording import moment, short

_ARROW = "→ "
"""How the line of links begins."""
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


class ArtifactKind(StrEnum):
    """What an artifact shows, in the order in which a run makes them."""

    PLAN = "plan"
    REPORT = "report"
    DIFF = "diff"
    APPROVAL = "approval"
    GENERATION = "generation"


WORDS = {
    ArtifactKind.PLAN: "plan",
    ArtifactKind.REPORT: "gate report",
    ArtifactKind.DIFF: "diff",
    ArtifactKind.APPROVAL: "approval",
    ArtifactKind.GENERATION: "generation",
}
"""What each is called in a link."""


@dataclass(frozen=True, slots=True)
class RunLinks:
    """Links of a run: the run by name and address, the artifacts that it has by now, and the page of the whole report.

    An address is "" where there is none: no server, or no web server for the pages.
    """

    run: str = ""
    run_url: str = ""
    artifacts: Mapping[ArtifactKind, str] = field(default_factory=dict[ArtifactKind, str])
    page: str = ""


def key(kind: str, environment: str) -> str:
    """Return an artifact's key: `diff-prod`. `kind` is a `ArtifactKind`, or a word in small letters.

    The key's page is the history of one environment.
    A key takes small letters, digits and dashes. A name that has others gets four digits of its digest, so that no two
    environments share a history.
    """
    name = "".join(letter if letter in _ALLOWED else "-" for letter in environment.lower())
    return f"{kind}-{name}" if name == environment else f"{kind}-{name}-{digest(environment)[:4]}"


def link(text: str, url: str) -> str:
    """Return a link; without an address only its text."""
    return f"[{escaped(text)}]({_address(url)})" if url else escaped(text)


def _address(url: str) -> str:
    # What would end the link, or its line, goes as its number.
    return "".join(f"%{ord(letter):02X}" if letter in "()<> \n\r\t\\" else letter for letter in url)


def links_line(links: RunLinks, promotion: str = "", *, but: ArtifactKind | None = None) -> str:
    """Return the other artifacts and the page of the report as one line; where no page is served, how to make that of the
    promotion ("": not said, to who is not to need a terminal)."""
    ways = [
        link(WORDS[kind], links.artifacts[kind])
        for kind in ArtifactKind
        if kind is not but and kind in links.artifacts
    ]
    if links.page:
        ways.append(link("full report", links.page))
    elif promotion:
        ways.append(f"full report: `sluice report {promotion} --output report.html`")
    return " · ".join(ways)


def about(record: ReleaseRecord, links: RunLinks, kind: ArtifactKind) -> list[str]:
    """Return the lines that say what an artifact is about, with links to the others. The title of a report says what it
    brings."""
    promotion, release = record.promotion, record.release
    lines: list[str] = []
    if release is not None:
        lines.append(_subject(release, record.commits, titled=kind is ArtifactKind.REPORT))
    goes = goes_line(record.commits)
    lines += [f"**goes:** {escaped(goes)}"] if goes else []
    facts = [f"release `{release.short}`"] if release is not None else []
    if promotion is not None:
        facts.append(f"promotion `{promotion.id}`")
        facts.append(_way(promotion.base, promotion.base_release, promotion.generation))
        facts.append(f"asked by {escaped(promotion.actor)}")
    facts += [f"run {link(links.run, links.run_url)}"] if links.run else []
    lines.append(" · ".join(facts))
    named = promotion.id if promotion and kind is not ArtifactKind.APPROVAL else ""
    more = links_line(links, named, but=kind)
    lines += [f"{_ARROW}{more}"] if more else []
    # Two blanks at a line's end keep it a line of its own.
    return [*(f"{line}  " for line in lines[:-1]), lines[-1], ""]


def _subject(release: Release, commits: CommitRange | None, *, titled: bool) -> str:
    """Return what a release brings: a commit, all that come with it, or a part with its own commits."""
    change, brought = release.change, brought_line(release, commits)
    what = "" if titled else f"**{escaped(change.subject)}**, "
    by = f"by {escaped(authors(release, commits))}, {moment(change.at)}"
    if brought:
        return f"{what}{by}: {escaped(brought)}"
    return f"`{change.short}` {what}{by}"


def relinked(text: str, links: RunLinks, promotion: str, kind: ArtifactKind) -> str:
    """Return an artifact that was made before, with the line of links as it is now."""
    lines = text.split("\n")
    place = next((number for number, line in enumerate(lines) if line.startswith(_ARROW)), None)
    if place is not None:
        lines[place] = f"{_ARROW}{links_line(links, promotion, but=kind)}"
    return "\n".join(lines)


def _way(base: int, release: str, generation: int | None) -> str:
    before = f"generation {base} (release `{short(release)}`)" if base else "nothing served yet"
    return f"{before} → generation {generation}" if generation else f"from {before}"
