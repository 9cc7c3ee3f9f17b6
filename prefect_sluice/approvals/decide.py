"""The approvers of a promotion: the policy, from sluice.yml, the history in git and the state store together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefect_sluice.approvals import approval_policy as approving
from prefect_sluice.approvals.approval_policy import (
    ApprovalPolicy,
    ApprovalRuling,
    Objection,
    aliases,
    co_authors,
)
from prefect_sluice.approvals.attempts import waits_since
from prefect_sluice.approvals.compare_attempts import compare_attempts
from prefect_sluice.audit.attestation import APPROVAL_KEPT, APPROVALS, is_attested, kept_as
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.promotion import Approval, Decision, Promotion
from prefect_sluice.domain.release import Release
from prefect_sluice.promotions.commits import between, missing
from prefect_sluice.runtime import process
from prefect_sluice.source import git
from prefect_sluice.workspace.policy_in_force import rules_of
from prefect_sluice.workspace.workspace import Workspace


def objection(workspace: Workspace, promotion: Promotion, decision: Decision, by: str) -> Objection | None:
    """Return why this person may not say this to the promotion; None if they may. The one place that is asked, by all ways."""
    return approving.objection(policy_of(workspace, promotion), decision, by)


def policy_of(workspace: Workspace, promotion: Promotion) -> ApprovalPolicy:
    """Return who may say yes to a promotion, by the policy that judges it and by what git says now."""
    policy = rules_of(workspace, promotion).own
    if policy.self_approval == "allow":
        return ApprovalPolicy(promotion.environment, policy.approvers)
    authors = authors_of(workspace, promotion)
    return ApprovalPolicy(promotion.environment, policy.approvers, authors.persons, authors.untold)


@dataclass(frozen=True, slots=True)
class Authors:
    """Who wrote a change, as `Name <address>`; `untold` says why it may be others, too ("": it is not)."""

    persons: tuple[str, ...] = ()
    untold: str = ""


def authors_of(workspace: Workspace, promotion: Promotion) -> Authors:
    """Return who wrote what a promotion changes: author, committer and co-authors of each commit that it brings to what it
    starts from, by each name and address that the .mailmap of the one or the other release gives them.

    Of a first release it is the commit's own, of a refresh nobody. Where the commits are not all here, everybody counts who
    wrote one that is, and that there may be others is said. A .mailmap of the change can only make more people authors.
    """
    release = workspace.store.release(promotion.release)
    base = workspace.store.release(promotion.base_release)
    if release is None or (base is not None and base.id == release.id):
        return Authors()
    change = release.change
    commits = between(workspace, release, base) if base is not None else None
    if commits is not None and commits.since == commits.until:
        return Authors()
    made = [git.Authorship((change.author,), change.message)]
    untold = ""
    try:
        repository = workspace.repository
        if commits is None:
            made += git.read_authorship(repository, f"{change.commit}^!")
        else:
            untold = missing(repository, commits.since, commits.until)
            since = () if untold else (f"^{commits.since}",)
            made += git.read_authorship(repository, commits.until, *since, paths=commits.paths)
    except BadInput as error:
        untold = untold or ("" if commits is None else error.problem)
    named = [
        person for authorship in made for person in (*authorship.persons, *co_authors(authorship.message))
    ]
    maps = [
        text
        for mapped_release in (release, base)
        if mapped_release is not None and (text := _mailmap(workspace, mapped_release))
    ]
    others = [alias for text in maps for person in dict.fromkeys(named) for alias in aliases(person, text)]
    return Authors(tuple(dict.fromkeys((*named, *others))), untold)


def _mailmap(workspace: Workspace, release: Release) -> str:
    entry = release.files.get(".mailmap", "link:")
    mode, _, key = entry.partition(":")
    return "" if mode == "link" else workspace.bundles.get(key).decode(errors="replace")


def ruling(workspace: Workspace, promotion: Promotion) -> ApprovalRuling:
    """Return what the recorded approvals of a promotion decide, by today's policy."""
    approvals = workspace.store.approvals(promotion.id)
    if not approvals:
        return ApprovalRuling(None)
    policy = policy_of(workspace, promotion)
    entries = recorded_answers(workspace, promotion)

    def objects(approval: Approval) -> str:
        if not is_attested(approval, entries):
            return "the ledger has no entry of it"
        lost = why_lost(workspace, promotion, approval, entries)
        if lost:
            return lost
        objection = approving.objection(policy, approval.decision, approval.by)
        return objection.why if objection else ""

    return approving.rule(promotion, approvals, process.now(), objects)


def recorded_answers(workspace: Workspace, promotion: Promotion) -> tuple[LedgerEntry, ...]:
    """Return the ledger's entries of every yes and no to a promotion, and to the attempts from which one was kept for it: an
    approval without one does not count."""
    own = _answers(workspace, promotion.environment, promotion.id)
    earlier = {str(entry.facts["from_promotion"]) for entry in own if entry.event == APPROVAL_KEPT}
    others = (_answers(workspace, promotion.environment, id) for id in sorted(earlier - {promotion.id}))
    return (*own, *(entry for entries in others for entry in entries))


def _answers(workspace: Workspace, environment: str, promotion: str) -> tuple[LedgerEntry, ...]:
    return workspace.store.entries(environment=environment, events=APPROVALS, promotion=promotion)


def why_lost(
    workspace: Workspace, promotion: Promotion, approval: Approval, entries: Sequence[LedgerEntry]
) -> str:
    """Return why the yes to an earlier attempt, that was kept for this one, is none to it; "" where it is, and for a yes that
    was given to this one. It is found out anew: what the ledger says of keeping it is not taken for it."""
    kept = kept_as(approval, entries)
    if kept is None:
        return ""
    earlier = workspace.store.promotion(str(kept.facts["from_promotion"]))
    if earlier is None or earlier.binding != kept.facts["from_binding"]:
        return "the attempt that it was given to is not recorded as it was"
    return "; ".join(compare_attempts(workspace, earlier, promotion))


def is_overdue(workspace: Workspace, promotion: Promotion) -> bool:
    """Say whether a promotion has waited for longer than its environment says, and nobody has decided."""
    waits = rules_of(workspace, promotion).own.waits
    since = waits_since(workspace, promotion, waits)
    if not approving.overdue(promotion, since, waits, process.now()):
        return False
    return ruling(workspace, promotion).by is None


def waited(workspace: Workspace, promotion: Promotion) -> str:
    """Return in words for how long a promotion may wait."""
    seconds = int(rules_of(workspace, promotion).own.waits.total_seconds())
    size, unit = next((n, u) for n, u in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if not seconds % n)
    return f"{seconds // size}{unit}"
