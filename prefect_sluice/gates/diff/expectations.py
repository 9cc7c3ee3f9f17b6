"""What the gate `diff` says of expectations themselves: those that cannot be read, name nothing, or did not come true."""

from __future__ import annotations

from collections.abc import Mapping

from prefect_sluice.diff.expected_part import parts
from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.domain.counting import did_you_mean
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.gates.base import CandidateView, ReleaseView
from prefect_sluice.gates.diff.comparison import names
from prefect_sluice.planning.expectations import CommitDeclarations, ExpectedChange

_CHECK = "expect"


def judge_expectations(
    gate: str,
    release: ReleaseView,
    candidate: CandidateView,
    said: CommitDeclarations,
    diffs: Mapping[str, RelationDiff],
) -> tuple[Finding, ...]:
    """Return a finding for each expectation that cannot be read (INCONCLUSIVE: what it was to explain, nobody knows) or that
    is of nothing or of what did not happen (WARNED). `diffs` are the differences by unique id."""
    unread = [
        Finding(
            gate,
            _CHECK,
            Verdict.INCONCLUSIVE,
            f"{item.where}: {item.problem}",
            location=item.where,
            fix="mend it: git commit --amend, or the file; then release again",
        )
        for item in said.unreadable
    ]
    empty = [(item, _why_not(item, release, candidate, diffs)) for item in said.expected]
    return (
        *unread,
        *(
            Finding(
                gate,
                _CHECK,
                Verdict.WARNED,
                f"expected {item}: {why}",
                tuple(node.unique_id for node in _meant(item, release)),
                location=item.where,
                fix="is the change complete? else take the expectation out",
            )
            for item, why in empty
            if why
        ),
    )


def _meant(item: ExpectedChange, release: ReleaseView) -> list[Node]:
    return [node for node in release.nodes.values() if item.is_of(names(node))]


def _why_not(
    item: ExpectedChange, release: ReleaseView, candidate: CandidateView, diffs: Mapping[str, RelationDiff]
) -> str:
    meant = _meant(item, release)
    if not meant:
        near = did_you_mean(item.relation, [node.short for node in release.nodes.values()])
        return "; ".join(filter(None, ("there is no such relation", near)))
    compared = [node.unique_id for node in meant if node.unique_id in diffs]
    if not compared:
        changed = [node for node in meant if node.unique_id in release.changed]
        return "it is new, or could not be compared" if changed else "the release does not change it"
    if any(_happened(item, diffs[uid]) for uid in compared):
        return ""
    columns = {column for uid in compared for column in _columns(uid, candidate)}
    if columns and not item.is_rows and not any(item.is_column(column) for column in columns):
        near = did_you_mean(item.column, sorted(columns))
        return "; ".join(filter(None, ("there is no such column", near)))
    return "nothing of it changed"


def _happened(item: ExpectedChange, diff: RelationDiff) -> bool:
    return any(part.by is item for part in parts(diff, [item]))


def _columns(uid: str, candidate: CandidateView) -> set[str]:
    assert candidate.reader is not None
    found: set[str] = set()
    for relations in (candidate.relations, candidate.live):
        try:
            found |= {column.name for column in candidate.reader.columns(relations[uid])}
        except QueryFailed:
            return set()
    return found
