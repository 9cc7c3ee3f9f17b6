"""Whose word counts for a promotion: sluice.yml, the history in git and the state store put together for the policy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefect_sluice.approvals import policy as approving
from prefect_sluice.approvals.policy import Objection, Policy, Ruling, aliases, co_authors
from prefect_sluice.audit.attestation import APPROVAL_GIVEN, is_attested
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.ledger import Entry
from prefect_sluice.domain.promotion import Approval, Decision, Promotion
from prefect_sluice.domain.release import Release
from prefect_sluice.promotions.commits import between
from prefect_sluice.runtime import process
from prefect_sluice.source import git
from prefect_sluice.workspace.policy_in_force import rules_of
from prefect_sluice.workspace.workspace import Workshop


def objection(workshop: Workshop, promotion: Promotion, decision: Decision, by: str) -> Objection | None:
    """Return why this person may not say this to the promotion; None if they may. The one place that is asked, by all ways."""
    return approving.objection(policy_of(workshop, promotion), decision, by)


def policy_of(workshop: Workshop, promotion: Promotion) -> Policy:
    """Return who may say yes to a promotion, by the policy that judges it and by what git says now."""
    policy = rules_of(workshop, promotion).own
    if policy.self_approval == "allow":
        return Policy(promotion.environment, policy.approvers)
    found = authors_of(workshop, promotion)
    return Policy(promotion.environment, policy.approvers, found.persons, found.untold)


@dataclass(frozen=True, slots=True)
class Authors:
    """Who wrote a change, as `Name <address>`; `untold` says why it may be others, too ("": it is not)."""

    persons: tuple[str, ...] = ()
    untold: str = ""


def authors_of(workshop: Workshop, promotion: Promotion) -> Authors:
    """Return who wrote what a promotion changes: author, committer and co-authors of each commit that it brings to what it
    starts from, by each name and address that the .mailmap of the one or the other release gives them.

    Of a first release it is the commit's own, of a refresh nobody. Where the commits are not all here, everybody counts who
    wrote one that is, and that there may be others is said. A .mailmap of the change can only make more people authors.
    """
    release = workshop.store.release(promotion.release)
    base = workshop.store.release(promotion.base_release)
    if release is None or (base is not None and base.id == release.id):
        return Authors()
    change = release.change
    found = between(workshop, release, base) if base is not None else None
    if found is not None and found.since == found.until:
        return Authors()
    made = [git.Made((change.author,), change.message)]
    untold = ""
    try:
        repository = git.root(workshop.root)
        if found is None:
            made += git.made(repository, f"{change.commit}^!")
        else:
            untold = _missing(repository, found.since, found.until)
            since = () if untold else (f"^{found.since}",)
            made += git.made(repository, found.until, *since, paths=found.paths)
    except BadInput as error:
        untold = untold or ("" if found is None else str(error).partition(";")[0])
    named = [person for item in made for person in (*item.persons, *co_authors(item.message))]
    maps = [text for item in (release, base) if item is not None and (text := _mailmap(workshop, item))]
    others = [alias for text in maps for person in dict.fromkeys(named) for alias in aliases(person, text)]
    return Authors(tuple(dict.fromkeys((*named, *others))), untold)


def _missing(repository: Path, since: str, until: str) -> str:
    """Return in words what is missing of the commits between two; "" where all are here."""
    for commit in (since, until):
        if not git.has(repository, commit):
            return f"commit {commit[:7]} is not in this clone"
    if git.is_cut(repository, since, until):
        return f"this clone is shallow, and has not all commits between {since[:7]} and {until[:7]}"
    return ""


def _mailmap(workshop: Workshop, release: Release) -> str:
    entry = release.files.get(".mailmap", "link:")
    mode, _, key = entry.partition(":")
    return "" if mode == "link" else workshop.bundles.get(key).decode(errors="replace")


def ruling(workshop: Workshop, promotion: Promotion) -> Ruling:
    """Return what the recorded approvals of a promotion come to, by today's policy."""
    approvals = workshop.store.approvals(promotion.id)
    if not approvals:
        return Ruling(None)
    policy = policy_of(workshop, promotion)
    entries = given(workshop, promotion)

    def objects(approval: Approval) -> str:
        if not is_attested(approval, entries):
            return "the ledger has no entry of it"
        found = approving.objection(policy, approval.decision, approval.by)
        return found.why if found else ""

    return approving.rule(promotion, approvals, process.now(), objects)


def given(workshop: Workshop, promotion: Promotion) -> tuple[Entry, ...]:
    """Return the ledger's entries of every yes and no in a promotion's environment: an approval without one does not count."""
    return workshop.store.entries(environment=promotion.environment, event=APPROVAL_GIVEN)


def is_overdue(workshop: Workshop, promotion: Promotion) -> bool:
    """Say whether a promotion has waited for longer than its environment says, and nobody has decided."""
    waits = rules_of(workshop, promotion).own.waits
    if not approving.overdue(promotion, waits, process.now()):
        return False
    return ruling(workshop, promotion).by is None


def waited(workshop: Workshop, promotion: Promotion) -> str:
    """Return in words for how long a promotion may wait."""
    seconds = int(rules_of(workshop, promotion).own.waits.total_seconds())
    size, unit = next((n, u) for n, u in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if not seconds % n)
    return f"{seconds // size}{unit}"
