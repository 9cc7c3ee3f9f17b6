"""The name of a promoted part, its commits and their authors: its own, never the newest commit of all. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.release import Commit, Release

_MOST = 3


def commits_of(release: Release) -> tuple[Commit, ...]:
    """Return the commits that a part brings, newest first; () of a whole commit, and where they are not known."""
    return release.composed.commits if release.composed is not None else ()


def authors(release: Release) -> str:
    """Return the authors of what a release brings, by name: of a part, those of its own commits."""
    written = [commit.author for commit in commits_of(release)] or [release.change.author]
    names = tuple(dict.fromkeys(author.partition(" <")[0] for author in written))
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{', '.join(names[:_MOST])}{more}"


def commits_line(commits: Sequence[Commit], most: int = _MOST) -> str:
    """Return commits in a line: `a1b2c3d Count twice; b2c3d4e Say who paid`."""
    more = f"; and {count(len(commits) - most, 'more commit')}" if len(commits) > most else ""
    return "; ".join(f"{commit.id[:7]} {commit.subject}" for commit in commits[:most]) + more


def titled(release: Release, environment: str) -> str:
    """Return the title of a release's promotion: a part by its name and where it goes, a commit by its subject."""
    subject = release.change.subject
    return f"{subject} → {environment}" if release.composed is not None else subject
