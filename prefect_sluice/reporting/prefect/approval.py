"""The question to an approver: short, as the text of a form, and in full, as an artifact. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.promotion import UNAUTHENTICATED, Approval, Promotion
from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.planning.dashboards import picked
from prefect_sluice.planning.reasons import Noted
from prefect_sluice.reporting.counted_notes import note_told, rows_gone
from prefect_sluice.reporting.markdown import MARKS, escaped
from prefect_sluice.reporting.part import authors, brought_line, goes_line
from prefect_sluice.reporting.prefect.links import ArtifactKind, RunLinks, about, link, links_line
from prefect_sluice.reporting.report.limits import SHORT, clipped
from prefect_sluice.reporting.report.markdown import changes, gates
from prefect_sluice.reporting.report.model import ChangedRelation, Report
from prefect_sluice.reporting.report.once import Once
from prefect_sluice.reporting.report.summary import waits_for_an_answer
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.policy import policy_sentence
from prefect_sluice.reporting.terminal.promotion import SAID
from prefect_sluice.reporting.wording import moment

_MOST = 6
_ALL = 60
_NAMES = 4
_LONGEST = 160
_MARKS = {Style.GOOD: "✅", Style.WARN: "⏳", Style.BAD: "❌"}
NOBODY = "no declared consumer"


def request_text(report: Report, links: RunLinks, note: str = "") -> str:
    """Return the question as a form shows it: what changes for whom first, since some forms show three lines only.

    `note` stands above it: why an answer before was not taken. What somebody typed may stand in it.
    """
    promotion = report.dossier.promotion
    if promotion is None:
        return ""
    lines = [f"⚠️ **{escaped(f'{note[0].upper()}{note[1:]}')}**", ""] if note else []
    lines += [f"**{escaped(gist(report, promotion))}**", "", f"{_verdict(report)} {_who(report)}", ""]
    lines += _goes(report)
    lasting = lasting_things(report)
    if lasting:
        rest = f" and {len(lasting) - _MOST} more" if len(lasting) > _MOST else ""
        lines += [f"⚠️ **Not undone by a rollback:** {escaped('; '.join(lasting[:_MOST]))}{rest}", ""]
    lines += _ends(report, _MOST)
    lines += _policy(report, _MOST)
    lines += [f"→ {more}", ""] if (more := links_line(links)) else []
    lines += _for_whom(report)
    lines += [f"A yes is to exactly this, `{promotion.binding[:8]}`: promotion `{promotion.id}`.", ""]
    return "\n".join(lines)


def approval_page(report: Report, links: RunLinks) -> str:
    """Return the question in full, and the answer once there is one."""
    record, head = report.dossier, report.head
    promotion = record.promotion
    if promotion is None:
        return ""
    title = f"## {_MARKS.get(head.style, '▪️')} Approval for {escaped(promotion.environment)}: {head.word}"
    lines = [title, "", *about(record, links, ArtifactKind.APPROVAL), escaped(head.sentence), ""]
    lines += [*_approval_lines(report), f"**{escaped(gist(report, promotion, with_change=False))}**", ""]
    lines += _goes(report)
    lasting = lasting_things(report)
    if lasting:
        lines += ["### What a rollback does not undo", ""]
        lines += [
            *(f"* {escaped(lasting_thing)}" for lasting_thing in lasting[:_ALL]),
            *_rest(len(lasting), "thing", _ALL),
            "",
        ]
    lines += _ends(report, _ALL)
    lines += _policy(report, _ALL)
    lines += [
        *changes(report, SHORT[1], alone=True),
        *_to_look_at(report),
        "### Gates",
        "",
        *gates(report, Once(report)),
    ]
    lines += _what_is_approved(report, promotion)
    return "\n".join(lines).rstrip("\n") + "\n"


def _goes(report: Report) -> list[str]:
    """Return the commits that go: nobody may say yes to that without seeing it."""
    goes = goes_line(report.dossier.commits)
    return [f"⚠️ **Goes, though it serves:** {escaped(goes)}", ""] if goes else []


def _ends(report: Report, most: int) -> list[str]:
    """Return the promotions that end when this one is published: a yes to this one may cost somebody theirs."""
    ends = report.dossier.ends
    if not ends:
        return []
    lines = ["⚠️ **Ends when this is published:**", "", *(f"* {escaped(other)}" for other in ends[:most])]
    return [*lines, *_rest(len(ends), "promotion", most), ""]


def _to_look_at(report: Report) -> list[str]:
    """Return the findings that did not pass and do not stand with a relation or a consumer."""
    told_elsewhere = {id(one.finding) for one in report.changed} | {
        id(i) for one in report.reached for i in one.findings
    }
    findings = [finding for finding in report.findings if id(finding) not in told_elsewhere]
    lines = [
        f"* {MARKS[finding.verdict]} **{escaped(finding.gate)}** {escaped(finding.check)}:"
        f" {escaped(clipped(finding.summary, _LONGEST))}"
        for finding in findings[:_MOST]
    ]
    return ["### To look at", "", *lines, *_rest(len(findings), "finding"), ""] if lines else []


def _approval_lines(report: Report) -> list[str]:
    lines = [
        f"* {SAID[approval.decision]} by **{escaped(approval.by)}**{_mark(approval)}, {moment(approval.at)}"
        + (f": {escaped(approval.comment)}" if approval.comment else "")
        for approval in report.dossier.approvals
    ]
    return [*lines, ""] if lines else []


def _policy(report: Report, most: int) -> list[str]:
    """Return the changes of the policy: a yes is to them, too."""
    policy = report.dossier.policy
    if policy is None or not policy.changes:
        return []
    lines = [f"⚠️ **{escaped(policy_sentence(policy))}**", ""]
    return [*lines, *(f"* {escaped(change.text)}" for change in policy.changes[:most]),
            *_rest(len(policy.changes), "setting", most), ""]  # fmt: skip


def _mark(approval: Approval) -> str:
    return "" if approval.authenticated else f" ({UNAUTHENTICATED})"


def _what_is_approved(report: Report, promotion: Promotion) -> list[str]:
    lines = [
        "### What a yes is to",
        "",
        f"* environment {escaped(promotion.environment)}, from generation {promotion.base}, to release `{promotion.release}`",
        f"* plan `{promotion.plan}`",
        *([f"* evidence `{promotion.evidence}`"] if promotion.evidence else []),
        *([f"* policy `{promotion.policy}`"] if promotion.policy else []),
        f"* all of it: `{promotion.binding[:8]}` (`{promotion.binding}`)",
        "",
    ]
    if waits_for_an_answer(report) and report.dossier.way.is_there:
        return [*lines, *_answering(report)]
    for advice in report.head.advice:
        lines += [
            escaped(advice.text),
            *(["```console", advice.command, "```"] if advice.command else []),
            "",
        ]
    return lines


def _answering(report: Report) -> list[str]:
    """Return the links to answer with: by clicks, so that nobody needs a terminal."""
    way = report.dossier.way
    places = [f"**{link('Say yes', way.yes)}** or **{link('say no', way.no)}** in a form"] if way.yes else []
    places += [f"⋮ → Resume in {link(way.name or 'the run', way.run)}"] if way.resumes else []
    return [f"{', or '.join(places)}. It then goes on by itself.", ""]


_LASTING = frozenset(
    {Noted.IN_FULL, Noted.OTHER_KIND, Noted.FORWARD_ONLY, Noted.NEVER_IN_FULL, Noted.AT_REST}
)


def lasting_things(report: Report) -> tuple[str, ...]:
    """Return what a rollback does not bring back, in plain words: rows that are gone, what is not moved along, and what
    runs beside the queries."""
    plan, reports = report.dossier.plan, report.dossier.reports
    lasting: list[str] = []
    if plan is not None:
        lasting += [
            f"{step.name}: {note_told(step, reports)}"
            for step in plan.steps
            if step.note and step.note.kind in _LASTING and rows_gone(step, reports) != 0
        ]
        lasting += [
            f"{adopted.name}: not moved along, and gone: {', '.join(adopted.loses)}"
            for adopted in plan.adopted
            if adopted.loses
        ]
    lasting += [clipped(finding.summary, _LONGEST) for finding in report.findings if finding.gate == "safety"]
    return tuple(lasting)


def gist(report: Report, promotion: Promotion, *, with_change: bool = True) -> str:
    """Return in one line what readers of an environment find: how many relations with other rows, new ones, removed ones; of a
    single one, if `with_change`, what changes in it."""
    changed = report.changed
    parts = [f"{count(len(changed), 'relation')} with other rows or columns"] if changed else []
    parts = (
        [f"{one.name}: {_change_text(one)}" for one in changed]
        if with_change and len(changed) == 1
        else parts
    )
    parts += [f"{count(len(report.new), 'new relation')}"] if report.new else []
    parts += [f"{count(len(report.gone), 'relation')} REMOVED"] if report.gone else []
    what = "; ".join(parts) if parts else "nothing that readers see"
    owners = tuple(dict.fromkeys(_owner(one.consumer.owner) for one in report.reached))
    whom = f" for {_names(owners)}" if owners else ""
    return f"What changes in {promotion.environment}{whom}: {what}"


def _change_text(one: ChangedRelation) -> str:
    """Return what readers find changed."""
    return clipped(one.told, _LONGEST)


def _for_whom(report: Report) -> list[str]:
    """Return a line for each relation that changes, in numbers, and one for each owner, with what of theirs reads it."""
    changed = sorted(report.changed, key=lambda one: not one.readers)
    lines = [f"* {escaped(one.name)}: {escaped(_change_text(one))}" for one in changed[:_MOST]]
    lines = lines if len(changed) > 1 else []  # the line above has the only one already
    lines += _rest(len(changed), "relation")
    lines += [f"* new: {escaped(_names(report.new))}"] if report.new else []
    lines += (
        [f"* **removed:** {escaped(_names(report.gone))}; who reads it finds nothing"] if report.gone else []
    )
    owners = _by_owner(report)
    for owner, what in list(owners.items())[:_MOST]:
        lines.append(f"* **{escaped(owner)}**: {escaped(_names(what))}")
    return [*lines, *_rest(len(owners), "owner"), ""] if lines or owners else []


def _by_owner(report: Report) -> Mapping[str, list[str]]:
    by_owner: dict[str, list[str]] = {}
    for one in report.reached:
        consumer = one.consumer
        reads = f", reads {_names(one.through)}" if one.through else ""
        described = (
            f"{consumer.label or consumer.name}{f' ({consumer.kind}{reads})' if consumer.kind else ''}"
        )
        by_owner.setdefault(_owner(consumer.owner), []).append(described)
    return by_owner


def _owner(name: str) -> str:
    return name or "consumers without an owner"


def _names(names: Iterable[str]) -> str:
    all_names = tuple(names)
    rest = f" and {len(all_names) - _NAMES} more" if len(all_names) > _NAMES else ""
    return f"{', '.join(all_names[:_NAMES])}{rest}"


def _rest(number: int, what: str, most: int = _MOST) -> list[str]:
    return [f"* and {count(number - most, f'more {what}')}"] if number > most else []


def _verdict(report: Report) -> str:
    judged = [gate for gate in report.gates if gate.verdict is not None]
    if not judged:
        return "No gate was asked."
    good = sum(gate.verdict is Verdict.PASSED for gate in judged)
    others = [
        f"{gate.gate} {gate.verdict.name}"
        for gate in judged
        if gate.verdict is not None and gate.verdict is not Verdict.PASSED
    ]
    if not others:
        return f"✅ All {count(len(judged), 'gate')} passed." if len(judged) > 1 else "✅ The gate passed."
    return f"⚠️ {good} of {count(len(judged), 'gate')} passed; {escaped(_names(others))}."


def _who(report: Report) -> str:
    release = report.dossier.release
    if release is None:
        return ""
    change, commits = release.change, report.dossier.commits
    author, brought = authors(release, commits), brought_line(release, commits)
    if brought:
        what = escaped(clipped(brought, _LONGEST))
        only = f"Only **{escaped(change.subject)}**. " if release.composed else ""
        return f"{only}Written by {escaped(author)}: {what}."
    part, subject = "", change.subject
    if release.composed is not None:
        select = release.composed.select
        name = picked(select)
        part = f"Only {f'what {escaped(name)} reads' if name else f'the part {escaped(select)}'}. "
        subject = subject.partition(": ")[2] or subject
    return f"{part}Written by {escaped(author)}: {escaped(clipped(subject, _LONGEST))} (`{change.short}`)."
