"""A cheap look at git for a scheduled release: what a branch points at, and whether that is news for an environment."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.approvals.decide import ruling
from prefect_sluice.domain.controls import blocked, forbidding
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.lease_holder import told
from prefect_sluice.domain.poll_rules import Base, Try, known
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.promotions.controls import current
from prefect_sluice.runtime import process
from prefect_sluice.source import git
from prefect_sluice.state.lease import holder_is_dead
from prefect_sluice.workspace.workspace import Place, Workshop


@dataclass(frozen=True, slots=True)
class Seen:
    """The commit that a branch points at, and why it is not to be released now ("" if it is)."""

    commit: str
    why: str


def look(workshop: Workshop, place: Place, branch: str) -> Seen:
    """Fetch, and return what a branch points at. Runs no stage, parses nothing, opens no warehouse. Repeatable.

    Raises BadInput when the remote does not answer or has no such branch.
    """
    repository = git.root(workshop.root)
    remote = git.fetch(repository) if branch != "HEAD" else ""
    commit = git.head(repository, branch, remote)
    found = known(commit, tries(workshop, place.name), base(workshop, place.name))
    if found:
        return Seen(commit, f"nothing new on {branch}: {found}")
    return Seen(commit, _in_the_way(workshop, place, commit))


def found(workshop: Workshop, ref: str) -> str:
    """Return a ref that the repository has, fetched for it if it had not: itself, or the commit of the remote's branch.

    Raises BadInput when the remote has no such thing either.
    """
    repository = git.root(workshop.root)
    if git.has(repository, ref):
        return ref
    return git.head(repository, ref, git.fetch(repository))


def remember(workshop: Workshop, place: Place, commit: str, message: str) -> None:
    """Record that releasing a commit broke, so that it is not tried again each minute. Repeatable."""
    broken = Try(commit, State.FAILED.value, base(workshop, place.name), message)
    with workshop.store.transaction() as transaction:
        transaction.put_poll(place.name, broken)


def base(workshop: Workshop, environment: str) -> Base:
    """Return what an environment is at, as the state store knows it."""
    found = workshop.store.promotions(environment=environment)
    written = [item for item in found if item.generation is not None]
    last = max(written, key=lambda item: item.generation or 0, default=None)
    return Base(last.generation or 0, last.release) if last else Base(0, "")


def tries(workshop: Workshop, environment: str) -> tuple[Try, ...]:
    """Return what became of commits in an environment, newest first; one that broke before there was a promotion at the end."""
    store = workshop.store
    # What was put together of a part is no release of a commit.
    commits = {item.id: item.change.commit for item in store.releases() if item.composed is None}
    promotions = [item for item in store.promotions(environment=environment) if item.release in commits]
    found = tuple(
        Try(commits[item.release], item.state.value, Base(item.base, item.base_release), item.message, _decided(workshop, item))
        for item in promotions
        if item.cause in {Cause.RELEASE, Cause.PROMOTION}
    )  # fmt: skip
    broken = store.poll(environment)
    return found if broken is None else (*found, broken)


def _decided(workshop: Workshop, promotion: Promotion) -> bool:
    return promotion.state is State.STAGED and ruling(workshop, promotion).by is not None


def _in_the_way(workshop: Workshop, place: Place, commit: str) -> str:
    """Return what keeps a new commit from being released now: a hold, freeze, block or another one at work; "" if nothing."""
    there = current(workshop)
    stops = forbidding(there, Cause.RELEASE, place.name)
    if stops is not None:
        return f"{commit[:7]} is new, and waits: {stops.told}"
    bad = blocked(there)
    if any(item.id in bad for item in workshop.store.releases() if item.change.commit == commit):
        return f"{commit[:7]} is new, and its release is blocked"
    lease = workshop.store.lease(place.name)
    now, host = process.now(), process.host()
    if lease is not None and lease.expires_at > now and not holder_is_dead(lease.holder, host):
        return f"{commit[:7]} is new, and waits: {told(lease.holder)} is at work on {place.name}"
    return ""
