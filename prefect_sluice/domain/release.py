"""Change and Release: what came out of git, and the immutable bundle made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from prefect_sluice.domain.digests import Json, digest

MANIFEST_VERSION = 1

DIRTY = "dirty"
"""What stands in place of a commit for a working tree that is released as it is."""


@dataclass(frozen=True, slots=True)
class Change:
    """A commit as Source sees it. `project` is the dbt project's folder in the repository ("." is its root).

    `commit` is the full object name, or DIRTY for a working tree released as it is (dev only);
    `files` are the paths that differ from the first parent. `at` is the author's time, UTC. `message` is the whole commit
    message, its subject included ("": there is none, or an older Sluice recorded the change); no release's id depends on
    it, since the commit's own name does.
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


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as people are told of it: whole object name, author (`Name <address>`), subject, author's time (UTC)."""

    id: str
    author: str
    subject: str
    at: datetime

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {"id": self.id, "author": self.author, "subject": self.subject, "at": self.at.isoformat()}


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
