"""Approve: asks the environment's policy. Automatic, or a yes to this exact promotion, used once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from prefect_sluice.approvals.approval_policy import ApprovalRuling
from prefect_sluice.approvals.carried import carried
from prefect_sluice.approvals.decide import (
    is_overdue,
    objection,
    recorded_answers,
    ruling,
    waited,
    why_lost,
)
from prefect_sluice.approvals.ended_by_publish import ended_by_publish
from prefect_sluice.approvals.keep_yes import EarlierYes, earlier_yes, keep
from prefect_sluice.approvals.why_again import planned_again
from prefect_sluice.audit.attestation import APPROVAL_GIVEN, given_as, is_attested, kept_as
from prefect_sluice.audit.ledger_check import VerifiedEntries, longer
from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import AnswerChannel, Approval, Decision, Promotion, State
from prefect_sluice.promotions.records import SERVED, advance, opened, promotion_of, waiting_attempts
from prefect_sluice.promotions.work import Status, Work, tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.workspace.policy_in_force import needed, rules_of
from prefect_sluice.workspace.workspace import Workspace

_PAST = frozenset({State.APPROVED, State.DEPLOYING})
_OPEN = frozenset({State.STAGED, *_PAST})


def approve(work: Work) -> Work:
    """Return the work, approved; ended if it waits for a yes or got a no."""
    workspace, _ = opened(work)
    promotion = promotion_of(work)
    must = needed(workspace, promotion)
    if promotion.state in _PAST:
        last = ruling(workspace, promotion).by
        if last is not None and last.decision is Decision.REJECT:
            # Nothing of it is published: it would have been settled as such.
            return _decided(workspace, work, promotion, last)
    if promotion.state in SERVED or (
        promotion.state in _PAST and (not must or is_approved(workspace, promotion))
    ):
        used = _used(workspace, promotion)
        return replace(work, approved_by=used[-1].who) if used else work
    if not must:
        return replace(
            work,
            promotion=advance(
                workspace, promotion, State.APPROVED, actor="policy", facts={"policy": "automatic"}
            ),
        )
    for line in take_carried(workspace, promotion):
        tell(line)
    said, earlier = ruling(workspace, promotion), None
    if said.by is None:
        earlier = earlier_yes(workspace, promotion)
        said = _keep_earlier(workspace, promotion, earlier) or said
    if said.by is None:
        for other in ended_by_publish(workspace, promotion.environment, promotion.id):
            tell(f"publishing this one ends {other}")
        why = said.ignored[-1] if said.ignored else planned_again(workspace, promotion, earlier)
        why = f" ({why})" if why else ""
        return work.ends(
            Status.WAITING,
            f"promotion {promotion.id} waits for an approval{why}",
            NextStep.of(Command.of("approve", promotion.id)),
        )
    return _decided(workspace, work, promotion, said.by)


def _keep_earlier(
    workspace: Workspace, promotion: Promotion, earlier: EarlierYes | None
) -> ApprovalRuling | None:
    """Have an earlier yes count for the promotion if it is one to it; return what decides then, None where it does not."""
    if earlier is None or earlier.differs:
        return None
    kept = keep(workspace, promotion, earlier)
    tell(f"the yes of {kept.who} to promotion {earlier.attempt.id} is kept: nothing is new or worse since")
    return ruling(workspace, promotion)


def is_approved(workspace: Workspace, promotion: Promotion, proof: VerifiedEntries | None = None) -> bool:
    """Say whether somebody's yes was used for exactly this promotion: Deploy asks again, whatever the state says.

    One that the ledger does not have does not count: with a `proof`, that part of it, which was verified, and for a yes that
    was kept what goes back to when it was given. Raises LedgerBroken.
    """
    used = _used(workspace, promotion)
    if not used:
        return False
    recorded = recorded_answers(workspace, promotion)
    for approval in used:
        entries = recorded if proof is None else _proven(workspace, approval, recorded, proof)
        if is_attested(approval, entries) and not why_lost(workspace, promotion, approval, entries):
            return True
    return False


def _proven(
    workspace: Workspace, approval: Approval, recorded: Sequence[LedgerEntry], proof: VerifiedEntries
) -> Sequence[LedgerEntry]:
    given = given_as(approval, recorded)
    return proof.entries if given is None else longer(workspace, proof, given.number).entries


def _used(workspace: Workspace, promotion: Promotion) -> list[Approval]:
    """Return the recorded yeses that were used for exactly this promotion."""
    return [
        item
        for item in workspace.store.approvals(promotion.id)
        if item.decision is Decision.APPROVE
        and item.used_at is not None
        and item.binding == promotion.binding
    ]


def _decided(workspace: Workspace, work: Work, promotion: Promotion, approval: Approval) -> Work:
    facts = {
        "approval": approval.id,
        "by": approval.by,
        "authenticated": approval.authenticated,
        "binding": approval.binding,
        "comment": approval.comment,
    }
    if approval.decision is Decision.REJECT:
        message = (
            f"rejected by {approval.who}: {approval.comment}"
            if approval.comment
            else f"rejected by {approval.who}"
        )
        ended = advance(workspace, promotion, State.REJECTED, actor=approval.by, facts=facts, message=message)
        return replace(work, promotion=ended).ends(Status.REJECTED, message)
    now = process.now()
    approved = advance(
        workspace,
        promotion,
        State.APPROVED,
        actor=approval.by,
        facts=facts,
        message=f"approved by {approval.who}",
        also=lambda transaction: transaction.use_approval(approval.id, now),
    )
    reach(FaultPoint.APPROVE_USED)
    return replace(work, promotion=approved, approved_by=approval.who)


def record(
    workspace: Workspace,
    promotion: Promotion,
    decision: Decision,
    *,
    by: str,
    comment: str = "",
    channel: AnswerChannel = AnswerChannel.CLI,
    id: str = "",
) -> Approval:
    """Record a yes or no to a promotion as it is given here, with its ledger entry; every way to say it ends here.

    Raises BadInput without a name; Refused if the promotion waits for none, is another one by now, or the environment's
    policy does not take this person's word. Repeatable: the same word of the same person is one, and so is what has the same
    `id`, which the carrier of a yes gives it. A yes that was kept over a night is no such word: who says yes to what it is now
    has looked at that, and has the whole time.
    """
    by, comment = " ".join(by.split()), " ".join(comment.split())
    if not by:
        raise BadInput("an approval needs a name", fix="say who you are: --as NAME")
    _refuse_what_does_not_wait(workspace, promotion)
    against = objection(workspace, promotion, decision, by)
    if against is not None:
        raise Refused(against.why, against.fix)
    now = process.now()
    expires = now + rules_of(workspace, promotion).own.approval_expires
    name = id or uuid.uuid4().hex[:10]
    entries = recorded_answers(workspace, promotion)
    approval = Approval(name, promotion.id, promotion.binding, decision, by, comment, now, expires)
    with workspace.store.transaction() as transaction:
        recorded = transaction.promotion(promotion.id)
        if recorded is None or recorded.state not in _OPEN or recorded.binding != promotion.binding:
            raise Refused(
                f"promotion {promotion.id} is not what it was when you looked at it",
                step=NextStep.of(
                    "look again (",
                    Command.of("show", promotion.id),
                    "), then answer again: ",
                    Command.of("approve", promotion.id),
                ),
            )
        given = [word for word in transaction.approvals(promotion.id) if kept_as(word, entries) is None]
        before = _same(given, approval, by_id=bool(id))
        if before is not None:
            return before
        transaction.put_approval(approval)
        facts = {
            "promotion": promotion.id,
            "decision": decision.value,
            "binding": approval.binding,
            "comment": comment,
            "channel": channel.value,
            "authenticated": approval.authenticated,
            "expires": approval.expires_at.isoformat(),
        }
        transaction.append(
            APPROVAL_GIVEN, environment=promotion.environment, actor=approval.by, facts=facts, at=now
        )
    reach(FaultPoint.APPROVE_RECORDED)
    return approval


def _same(recorded: Sequence[Approval], asked: Approval, *, by_id: bool) -> Approval | None:
    """Return what was recorded before and says the same: by its carrier's id, else this person's last word on it, unexpired."""
    if by_id:
        return next((item for item in recorded if item.id == asked.id), None)
    own = [item for item in recorded if item.by == asked.by]
    last = max(own, key=lambda item: item.at, default=None)
    if last is None or last.used_at is not None or last.expires_at <= asked.at:
        return None
    same = (last.binding, last.decision, last.comment) == (asked.binding, asked.decision, asked.comment)
    return last if same else None


def _attempt_that_waits(workspace: Workspace, promotion: Promotion) -> Promotion | None:
    """Return the later attempt at the request of a promotion that was superseded, if that waits."""
    if promotion.state is not State.SUPERSEDED or promotion.cause.renews:
        return None
    return next(
        (later for later in waiting_attempts(workspace, promotion) if later.state is State.STAGED), None
    )


def _refuse_what_does_not_wait(workspace: Workspace, promotion: Promotion) -> None:
    if promotion.state not in _OPEN:
        told = promotion.state in {State.SUPERSEDED, State.EXPIRED} and promotion.message
        why = f" ({promotion.message})" if told else ""
        again = _attempt_that_waits(workspace, promotion)
        raise Refused(
            f"promotion {promotion.id} is {promotion.state.value}, it waits for no approval{why}",
            step=NextStep.of("answer the attempt that does: ", Command.of("approve", again.id))
            if again is not None
            else NextStep.of("see what does: ", Command.of("status")),
        )
    if is_overdue(workspace, promotion):
        raise Refused(
            f"promotion {promotion.id} waited for longer than {waited(workspace, promotion)}, and has expired",
            "run it again: it asks anew",
        )


def take_carried(workspace: Workspace, promotion: Promotion) -> tuple[str, ...]:
    """Record what a file or a git ref says of a promotion, and return what came of it, a line each. Repeatable.

    What cannot be read, names another plan, or is by somebody whose word is not taken is told, and no more.
    """
    lines: list[str] = []
    for found in carried(workspace, promotion):
        if isinstance(found, str):
            lines.append(found)
            continue
        if any(item.id == found.id for item in workspace.store.approvals(promotion.id)):
            continue
        try:
            given = record(
                workspace, promotion, found.decision, by=found.by, comment=found.comment,
                channel=found.channel, id=found.id,
            )  # fmt: skip
        except (BadInput, Refused) as error:
            lines.append(f"{found.where}: {error}")
        else:
            lines.append(f"{found.where}: {given.decision.value} by {given.who}")
    return tuple(lines)
