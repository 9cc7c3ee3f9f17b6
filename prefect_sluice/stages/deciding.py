"""Whose word counts for a promotion: sluice.yml, the history in git and the state store put together for the policy."""

from __future__ import annotations

from contextlib import suppress

from prefect_sluice import approving, git, surroundings
from prefect_sluice.approving import Objection, Policy, Ruling, co_authors
from prefect_sluice.attesting import APPROVAL_GIVEN, is_attested
from prefect_sluice.errors import BadInput
from prefect_sluice.ledger import Entry
from prefect_sluice.promotion import Approval, Decision, Promotion
from prefect_sluice.workshop import Workshop


def objection(workshop: Workshop, promotion: Promotion, decision: Decision, by: str) -> Objection | None:
    """Return why this person may not say this to the promotion; None if they may. The one place that is asked, by all ways."""
    return approving.objection(policy_of(workshop, promotion), decision, by)


def policy_of(workshop: Workshop, promotion: Promotion) -> Policy:
    """Return who may say yes to a promotion, by what sluice.yml and git say now."""
    policy = workshop.place(promotion.environment).policy
    authors = () if policy.self_approval == "allow" else authors_of(workshop, promotion)
    return Policy(promotion.environment, policy.approvers, authors)


def authors_of(workshop: Workshop, promotion: Promotion) -> tuple[str, ...]:
    """Return who wrote what a promotion changes: of each commit since the release that it starts from, as far as git knows.

    Of a first release it is the commit's own author and co-authors, of a refresh nobody.
    """
    release = workshop.store.release(promotion.release)
    base = workshop.store.release(promotion.base_release)
    if release is None or (base is not None and base.change.commit == release.change.commit):
        return ()
    change = release.change
    found = [(change.author, change.message)]
    if base is not None:
        # In another clone, or a shallow one, the release's own author is all that is known.
        with suppress(BadInput):
            found += git.authors(git.root(workshop.root), base.change.commit, change.commit)
    named = [person for author, message in found for person in (author, *co_authors(message))]
    return tuple(dict.fromkeys(named))


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

    return approving.rule(promotion, approvals, surroundings.now(), objects)


def given(workshop: Workshop, promotion: Promotion) -> tuple[Entry, ...]:
    """Return the ledger's entries of every yes and no in a promotion's environment: an approval without one does not count."""
    return workshop.store.entries(environment=promotion.environment, event=APPROVAL_GIVEN)


def is_overdue(workshop: Workshop, promotion: Promotion) -> bool:
    """Say whether a promotion has waited for longer than its environment says, and nobody has decided."""
    waits = workshop.place(promotion.environment).policy.waits
    if not approving.overdue(promotion, waits, surroundings.now()):
        return False
    return ruling(workshop, promotion).by is None


def waited(workshop: Workshop, promotion: Promotion) -> str:
    """Return in words for how long a promotion may wait."""
    seconds = int(workshop.place(promotion.environment).policy.waits.total_seconds())
    size, unit = next((n, u) for n, u in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if not seconds % n)
    return f"{seconds // size}{unit}"
