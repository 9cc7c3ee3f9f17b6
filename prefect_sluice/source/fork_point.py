"""Where a commit left a branch: the newest commit that both have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.source import git
from prefect_sluice.source.branches import remote_of

_WHOLE = "fetch its whole history: git fetch --unshallow; in a job of GitHub fetch-depth: 0, of GitLab GIT_DEPTH: 0"


@dataclass(frozen=True, slots=True)
class ForkPoint:
    """Where a commit left a branch. `ref` is the branch as it was named, `head` the commit that it is at, `commit` the newest one
    that both have; `others` are more such commits, none above another: each was merged into the other."""

    ref: str
    head: str
    commit: str
    others: tuple[str, ...] = ()


def fork_point(repository: Path, ref: str, commit: str) -> ForkPoint:
    """Return where a commit left the branch `ref`: one that is here, else one of the remote. Repeatable.

    Raises BadInput where there is no such ref, nothing that both have, or not the history that it takes to tell.
    """
    head = _head(repository, ref)
    base, *others = git.merge_bases(repository, head, commit) or ("",)
    if git.is_shallow(repository) and (
        not base or any(git.is_cut(repository, base, other) for other in (head, commit))
    ):
        what = f"this clone is shallow, and does not tell where {commit[:7]} left {ref}"
        raise BadInput(what, "--base", _WHOLE)
    if not base:
        what = f"{ref} ({head[:7]}) and {commit[:7]} have no common ancestor"
        raise BadInput(what, "--base", "name the branch that it was made from")
    return ForkPoint(ref, head, base, tuple(others))


def _head(repository: Path, ref: str) -> str:
    remote = remote_of(repository)
    here = next(
        (name for name in (ref, f"{remote}/{ref}" if remote else "") if name and git.has(repository, name)),
        "",
    )
    if not here and git.is_shallow(repository):
        raise BadInput(f"{ref!r} is not in this clone, which is shallow", "--base", _WHOLE)
    return git.resolve(repository, here or ref, "").commit
