"""Git polling for a scheduled release: the commit of a branch, and whether it is new to an environment."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.approvals.decide import ruling
from prefect_sluice.domain.controls import blocked, forbidding
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.lease_holder import holder_text
from prefect_sluice.domain.poll_rules import PollAttempt, PollBase, why_not_new
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.promotions.controls import current
from prefect_sluice.source import git
from prefect_sluice.source.branches import fetch, head
from prefect_sluice.state.lease import at_work
from prefect_sluice.workspace.workspace import Environment, Workspace


@dataclass(frozen=True, slots=True)
class PolledCommit:
    """The commit that a branch points at, and why it is not to be released now ("" if it is)."""

    commit: str
    why: str


def poll_branch(workspace: Workspace, environment: Environment, branch: str) -> PolledCommit:
    """Fetch, and return what a branch points at. Runs no stage, parses nothing, opens no warehouse. Repeatable.

    Raises BadInput when the remote does not answer or has no such branch.
    """
    repository = git.root(workspace.root)
    remote = fetch(repository) if branch != "HEAD" else ""
    commit = head(repository, branch, remote)
    why = why_not_new(commit, tries(workspace, environment.name), base(workspace, environment.name))
    if why:
        return PolledCommit(commit, f"nothing new on {branch}: {why}")
    return PolledCommit(commit, _in_the_way(workspace, environment, commit))


def fetch_ref(workspace: Workspace, ref: str) -> str:
    """Return a ref that the repository has, fetched for it if it had not: itself, or the commit of the remote's branch.

    Raises BadInput when the remote has no such thing either.
    """
    repository = git.root(workspace.root)
    if git.has(repository, ref):
        return ref
    return head(repository, ref, fetch(repository))


def remember(workspace: Workspace, environment: Environment, commit: str, message: str) -> None:
    """Record that releasing a commit broke, so that it is not tried again each minute. Repeatable."""
    broken = PollAttempt(commit, State.FAILED.value, base(workspace, environment.name), message)
    with workspace.store.transaction() as transaction:
        transaction.put_poll(environment.name, broken)


def base(workspace: Workspace, environment: str) -> PollBase:
    """Return the generation and release of an environment, as the state store has them."""
    promotions = workspace.store.promotions(environment=environment)
    written = [promotion for promotion in promotions if promotion.generation is not None]
    last = max(written, key=lambda promotion: promotion.generation or 0, default=None)
    return PollBase(last.generation or 0, last.release) if last else PollBase(0, "")


def tries(workspace: Workspace, environment: str) -> tuple[PollAttempt, ...]:
    """Return the attempts to release commits in an environment, newest first; one that broke before its promotion is the last."""
    store = workspace.store
    # What was put together of a part is no release of a commit.
    commits = {release.id: release.change.commit for release in store.releases() if release.composed is None}
    promotions = [
        promotion for promotion in store.promotions(environment=environment) if promotion.release in commits
    ]
    attempts = tuple(
        PollAttempt(
            commits[promotion.release],
            promotion.state.value,
            PollBase(promotion.base, promotion.base_release),
            promotion.message,
            _decided(workspace, promotion),
        )
        for promotion in promotions
        if promotion.cause.takes_new_code
    )
    broken = store.poll(environment)
    return attempts if broken is None else (*attempts, broken)


def _decided(workspace: Workspace, promotion: Promotion) -> bool:
    return promotion.state is State.STAGED and ruling(workspace, promotion).by is not None


def _in_the_way(workspace: Workspace, environment: Environment, commit: str) -> str:
    """Return the reason why a new commit is not released now: a hold, freeze, block or another one at work; "" if nothing."""
    there = current(workspace)
    stops = forbidding(there, Cause.RELEASE, environment.name)
    if stops is not None:
        return f"{commit[:7]} is new, and waits: {stops.told}"
    bad = blocked(there)
    if any(release.id in bad for release in workspace.store.releases() if release.change.commit == commit):
        return f"{commit[:7]} is new, and its release is blocked"
    lease = at_work(workspace.store, environment.name)
    if lease is not None:
        return f"{commit[:7]} is new, and waits: {holder_text(lease.holder)} is at work on {environment.name}"
    return ""
