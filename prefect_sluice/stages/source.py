"""Source: from a ref in git to a change; for a refresh, what serves now; for a promotion, what serves elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import assert_never

from prefect_sluice import gates
from prefect_sluice.dbt import implementation
from prefect_sluice.dbt.profile import read_yaml
from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.release import DIRTY, Change, Release
from prefect_sluice.domain.untrusted_text import is_text
from prefect_sluice.promotions.environment_order import before
from prefect_sluice.promotions.records import opened
from prefect_sluice.promotions.request import (
    CheckRequest,
    PromoteRequest,
    RefreshRequest,
    ReleaseRequest,
    RollbackRequest,
)
from prefect_sluice.promotions.take_release import take
from prefect_sluice.promotions.work import Work, tell
from prefect_sluice.source import git
from prefect_sluice.workspace.policy_in_force import settings_path
from prefect_sluice.workspace.workspace import Environment, Workspace

_EPOCH = datetime.fromtimestamp(0, UTC)
"""A working tree has no time: with one, the same files would be another release each second."""
_FOLDERS = {
    "model-paths": ["models"], "macro-paths": ["macros"], "seed-paths": ["seeds"], "snapshot-paths": ["snapshots"],
    "test-paths": ["tests"], "analysis-paths": ["analyses"],
}  # fmt: skip


def source(work: Work) -> Work:
    """Return the work with its change. Raises BadInput (no repository, no such ref) and Refused (a dirty tree)."""
    workspace, place = opened(work)
    implementation.get_ready(place.policy.isolation)
    gates.checked(workspace.settings.gates, str(workspace.file))
    match work.request:
        case ReleaseRequest() as asked:
            return replace(work, change=_resolved(workspace, place, asked))
        case CheckRequest():
            return replace(work, change=_committed(workspace, work.request))
        case RefreshRequest():
            release = serving(workspace, place)
            return replace(work, change=release.change, release=release)
        case PromoteRequest() as asked:
            return take(work, asked)
        case RollbackRequest():
            raise TypeError("a rollback has no source: it serves what served before")
        case _ as other:
            assert_never(other)


def _resolved(workspace: Workspace, environment: Environment, request: ReleaseRequest) -> Change:
    _refuse_detour(workspace, environment)
    repository = workspace.repository
    project = workspace.project.relative_to(repository).as_posix()
    if request.dirty:
        return _dirty(repository, project, request, environment)
    return _committed(workspace, request)


def _refuse_detour(workspace: Workspace, environment: Environment) -> None:
    if environment.policy.direct == "deny":
        first = before(environment, workspace.environments)
        raise Refused(
            f"environment {environment.name!r} takes no release directly (direct: deny)",
            step=NextStep.of(
                f"release to {first or 'another'} first, then: ",
                Command.of("promote", "--to", environment.name),
            ),
        )


def serving(workspace: Workspace, environment: Environment) -> Release:
    """Return the release that the environment serves. Raises Refused when it serves none."""
    current = workspace.warehouse(environment).generation(environment.name)
    release = workspace.store.release(current.release) if current.number else None
    if release is None:
        served = "what was adopted, of no release" if current.number else "no release yet"
        raise Refused(
            f"environment {environment.name!r} serves {served}",
            step=NextStep.of("release one first: ", Command.of("release", "--env", environment.name)),
        )
    return release


def _committed(workspace: Workspace, request: ReleaseRequest | CheckRequest) -> Change:
    repository, ref = workspace.repository, request.ref
    project = workspace.project.relative_to(repository).as_posix()
    tell(f"resolving {ref}")
    change = git.resolve(repository, ref, project)
    if ref == "HEAD":
        changed = [
            path
            for path in git.uncommitted(repository, _folders(workspace.project, project))
            if Path(path).name != workspace.file.name
        ]
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise Refused(
                f"not committed: {changed[0]}{more}",
                step=NextStep.of(
                    "commit first (git add -A && git commit), or name a ref (",
                    Command.of("release", "main") if request.cause.publishes else Command.of("check", "main"),
                    "); a release to dev takes --dirty, too" if request.cause.publishes else ")",
                ),
            )
    _tell_uncommitted(repository, workspace, change)
    return change


def _tell_uncommitted(repository: Path, workspace: Workspace, change: Change) -> None:
    """Say aloud that the sluice.yml that lies here is not the one that counts."""
    name, path = workspace.file.name, settings_path(workspace, change.project)
    committed = git.content(repository, change.commit, path)
    if committed is None:
        tell(f"{name} is not in commit {change.short}: its defaults count, and nothing that is written here")
    elif committed != workspace.file.read_bytes():
        tell(f"{name} differs from the one of commit {change.short}, which is the one that counts")


def _folders(folder: Path, project: str) -> tuple[str, ...]:
    described = read_yaml(
        folder / "dbt_project.yml", "dbt project", "name its folder in sluice.yml: project: path/to/it"
    )
    inside = [str(item) for key, default in _FOLDERS.items() for item in described.get(key) or default]
    return tuple(name if project == "." else f"{project}/{name}" for name in inside)


def _dirty(repository: Path, project: str, request: ReleaseRequest, environment: Environment) -> Change:
    if environment.approvals:
        raise Refused(
            f"environment {environment.name!r} needs approvals, and takes commits only",
            "commit first: git add -A && git commit",
        )
    if request.ref != "HEAD":
        raise BadInput(
            f"a working tree has no ref, and you named {request.ref!r}",
            fix="leave out either it or --dirty",
        )
    hasher = hashlib.sha256()
    for file in git.working_tree(repository):
        hasher.update(f"{file.path}\0{file.mode}\0{len(file.content)}\0".encode() + file.content)
    return Change(
        DIRTY,
        hasher.hexdigest()[:40],
        project,
        request.actor,
        _EPOCH,
        "working tree, not committed",
        files=tuple(path for path in git.uncommitted(repository, (".",)) if is_text(path)),
    )
