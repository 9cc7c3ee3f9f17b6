"""Key points for whoever decides, in a few lines: what stopped it, what changes, which names are new or removed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.node import short_name
from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.reporting.base_words import base_text
from prefect_sluice.reporting.part import goes_line
from prefect_sluice.reporting.report.limits import clipped
from prefect_sluice.reporting.report.model import ChangedRelation, GateRow, KeyPoint, ReleaseRecord
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.policy import policy_change_lines, policy_sentence

_MOST = 3
_GATES = 6
"""So many gates that stopped it are each seen with a finding, if need be beyond the others' number."""
_LONGEST = 200


def points(
    gates: Sequence[GateRow],
    findings: Sequence[Finding],
    changed: Sequence[ChangedRelation],
    new: Sequence[str],
    gone: Sequence[str],
) -> tuple[KeyPoint, ...]:
    """Return the points, the worst first; of each sort a few, and how many more there are."""
    stopped = _stopped(gates, findings, changed)
    shown = {id(point.finding) for point in stopped}
    return (
        *stopped,
        *_removed(gone),
        *_changes([(n, one) for n, one in enumerate(changed, 1) if id(one.finding) not in shown]),
        *_new(new),
    )


def policy_points(record: ReleaseRecord) -> tuple[KeyPoint, ...]:
    """Return what the promotion changes of its environment's policy: nobody may say yes to that without seeing it."""
    changes = record.policy.changes if record.policy is not None else ()
    if not changes:
        return ()
    text = f"{policy_sentence(record.policy)} {'; '.join(policy_change_lines(record.policy))}"
    style = Style.BAD if any(change.weaker for change in changes) else Style.WARN
    return (KeyPoint("policy", text, "approvals", style),)


def commit_points(record: ReleaseRecord) -> tuple[KeyPoint, ...]:
    """Return the commits that go with it: nobody may say yes to that without seeing it."""
    goes = goes_line(record.commits)
    return (KeyPoint("goes", goes, "approvals", Style.BAD),) if goes else ()


def base_points(record: ReleaseRecord) -> tuple[KeyPoint, ...]:
    """Return what of it is of its branch, where that was asked: a reviewer looks at that first."""
    base = record.base
    return (KeyPoint("beside", base_text(base), "plan"),) if base is not None else ()


def _stopped(
    gates: Sequence[GateRow], findings: Sequence[Finding], changed: Sequence[ChangedRelation]
) -> list[KeyPoint]:
    """Return the findings that did not pass; a warning of the diff stands with its change."""
    only_warn = {gate.gate for gate in gates if gate.only_warns}
    numbered = [
        (number, finding)
        for number, finding in enumerate(findings, 1)
        if not (finding.gate == "diff" and finding.verdict is Verdict.WARNED)
    ]
    holding = {finding.gate for _, finding in numbered if _style(finding, only_warn) is Style.BAD}
    lines = [
        _finding_point(number, finding, changed, _style(finding, only_warn))
        for number, finding in _each_gate_first(numbered, only_warn)[: max(_MOST, min(len(holding), _GATES))]
    ]
    rest = len(numbered) - len(lines)
    return [*lines, KeyPoint("", f"and {count(rest, 'more finding')}", "findings")] if rest else lines


def _each_gate_first(
    numbered: Sequence[tuple[int, Finding]], only_warn: set[str]
) -> Sequence[tuple[int, Finding]]:
    """Return findings in an order in which the worst of each stopping gate comes before the second of any."""
    seen: Counter[str] = Counter()
    ranks: dict[int, tuple[bool, int]] = {}
    for number, finding in numbered:
        ranks[number] = (_style(finding, only_warn) is not Style.BAD, seen[finding.gate])
        seen[finding.gate] += 1
    return sorted(numbered, key=lambda one: ranks[one[0]])


def _finding_point(
    number: int, finding: Finding, changed: Sequence[ChangedRelation], style: Style
) -> KeyPoint:
    one = next((one for one in changed if one.finding is finding), None)
    said, after = (one.told, f"; {_readers(one.readers)}") if one else (_finding_text(finding), "")
    return KeyPoint(
        f"{finding.gate} {finding.check}",
        clipped(said, _LONGEST) + after,
        f"finding-{number}",
        style,
        finding,
        whole=len(said) <= _LONGEST,
    )


def _finding_text(finding: Finding) -> str:
    """Return the summary of a finding, with the name of its subject where neither summary nor check names it."""
    name = short_name(finding.subjects[0]) if len(finding.subjects) == 1 else ""
    named = not name or name in finding.summary or name in finding.check
    return finding.summary if named else f"{name}: {finding.summary}"


def _style(finding: Finding, only_warn: set[str]) -> Style:
    return Style.WARN if finding.verdict.lets_through or finding.gate in only_warn else Style.BAD


def _changes(changed: Sequence[tuple[int, ChangedRelation]]) -> list[KeyPoint]:
    """Return the changes, those that somebody reads first."""
    lines = [
        KeyPoint(
            one.name,
            f"{one.told}; {_readers(one.readers)}",
            f"diff-{number}",
            _change_style(one),
            one.finding,
        )
        for number, one in sorted(changed, key=lambda numbered: not numbered[1].readers)[:_MOST]
    ]
    rest = len(changed) - len(lines)
    return (
        [*lines, KeyPoint("", f"and {count(rest, 'more relation')} with other rows", "changes")]
        if rest
        else lines
    )


def _change_style(one: ChangedRelation) -> Style:
    verdict = one.finding.verdict
    return Style.PLAIN if verdict is Verdict.PASSED else Style.WARN if verdict.lets_through else Style.BAD


def _readers(names: Sequence[str]) -> str:
    if not names:
        return "no declared consumer reads it"
    rest = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"read by {', '.join(names[:_MOST])}{rest}"


def _new(new: Sequence[str]) -> list[KeyPoint]:
    return [KeyPoint(count(len(new), "new relation"), _names(new), "changes")] if new else []


def _removed(gone: Sequence[str]) -> list[KeyPoint]:
    return (
        [KeyPoint(count(len(gone), "relation") + " removed", _names(gone), "changes", Style.WARN)]
        if gone
        else []
    )


def _names(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{', '.join(names[:_MOST])}{rest}"
