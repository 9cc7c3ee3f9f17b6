"""Change and Release: what came out of git, the commits between two of them, and the immutable bundle made from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from prefect_sluice.domain.digests import Json, digest

MANIFEST_VERSION = 1

DIRTY = "dirty"
"""What stands in place of a commit for a working tree that is released as it is."""


@dataclass(frozen=True, slots=True)
class Change:
    """A commit as Source sees it. `project` is the dbt project's folder in the repository ("." is its root).

    `commit` is the full object name, or DIRTY for a working tree released as it is (dev only); `files` are the paths that differ
    from the first parent, of a working tree those that differ from what is checked out (an older Sluice recorded none). `at` is
    the author's time, UTC. `message` is the whole commit message, its subject included ("": there is none, or an older Sluice
    recorded the change); no release's id depends on it, since the commit's own name does.
    """

    commit: str
    tree: str
    project: str
    author: str
    at: datetime
    subject: str
    parents: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    message: str = ""

    @property
    def short(self) -> str:
        """The first seven digits of the commit."""
        return self.commit[:7]

    def root(self, folder: Path) -> Path:
        """Return the repository's folder, of the folder that the dbt project has in it. Pure."""
        parts = PurePosixPath(self.project).parts
        return folder.parents[len(parts) - 1] if parts else folder


def name_alone(person: str) -> str:
    """Return the name of `Name <address>`. Pure."""
    return person.partition(" <")[0]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as people are told of it: whole object name, author (`Name <address>`), subject, author's time (UTC)."""

    id: str
    author: str
    subject: str
    at: datetime

    def __str__(self) -> str:
        """Return it as people are told of it: `24ea358 Hotfix 2 (Bob)`."""
        return f"{self.id[:7]} {self.subject} ({self.name})"

    @property
    def name(self) -> str:
        """Its author's name alone."""
        return name_alone(self.author)

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {"id": self.id, "author": self.author, "subject": self.subject, "at": self.at.isoformat()}


KEPT_COMMITS = 50
"""So many commits that come, and that go, are kept in a document; how many there are is told beside them."""

KEPT_FILES = 50
"""So many files that the commits that come change are kept in a document."""


@dataclass(frozen=True, slots=True)
class CommitRange:
    """What a release brings to what serves, and what it takes away, in commits, each newest first.

    `since` is the commit that serves and `until` that of the release, as whole object names. `comes` are the commits that the
    release has and what serves has not, `goes` those that serve and that it has not; `coming` and `going` count them, also where
    a document kept no more than `KEPT_COMMITS`. `again` counts commits that serve, and that the release has as other commits
    with the same change (rebased, cherry-picked): nothing of them goes. Of a part, only commits that touch its files count.
    `untold` says why git cannot tell ("": it can); both lists are then empty. `generation` is the newest that serves an old
    commit as it was and can be served again (0: there is none, or the commit is not old). `files` are the paths that all commits
    that come change together, `changed` counts them (-1: nobody looked; a part has files of its own). `uncommitted` names who
    released the working tree that serves, whose files go with it ("": what serves is a commit), and `back` are files that were
    deleted there and that the release has; nothing else is known then.
    """

    since: str
    until: str
    comes: tuple[Commit, ...] = ()
    goes: tuple[Commit, ...] = ()
    coming: int = 0
    going: int = 0
    again: int = 0
    untold: str = ""
    generation: int = 0
    files: tuple[str, ...] = ()
    changed: int = -1
    uncommitted: str = ""
    back: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, since: str, until: str, comes: Sequence[Commit], goes: Sequence[Commit], again: int = 0
    ) -> CommitRange:
        """Return the range of these commits, counted."""
        return cls(since, until, tuple(comes), tuple(goes), len(comes), len(goes), again)

    @property
    def is_old(self) -> bool:
        """Say whether the release is an old commit: what serves has all of it, and more."""
        return bool(not self.coming and self.going and not self.untold)

    @property
    def is_plain(self) -> bool:
        """Say whether the release's own commit is all that there is to tell: it comes, with a change that does not serve yet, and
        nothing else comes or goes."""
        own = self.coming <= 1 and all(commit.id == self.until for commit in self.comes)
        return own and not (self.going or self.again or self.untold or self.uncommitted)

    def document(self) -> dict[str, Json]:
        """Return it as JSON, of each list the newest commits."""
        return {
            "since": self.since,
            "until": self.until,
            "comes": [commit.document() for commit in self.comes[:KEPT_COMMITS]],
            "goes": [commit.document() for commit in self.goes[:KEPT_COMMITS]],
            "coming": self.coming,
            "going": self.going,
            "again": self.again,
            "old": self.is_old,
            "untold": self.untold,
            "generation": self.generation,
            "files": list(self.files[:KEPT_FILES]),
            "changed": self.changed,
            "uncommitted": self.uncommitted,
            "back": list(self.back),
        }

    @classmethod
    def read(cls, document: Any) -> CommitRange:
        """Read what `document` wrote."""
        comes, goes = (tuple(map(_commit, document[name])) for name in ("comes", "goes"))
        counts = (document["coming"], document["going"], document["again"])
        said = (document["untold"], document["generation"])
        files = (tuple(document.get("files", ())), document.get("changed", -1))  # an older Sluice kept none
        tree = (document.get("uncommitted", ""), tuple(document.get("back", ())))
        return cls(document["since"], document["until"], comes, goes, *counts, *said, *files, *tree)


