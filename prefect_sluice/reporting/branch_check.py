"""The check of a branch, for the plan of the merge commit that brings it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.release import DIRTY, CommitRange, Release
from prefect_sluice.source import git
from prefect_sluice.state.records import CheckResult
from prefect_sluice.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class BranchCheck:
    """What the check of a commit came to that a merge brings. `same_files`: the merge has exactly the files of that commit, so
    that the check looked at what a release of the merge is made of; if not, the other parent changed them too."""

    result: CheckResult
    same_files: bool


def branch_check(
    workspace: Workspace, environment: str, release: Release, commits: CommitRange | None
) -> BranchCheck | None:
    """Return the check of the branch that a merge commit brings: of commits with the merge's own files, else of the newest one
    that was checked. None where the commit is no merge, or none of them was checked here, or git cannot tell. Changes nothing."""
    commit = release.change.commit
    if commits is None or commit == DIRTY or release.composed is not None:
        return None
    results = {result.commit: result for result in workspace.store.checks(environment)}
    coming = {one.id for one in commits.comes} & results.keys()
    if not coming:
        return None
    try:
        trees = _brought(workspace.repository, commit)
    except BadInput:
        return None
    wanted = trees.pop(commit, "")
    brought = [one for one in trees if one in coming]  # the newest first, as git has them
    same = [one for one in brought if trees[one] == wanted]
    first = next(iter(same or brought), "")
    return BranchCheck(results[first], bool(same)) if first else None


def _brought(repository: Path, commit: str) -> dict[str, str]:
    """Return the tree of a merge, and of each commit that it brings to its first parent, the newest first; {} for no merge."""
    parents = git.output(repository, "rev-list", "--parents", "-n", "1", commit, "--").split()[1:]
    if len(parents) < 2:
        return {}
    rows = git.output(repository, "log", "--format=%H %T", "--topo-order", commit, f"^{parents[0]}", "--")
    return dict(row.split(" ") for row in rows.splitlines())
