"""Which commits a release brings to what serves: all since then, or, of a part, those that wrote one of its files."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.release import Change, Commit, Release
from prefect_sluice.source import git
from prefect_sluice.workspace.workspace import Workspace

_MOST_PATHS = 1_000
"""Of a part with more files every commit counts as one that wrote it: a command line has an end."""


@dataclass(frozen=True, slots=True)
class CommitRange:
    """The commits that `until` has and `since` has not, of these those that touch `paths` (() is all of them)."""

    since: str
    until: str
    paths: tuple[str, ...] = ()


def between(workspace: Workspace, release: Release, base: Release) -> CommitRange:
    """Return which commits lie between what serves and a release. Reads the state store only.

    What was put together of parts is only as new as what the parts were put on: the rest of their commits never served.
    """
    of = workspace.store.release(release.composed.of) if release.composed else None
    until = (of or release).change.commit
    return CommitRange(
        whole(workspace, base).change.commit, until, _paths(release) if release.composed else ()
    )


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
    kept = paths if len(paths) <= _MOST_PATHS else ()
    try:
        found = git.read_authorship(
            git.root(workspace.root),
            source.change.commit,
            f"^{whole(workspace, base).change.commit}",
            paths=kept,
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


def _paths(release: Release) -> tuple[str, ...]:
    return release.change.files if len(release.change.files) <= _MOST_PATHS else ()
