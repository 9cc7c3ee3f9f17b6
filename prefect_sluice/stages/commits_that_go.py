"""Commits that serve and that a release has not: a finding of Test. Where approvals are asked for, only a commit that says so
lets them go; no setting of a gate changes that."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prefect_sluice import gates
from prefect_sluice.domain.counting import count, noun
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.release import Commit, CommitRange, Release, listed, named_paths
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict, WayPast
from prefect_sluice.planning.expectations import ExpectedLoss
from prefect_sluice.planning.plan import Plan
from prefect_sluice.source.divergence import ancestry
from prefect_sluice.stages.candidate.commit_expectations import lost
from prefect_sluice.workspace.policy_in_force import needed
from prefect_sluice.workspace.workspace import Workspace

STAGE = "test"
CHECK = "commits"


@dataclass(frozen=True, slots=True)
class CommitLoss:
    """What there is to judge: the commits that come and go; by each word that declares one the ids that it lets go; whether the
    policy asks for approvals; the fewest commits of which a word each would let all of it go (`heads`, beginnings of ids); and
    whether nothing is published (`only_checked`), so that nothing goes yet, and a branch that is behind is no fault."""

    commits: CommitRange
    words: Mapping[ExpectedLoss, frozenset[str]]
    strict: bool
    heads: tuple[str, ...] = ()
    only_checked: bool = False

    @property
    def worst(self) -> Verdict:
        """The verdict of what a release is refused for."""
        return Verdict.FAILED if self.strict and not self.only_checked else Verdict.WARNED


def report(
    workspace: Workspace, promotion: Promotion, release: Release, plan: Plan, commits: CommitRange | None
) -> tuple[GateReport, ...]:
    """Return what there is to say of commits that go as a report that nothing in sluice.yml weakens; none where there is nothing.
    Repeatable."""
    if commits is None:
        return ()
    words = lost(workspace, release, plan) if not commits.uncommitted else ()
    strict, only_checked = needed(workspace, promotion) > 0, not promotion.cause.publishes
    if commits.untold or not (commits.going or words):
        loss = CommitLoss(commits, dict.fromkeys(words, frozenset[str]()), strict, (), only_checked)
    else:
        covered = {word: _covered(workspace, commits, word) for word in words}
        rest = _rest(commits, covered)
        loss = CommitLoss(commits, covered, strict, tuple(_heads(workspace, commits, rest)), only_checked)
    findings = tuple(judge(loss, plan.environment))
    return (gates.redact_report(GateReport(STAGE, findings)),) if findings else ()


def judge(loss: CommitLoss, environment: str) -> Iterator[Finding]:
    """Yield the findings: what goes, or that nobody can tell; and each word that speaks of nothing. Pure."""
    commits = loss.commits
    if commits.untold or commits.uncommitted:
        yield _unknown(loss) if commits.untold else _uncommitted(commits)
        return
    rest = _rest(commits, loss.words)
    if rest:
        yield _undeclared(loss, rest, environment)
    elif commits.going:
        words = ", ".join(word.words for word, ids in loss.words.items() if ids)
        sentence = f"{_sentence(commits, commits.goes)}, as {words} declares"
        yield Finding(
            STAGE,
            CHECK,
            Verdict.WARNED,
            sentence,
            observed=commits.going,
            limit=commits.going,
            evidence=_rows(commits.goes),
        )
    for word in (word for word, ids in loss.words.items() if not ids):
        sentence = f"{word.where} says that commit {word.commit} goes: it does not, or it does not serve"
        yield Finding(STAGE, CHECK, Verdict.WARNED, sentence, location=word.where)


def _undeclared(loss: CommitLoss, rest: Sequence[Commit], environment: str) -> Finding:
    return Finding(
        STAGE,
        CHECK,
        loss.worst,
        _sentence(loss.commits, rest)
        + (", and no commit says so" if not loss.commits.is_old else "")
        + ("; a release of it is refused" if loss.strict and loss.only_checked else ""),
        observed=len(rest),
        limit=0,
        evidence=_rows(rest),
        fix=_back(loss, environment) if loss.commits.is_old else _way(loss.heads),
        way_past=WayPast.NAMED,
    )


def _unknown(loss: CommitLoss) -> Finding:
    commits = loss.commits
    sentence = f"whether commits go cannot be told: {commits.untold}"
    word = next((word for word in loss.words if commits.since.startswith(word.commit)), None)
    return Finding(
        STAGE,
        CHECK,
        Verdict.WARNED if word else min(Verdict.INCONCLUSIVE, loss.worst),
        f"{sentence}; {word.words} declares it" if word else sentence,
        fix="release from a clone that has all commits (git fetch --unshallow); if what serves is gone for good, say so in a"
        f" commit message: {_line(commits.since[:7])}",
        way_past=WayPast.NAMED,
    )


def _uncommitted(commits: CommitRange) -> Finding:
    back = f"; deleted there, and would be back: {named_paths(commits.back)}" if commits.back else ""
    return Finding(
        STAGE,
        CHECK,
        Verdict.WARNED,
        f"what serves was made of uncommitted files ({commits.uncommitted}), and {commits.until[:7]} is not: they would go{back}",
        fix="commit those that are to stay, and release that",
    )


def _sentence(commits: CommitRange, gone: Sequence[Commit]) -> str:
    new = commits.until[:7]
    many = count(len(gone), "commit")
    named = listed(gone, len(gone))
    if commits.is_old:
        return f"{new} is an old commit: {many} that came after it would go: {named}"
    are = noun(len(gone), "is", "are")
    return f"{many} of what serves {are} not in {new}, and would go: {named}"


def _rows(gone: Sequence[Commit]) -> Evidence:
    rows = tuple(
        (commit.id[:7], commit.name, f"{commit.at:%Y-%m-%d %H:%M}", commit.subject) for commit in gone
    )
    return Evidence(("commit", "author", "at", "subject"), rows[:EVIDENCE_ROWS], len(gone))


def _back(loss: CommitLoss, environment: str) -> str:
    undo = f"to undo a single commit by a new one: git revert {loss.commits.goes[0].id[:7]}"
    if not loss.commits.generation:
        return f"{undo}; no generation that served {loss.commits.until[:7]} is kept"
    return f"serve it as it was, without a build: sluice rollback --env {environment} --to {loss.commits.generation}; {undo}"


def _way(heads: Sequence[str]) -> str:
    lines = ", ".join(map(_line, heads))
    return f"take them along: git merge {' '.join(heads)}; if they are to go, say so in a commit message: {lines}"


def _line(commit: str) -> str:
    return f"Expect: {commit} goes (why)"


def _rest(commits: CommitRange, words: Mapping[ExpectedLoss, Collection[str]]) -> tuple[Commit, ...]:
    declared = {commit for ids in words.values() for commit in ids}
    return tuple(commit for commit in commits.goes if commit.id not in declared)


def _covered(workspace: Workspace, commits: CommitRange, word: ExpectedLoss) -> frozenset[str]:
    """Return the commits that a word lets go: the one that it names, and those above it."""
    named = [commit.id for commit in commits.goes if commit.id.startswith(word.commit)]
    return _above(workspace, named[0], commits) if len(named) == 1 else frozenset()


def _above(workspace: Workspace, commit: str, commits: CommitRange) -> frozenset[str]:
    return ancestry(workspace.repository, commit, commits.until)


def _heads(workspace: Workspace, commits: CommitRange, rest: Sequence[Commit]) -> Iterator[str]:
    """Yield the fewest commits, the newest first, that have all others above them."""
    left = [commit.id for commit in rest]
    while left:
        yield left[0][:7]
        above = _above(workspace, left[0], commits)
        left = [commit for commit in left if commit not in above]
