"""Which commits a release brings to what serves, and which it takes away: of a part, those that wrote one of its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.release import DIRTY, Change, Commit, CommitRange, Release, name_alone
from prefect_sluice.planning.plan import Plan
from prefect_sluice.source import git
from prefect_sluice.source.divergence import Divergence, changed_files, diverged
from prefect_sluice.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Revisions:
    """The commits that `until` has and `since` has not, of these those that touch `paths` (() is all of them)."""

    since: str
    until: str
    paths: tuple[str, ...] = ()


def between(workspace: Workspace, release: Release, base: Release) -> Revisions:
    """Return which commits lie between what serves and a release. Reads the state store only.

    What was put together of parts is only as new as what the parts were put on: the rest of their commits never served.
    """
    return Revisions(
        whole(workspace, base).change.commit,
        _source(workspace, release).change.commit,
        release.change.files if release.composed else (),
    )


def commit_range(workspace: Workspace, plan: Plan, release: Release) -> CommitRange | None:
    """Return the commits that come and go with a release by its plan; None where there is no such thing: nothing serves, a
    working tree comes, or both are one commit. Of a working tree that serves it says that its files go. Repeatable."""
    base = workspace.store.release(plan.base_release) if plan.base_release else None
    if base is None or base.id == release.id:
        return None
    served = whole(workspace, base)
    if served.change.commit == DIRTY:
        return _uncommitted(served, release)
    commits = _range(workspace, release, base)
    if commits is None or not commits.is_old:
        return commits
    return replace(commits, generation=_generation(workspace, plan, commits.until))


def _uncommitted(base: Release, release: Release) -> CommitRange | None:
    """Return that the uncommitted files that serve go, and which files come back that were deleted there; None where the release
    has all of them and no more of what was deleted, is of a part, or a working tree."""
    commit = release.change.commit
    kept = base.files.items() <= release.files.items()
    back = tuple(path for path in base.change.files if path in release.files and path not in base.files)
    if (kept and not back) or commit == DIRTY or release.composed is not None:
        return None
    whose = name_alone(base.change.author) or "nobody knows whose"
    return CommitRange(DIRTY, commit, uncommitted=whose, back=back)


def _range(workspace: Workspace, release: Release, base: Release) -> CommitRange | None:
    revisions = between(workspace, release, base)
    since, until = revisions.since, revisions.until
    layers = tuple(_served(workspace, base, revisions))
    if DIRTY in {since, until} or not layers:
        return None
    try:
        repository = workspace.repository
        both_ways = (
            missing(repository, layer.since, until) or _cut(repository, until, layer.since)
            for layer in layers
        )
        untold = next(filter(None, both_ways), "")
        if untold:
            return CommitRange(since, until, untold=untold)
        divergences = [diverged(repository, layer.since, until, layer.paths) for layer in layers]
        # Of what a part brought only what goes is revisions for: the whole commit below tells what comes.
        comes = divergences[-1].comes if layers[-1] == revisions else ()
        files = changed_files(repository, since, until) if comes else ()
    except BadInput as error:
        return CommitRange(since, until, untold=error.problem)
    again = sum(divergence.again for divergence in divergences)
    commits = CommitRange.of(since, until, comes, _each_once(divergences), again)
    return commits if release.composed else replace(commits, files=files, changed=len(files))


def _generation(workspace: Workspace, plan: Plan, commit: str) -> int:
    """Return the newest generation that serves this commit whole, and can be served again; 0 if there is none."""
    place = workspace.environment(plan.environment)
    for generation in workspace.warehouse(place).history(place.name):
        release = workspace.store.release(generation.release)
        of_it = release is not None and release.composed is None and release.change.commit == commit
        if of_it and generation.number != plan.base and not generation.collected_at:
            return generation.number
    return 0


def _each_once(divergences: Sequence[Divergence]) -> tuple[Commit, ...]:
    return tuple({commit.id: commit for divergence in divergences for commit in divergence.goes}.values())


def _served(workspace: Workspace, base: Release, new: Revisions) -> Iterator[Revisions]:
    """Yield what serves, as far as a release can be other than it: each part, the last one first, and the whole commit below."""
    while base.composed is not None:
        files = tuple(path for path in base.change.files if not new.paths or path in new.paths)
        part = _source(workspace, base).change.commit
        if files and part != new.until:
            yield Revisions(part, new.until, files)
        under = workspace.store.release(base.composed.onto)
        if under is None:
            return
        base = under
    if new.since != new.until:
        yield new


def _source(workspace: Workspace, release: Release) -> Release:
    """Return the release that a part was taken from; itself, where it is no part."""
    of = workspace.store.release(release.composed.of) if release.composed else None
    return of or release


def missing(repository: Path, since: str, until: str) -> str:
    """Return in words what is missing of the commits that two differ in; "" where all are here."""
    for commit in (since, until):
        if not git.has(repository, commit):
            return f"commit {commit[:7]} is not in this clone"
    return _cut(repository, since, until)


def _cut(repository: Path, since: str, until: str) -> str:
    if git.is_cut(repository, since, until):
        return f"this clone is shallow, and has not all commits between {since[:7]} and {until[:7]}"
    return ""


def whole(workspace: Workspace, release: Release) -> Release:
    """Return the release of a whole commit that all parts of this one were put on; itself, where it is no part."""
    while release.composed is not None:
        under = workspace.store.release(release.composed.onto)
        if under is None:
            return release
        release = under
    return release


def written_as_part(
    workspace: Workspace, source: Release, base: Release, paths: tuple[str, ...]
) -> tuple[Commit, ...]:
    """Return the commits that a part of `source`, put on `base`, brings, newest first: those that touch its files since then.

    () where they cannot be told: they are not in this clone, or the source is no commit.
    """
    try:
        found = git.read_authorship(
            workspace.repository,
            source.change.commit,
            f"^{whole(workspace, base).change.commit}",
            paths=paths,
        )
    except BadInput:
        return ()
    return tuple(Commit(item.commit, item.persons[0], item.subject, item.at) for item in found)


def as_part(source: Change, found: tuple[Commit, ...]) -> Change:
    """Return a change as that of a part: by its newest commit, as far as that is known. Pure."""
    if not found:
        return source
    newest = found[0]
    return Change(newest.id, source.tree, source.project, newest.author, newest.at, newest.subject)
