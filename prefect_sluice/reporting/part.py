"""The commits that a release brings, and by whom: all since what serves, of a part its own, never the newest alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.release import DIRTY, Commit, CommitRange, Release, listed, name_alone, named_paths

_MOST = 3


def commits_of(release: Release, commits: CommitRange | None = None) -> tuple[Commit, ...]:
    """Return the commits that a release brings, newest first, as far as they are kept; () where it is its own commit alone, and
    where they are not known."""
    if commits is not None and not commits.untold:
        return () if commits.is_plain and release.composed is None else commits.comes
    return release.composed.commits if release.composed is not None else ()


def authors(release: Release, commits: CommitRange | None = None) -> str:
    """Return the authors of what a release brings, by name."""
    written = [commit.author for commit in commits_of(release, commits)] or [release.change.author]
    names = tuple(dict.fromkeys(name_alone(author) for author in written))
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{', '.join(names[:_MOST])}{more}"


def commits_line(commits: Sequence[Commit], number: int = 0, most: int = _MOST) -> str:
    """Return commits in a line, of `number` that there are: `a1b2c3d Count twice; b2c3d4e Say who paid`."""
    rest = max(number, len(commits)) - most
    more = f"; and {count(rest, 'more commit')}" if rest > 0 else ""
    return "; ".join(f"{commit.id[:7]} {commit.subject}" for commit in commits[:most]) + more


def files_of(release: Release, commits: CommitRange | None) -> tuple[tuple[str, ...], int]:
    """Return the files that a release changes, and how many there are (fewer of a long range are kept): those of all commits
    that come, of a part its own, of an old commit none; where nobody can tell which come, those of its own commit."""
    if commits is None or commits.changed < 0:
        return release.change.files, len(release.change.files)
    return commits.files, commits.changed


def changed_by(release: Release, commits: CommitRange | None) -> str:
    """Return whose the files are that a release changes: `a1b2c3d`, or `3 commits of Ada, Bob`."""
    brought = commits_of(release, commits)
    if len(brought) < 2:
        alone = "the working tree" if release.change.commit == DIRTY else release.change.short
        return brought[0].id[:7] if brought else alone
    return f"{count(max(len(brought), commits.coming if commits else 0), 'commit')} of {authors(release, commits)}"


def brought_line(release: Release, commits: CommitRange | None) -> str:
    """Return the commits that a release brings, in a line; "" where it is its own commit alone."""
    brought = commits_of(release, commits)
    return commits_line(brought, commits.coming if commits else 0) if brought else ""


def goes_line(commits: CommitRange | None) -> str:
    """Return what goes, in a line: commits, as `24ea358 Hotfix 2 (Bob)`, or the working tree that serves; "": nothing."""
    if commits is None:
        return ""
    if commits.untold:
        return f"nobody can tell: {commits.untold}"
    if commits.uncommitted:
        back = f"; back, deleted there: {named_paths(commits.back)}" if commits.back else ""
        return f"uncommitted files ({commits.uncommitted}), of which the release that serves was made{back}"
    return listed(commits.goes, commits.going) if commits.going else ""


def old_line(commits: CommitRange | None, environment: str) -> str:
    """Return what there is to say of an old commit, and how to have it as it was; "" for any other."""
    if commits is None or not commits.is_old:
        return ""
    back = f"; as it was: sluice rollback --env {environment} --to {commits.generation}"
    return (
        f"{commits.until[:7]} is an old commit: what serves has all of it{back if commits.generation else ''}"
    )


def titled(release: Release, environment: str, commits: CommitRange | None = None) -> str:
    """Return the title of a release's promotion: a part by its name and where it goes, a commit by its subject, with how many
    come with it."""
    subject = release.change.subject
    if release.composed is not None:
        return f"{subject} → {environment}"
    more = commits.coming - 1 if commits is not None else 0
    return f"{subject}, and {count(more, 'more commit')}" if more > 0 else subject
