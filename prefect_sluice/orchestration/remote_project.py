"""A project by its git URL: one clone per URL in the user's cache folder, and a checkout of its default branch to work from."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.runtime import process
from prefect_sluice.runtime.file_modes import make_private
from prefect_sluice.source.git import IN_HOOKS
from prefect_sluice.workspace.workspace import FOLDER, Workspace

_SCHEMES = ("https", "http", "ssh", "git", "file")
_SCP = re.compile(r"[\w.-]+@[\w.-]+:(?!//)\S+")
_PATIENCE = timedelta(minutes=10)
"""How long git may take to fetch."""
_KEPT = timedelta(days=7)
"""How long the checkout of a former head stays after it was last used: a run works from one to its end."""
_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


@dataclass(eq=False)
class RemoteAway(BadInput):
    """The repository could not be fetched. It may pass by itself."""

    retry: ClassVar[bool] = True


def is_url(text: str) -> bool:
    """Say whether `text` names a git repository by URL (https://, ssh://, git@host:path, file://), not by a path."""
    return text.partition("://")[0] in _SCHEMES if "://" in text else bool(_SCP.fullmatch(text))


def mask_url(url: str) -> str:
    """Return a URL as it may be shown: without a password, a token, or what follows a question mark."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    shown = user if parts.scheme == "ssh" and ":" not in user else "***"
    query = "?***" if parts.query else ""
    return f"{parts.scheme}://{f'{shown}{at}' if at else ''}{host}{parts.path}{query}"


def current(url: str, *, fresh: bool = True) -> Path:
    """Return a checkout of the head of the URL's default branch as it is now, in a clone that has every branch and tag.

    A branch's name is what the remote calls so, `HEAD` its default branch. The folder is not changed while somebody
    works from it: another head gets another folder; both share what Sluice keeps (`.sluice`). Safe to repeat, and in
    several processes at once. Raises BadInput for a URL that holds a password, RemoteAway when git cannot fetch; with
    `fresh` False the head of the last fetch will do then.
    """
    _refuse_secrets(url)
    base = process.home() / "repositories" / _name(url)
    make_private(base)
    clone = base / "clone.git"
    with _locked(base / "lock"):
        try:
            _fetch(url, clone)
        except RemoteAway:
            if fresh or not (clone / "FETCHED").exists():
                raise
        return _checkout(url, base, clone)


def shared(url: str, folder: Path) -> Workspace:
    """Open `folder`, a checkout of `url`, once it is sure that what it names is not only on this machine.

    Raises BadInput that names the key of sluice.yml, or the dbt target, that has to say where else.
    """
    workspace = Workspace.at(folder)
    where = f"{mask_url(url)}: {workspace.file.name}"
    for key, given, example in (
        ("state", workspace.state, "postgresql://user@host/sluice"),
        ("bundles", workspace.bundles.url, "s3://bucket/sluice"),
    ):
        if "://" not in given:
            raise BadInput(
                f"{key} is a path in a clone, which no other machine sees",
                where,
                f"name one that all machines reach, such as {key}: {example}",
            )
    for environment in workspace.environments.values():
        if any(file.is_relative_to(process.home().resolve()) for file in environment.database.files):
            raise BadInput(
                f"the warehouse of {environment.name!r} is a path in a clone, which no other machine sees",
                f"{mask_url(url)}: {workspace.profile.file.name}",
                f"give target {environment.target.name!r} an absolute path, perhaps by env_var()",
            )
    return workspace


def _refuse_secrets(url: str) -> None:
    user, at, _ = (urlsplit(url).netloc if "://" in url else "").rpartition("@")
    if at and (":" in user or not url.startswith("ssh://")):
        raise BadInput(
            "the URL holds a password or a token, and would be kept where it is written",
            mask_url(url),
            "leave it out, and give it to a git credential helper on the worker",
        )


def _name(url: str) -> str:
    plain = url.rstrip("/").removesuffix(".git")
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", re.split(r"[/:]", plain)[-1])
    return f"{readable}-{hashlib.sha256(plain.encode()).hexdigest()[:12]}"


@contextmanager
def _locked(path: Path) -> Generator[None]:
    # The lock ends with the process that holds it, however that ends.
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(url: str, clone: Path) -> None:
    if not (clone / "HEAD").exists():
        shutil.rmtree(clone, ignore_errors=True)  # what a process left that died on its first step
        _git(clone.parent, url, "init", "--quiet", "--bare", clone.name)
    references = _git(clone, url, "ls-remote", "--symref", "--", url, "HEAD")
    match = re.search(r"^ref: (refs/heads/\S+)\s+HEAD$", references, re.MULTILINE)
    if match is None:
        raise BadInput(
            "the repository has no commit, or no default branch",
            mask_url(url),
            "push one: git push origin main",
        )
    _git(clone, url, "fetch", "--quiet", "--prune", "--no-write-fetch-head", "--force", "--", url, *_REFS)
    _git(clone, url, "symbolic-ref", "HEAD", match[1])
    (clone / "FETCHED").touch()


def _checkout(url: str, base: Path, clone: Path) -> Path:
    commit = _git(clone, url, "rev-parse", "--verify", "HEAD^{commit}").strip()
    heads = base / "heads"
    folder = heads / commit[:16]
    mark = heads / f"{commit[:16]}.complete"
    if not (folder.is_dir() and mark.exists()):
        shutil.rmtree(folder, ignore_errors=True)
        _git(clone, url, "worktree", "prune")
        heads.mkdir(exist_ok=True)
        _git(clone, url, "worktree", "add", "--quiet", "--force", "--detach", str(folder), commit)
        _share_state(base, clone, folder)
    mark.touch()
    _forget(heads, mark)
    return folder


def _share_state(base: Path, clone: Path, folder: Path) -> None:
    """Have every checkout of the clone use one `.sluice`: parse state and candidates outlive a head."""
    exclude = clone / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    if FOLDER not in (exclude.read_text("utf-8") if exclude.exists() else ""):
        with exclude.open("a", encoding="utf-8") as file:
            file.write(f"{FOLDER}\n")
    kept = base / "kept"
    make_private(kept)
    (folder / FOLDER).symlink_to(kept)


def _forget(heads: Path, mark: Path) -> None:
    oldest = (process.now() - _KEPT).timestamp()
    for other in heads.glob("*.complete"):
        if other != mark and other.stat().st_mtime < oldest:
            other.unlink()
            shutil.rmtree(other.with_suffix(""), ignore_errors=True)


def _git(folder: Path, url: str, *arguments: str) -> str:
    """Run git without a question to anybody, and return what it answers. Raises RemoteAway, and BadInput without git."""
    environ = {
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        **{name: value for name, value in process.environment().items() if name not in IN_HOOKS},
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES),
        "LC_ALL": "C.UTF-8",
    }
    command = ["git", "-c", f"core.hooksPath={os.devnull}", *arguments]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=_PATIENCE.total_seconds(),
        )  # fmt: skip
    except FileNotFoundError as error:
        raise BadInput("git is not installed", mask_url(url), "install git on the worker") from error
    except subprocess.TimeoutExpired as error:
        raise RemoteAway("git did not answer for ten minutes", mask_url(url), "run it again") from error
    if done.returncode:
        lines = [
            line for line in os.fsdecode(done.stderr).replace(url, mask_url(url)).splitlines() if line.strip()
        ]
        reason = next((line for line in lines if line.startswith(("fatal:", "error:", "remote:"))), "")
        raise RemoteAway(
            f"git {arguments[0]}: {reason or (lines[-1] if lines else 'failed')}",
            mask_url(url),
            "see that this user may read it on this machine: git ls-remote URL",
        )
    return os.fsdecode(done.stdout)