def listed(commits: Sequence[Commit], number: int, most: int = 3) -> str:
    """Return commits in a line, the first of `number`: `24ea358 Hotfix 2 (Bob); 1f2e3d4 Hotfix 1 (Bob); and 12 more`."""
    more = f"; and {number - most} more" if number > most else ""
    return "; ".join(map(str, commits[:most])) + more


def named_paths(paths: Sequence[str], most: int = 3) -> str:
    """Return the first of some paths in a line, and how many more there are."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more


def _commit(document: Any) -> Commit:
    at = datetime.fromisoformat(document["at"])
    return Commit(document["id"], document["author"], document["subject"], at)


@dataclass(frozen=True, slots=True)
class Composed:
    """Of which two releases one was put together for an environment: the part `select` (dbt's selector) of the release
    `of`, all else as in the release `onto`. Both are ids. `commits` are those that the part brings, newest first, at most
    fifty (() where that is not known)."""

    environment: str
    of: str
    onto: str
    select: str
    commits: tuple[Commit, ...] = ()

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        more: dict[str, Json] = (
            {"commits": [commit.document() for commit in self.commits]} if self.commits else {}
        )
        return {
            "environment": self.environment, "of": self.of, "onto": self.onto, "select": self.select, **more
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Release:
    """The bundle built from a change: every file by digest, and the tools it was made for.

    `files` maps a path in the repository to "mode:sha256" (mode 644, 755 or link); `packages` does so for what git does not
    track and was installed below `dbt_packages` (empty: nothing was, or an older Sluice packed it). `id` is the digest of
    the manifest. `composed` says that it is no commit as a whole (None: it is); its change is then that of the newest commit
    which the part brings, with what the part is as its subject.
    """

    change: Change
    files: Mapping[str, str]
    tools: Mapping[str, str]
    composed: Composed | None = None
    packages: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def all_files(self) -> Mapping[str, str]:
        """Every file of the checkout: the commit's, and those of the dbt packages."""
        return {**self.files, **self.packages}

    @property
    def id(self) -> str:
        """The SHA-256 of the canonical manifest, 64 hexadecimal digits."""
        return digest(self.manifest())

    @property
    def short(self) -> str:
        """The first seven digits of the id, as people write it."""
        return self.id[:7]

    def manifest(self) -> Json:
        """Return what the id is the digest of."""
        return {
            "version": MANIFEST_VERSION,
            "commit": self.change.commit,
            "tree": self.change.tree,
            "project": self.change.project,
            "author": self.change.author,
            "at": self.change.at.isoformat(),
            "subject": self.change.subject,
            "parents": list(self.change.parents),
            "changed": list(self.change.files),
            "files": dict(self.files),
            "tools": dict(self.tools),
            # Only where there is any: the ids of all others stay what they were.
            **({"composed": self.composed.document()} if self.composed else {}),
            **({"packages": dict(self.packages)} if self.packages else {}),
        }
