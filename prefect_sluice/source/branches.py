"""Branches of a repository and of its remote: what there is, and what each points at."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.poll_rules import BranchHead
from prefect_sluice.source import git


def branch_of(repository: Path, ref: str) -> str:
    """Return the branch that a ref is, here or at a remote; of HEAD the one that is checked out; "" for anything else."""
    if not git.has(repository, ref):
        return ""
    question = ("rev-parse", "--symbolic-full-name", "--verify", "--end-of-options", ref)
    name = git.output(repository, *question).strip()
    if name.startswith("refs/heads/"):
        return name.removeprefix("refs/heads/")
    return name.removeprefix("refs/remotes/").partition("/")[2] if name.startswith("refs/remotes/") else ""


def existing_branches(repository: Path) -> frozenset[str]:
    """Return the branches that are here, and those that `origin`, or the only remote there is, has now. Fetches nothing.

    Raises BadInput when the remote does not answer, or asks for a password.
    """
    remote, where = remote_of(repository), "refs/heads/"
    names = git.output(repository, "for-each-ref", "--format=%(refname)", where).split()
    if remote:
        names += [
            line.rpartition("\t")[2]
            for line in git.output(repository, "ls-remote", "--heads", remote).splitlines()
        ]
    return frozenset(name.removeprefix(where) for name in names)


def branch_heads(repository: Path, remote: str = "") -> tuple[BranchHead, ...]:
    """Return what the branches of a remote point at ("": those that are here), the newest commit first."""
    where = f"refs/remotes/{remote}" if remote else "refs/heads"
    form = "%(objectname) %(committerdate:unix) %(symref)%00%(refname)"
    heads: list[BranchHead] = []
    for line in git.output(
        repository, "for-each-ref", "--sort=-committerdate", f"--format={form}", where
    ).splitlines():
        facts, _, ref = line.partition("\0")
        commit, seconds, *symbolic = facts.split()
        if not symbolic:  # `origin/HEAD` is another name of one of them
            at = datetime.fromtimestamp(int(seconds), UTC)
            heads.append(BranchHead(ref.removeprefix(f"{where}/"), commit, at))
    return tuple(heads)


def fetch(repository: Path) -> str:
    """Fetch what is new from `origin`, or the only remote there is; return its name, "" where there is none. Repeatable.

    Raises BadInput when the remote does not answer, or asks for a password.
    """
    remote = remote_of(repository)
    if remote:
        git.output(repository, "fetch", "--quiet", "--no-recurse-submodules", remote)
    return remote


def remote_of(repository: Path) -> str:
    """Return the remote that is fetched from: `origin`, or the only one there is; "" for none."""
    names = git.output(repository, "remote").split()
    return "origin" if "origin" in names else names[0] if len(names) == 1 else ""


def head(repository: Path, branch: str, remote: str = "") -> str:
    """Return the commit that a branch of the remote points at, else the local one. Raises BadInput when there is neither."""
    for ref in ([f"refs/remotes/{remote}/{branch}"] if remote else []) + [f"refs/heads/{branch}", branch]:
        commit = git.commit_of(repository, ref)
        if commit:
            return commit
    fix = "see which there are: git branch --all; git tag"
    raise BadInput(f"{branch!r} is not a commit, branch or tag", str(repository), fix)
