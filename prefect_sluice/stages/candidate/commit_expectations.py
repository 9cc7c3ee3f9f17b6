"""What the commits of a release declare of the data, read from git and from the release's own sluice.yml."""

from __future__ import annotations

from prefect_sluice import config
from prefect_sluice.config.expected_change import Expectation
from prefect_sluice.domain.errors import BadInput, ConfigInvalid
from prefect_sluice.domain.release import Release
from prefect_sluice.planning.expectations import (
    CommitDeclarations,
    ExpectedEdit,
    ExpectedLoss,
    UnreadableDeclaration,
    from_config,
    from_message,
)
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.commits import Revisions, between
from prefect_sluice.source import git
from prefect_sluice.workspace.policy_in_force import settings_text
from prefect_sluice.workspace.workspace import Workspace


def commit_declarations(workspace: Workspace, release: Release, plan: Plan) -> CommitDeclarations:
    """Return what is declared by the commits that come with this release: those that what serves now has not.

    Nothing for a refresh, whose code declared what it had to when it was released. Repeatable.
    """
    if plan.cause.renews:
        return CommitDeclarations()
    base = workspace.store.release(plan.base_release) if plan.base_release else None
    found = _written(workspace, release, base)
    # Going back to an older commit brings none that is new, and it speaks for itself.
    for commit in _new(workspace, release, base) or (_own(release),):
        found += from_message(*commit)
    return found


def edited(workspace: Workspace, release: Release, plan: Plan) -> tuple[ExpectedEdit, ...]:
    """Return the edits of published rows that the commits of this release declare.

    None for a refresh, and none of a commit that what serves has: its word is spent. Repeatable.
    """
    return _messages(workspace, release, plan).edited


def lost(workspace: Workspace, release: Release, plan: Plan) -> tuple[ExpectedLoss, ...]:
    """Return the commits that serve and are to go, as the commits of this release declare; as `edited`. Repeatable."""
    return _messages(workspace, release, plan).lost


def _messages(workspace: Workspace, release: Release, plan: Plan) -> CommitDeclarations:
    """Return what the messages of the commits that come say; nothing of a refresh, or of commits that what serves has."""
    declared = CommitDeclarations()
    if not plan.cause.renews:
        base = workspace.store.release(plan.base_release) if plan.base_release else None
        for commit in _new(workspace, release, base):
            declared += from_message(*commit)
    return declared


def _written(workspace: Workspace, release: Release, base: Release | None) -> CommitDeclarations:
    try:
        now = _expectations(workspace, release)
    except ConfigInvalid as error:
        return CommitDeclarations(unreadable=(UnreadableDeclaration(error.where, error.what),))
    try:
        before = _expectations(workspace, base) if base else ()
    except ConfigInvalid:
        before = ()  # what could not be read then has explained nothing
    return CommitDeclarations(from_config(now, before, workspace.file.name))


def _expectations(workspace: Workspace, release: Release) -> tuple[Expectation, ...]:
    text = settings_text(workspace, release)
    return () if text is None else config.expectations(text, workspace.file.name)


def _new(workspace: Workspace, release: Release, base: Release | None) -> tuple[tuple[str, str, str], ...]:
    """Return id, message and author of the commits that what serves has not; of the release's own where they cannot be told."""
    # Of a part it is not its own message that says what it does, but those of all its commits.
    if base is None or not (release.change.message or release.composed):
        return (_own(release),)
    try:
        commits = between(workspace, release, base)
        made = workspace.once.get("messages", commits, lambda: _authorship(workspace, commits))
    except BadInput:
        # Promoted where the repository is not, or rewritten meanwhile.
        return (_own(release),) if base.change.commit != release.change.commit else ()
    return tuple((item.commit, item.message, item.persons[0]) for item in made)


def _authorship(workspace: Workspace, commits: Revisions) -> tuple[git.Authorship, ...]:
    until, since = commits.until, f"^{commits.since}"
    return git.read_authorship(workspace.repository, until, since, paths=commits.paths)


def _own(release: Release) -> tuple[str, str, str]:
    return (release.change.commit, release.change.message, release.change.author)
