"""How stages record what became of a promotion: its state and a ledger entry, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import LeaseLost, SluiceError
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.promotion import ENDED, Lease, Promotion, State
from prefect_sluice.domain.release import DIRTY
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.gates.remedies import by_gate, helps
from prefect_sluice.promotions.candidate_files import same_request, tidy
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.runtime import process
from prefect_sluice.workspace.policy_in_force import governed, rules_of, uncommitted
from prefect_sluice.workspace.policy_in_force import recorded as recorded_policy
from prefect_sluice.workspace.workspace import Environment, Workspace

if TYPE_CHECKING:
    from prefect_sluice.state.reader import Reads
    from prefect_sluice.state.store import Transaction

OPEN = tuple(state for state in State if state not in ENDED)
"""States of a promotion that may still go on."""

WAITING = frozenset({State.STAGED, State.APPROVED})
"""States of a promotion that is staged and not published: it waits for a yes, or for whoever publishes it."""

SERVED = frozenset({State.DEPLOYED, State.STABLE})
"""States of a promotion whose generation was written: only Monitor has anything left to do."""


def opened(work: Work) -> tuple[Workspace, Environment]:
    """Return the workspace and the environment of a request. Raises ConfigInvalid, BadInput, and LeaseLost for one who slept.

    Who only looks (`sluice plan`) has no lease, which is token 0, and loses none. What the release declares, and the policy
    that judges the promotion, go before what the sluice.yml there says by now.
    """
    workspace = work.workspace.under(work.lease if work.lease.token else None)
    if work.release is not None:
        rules = rules_of(workspace, work.promotion) if work.promotion is not None else None
        workspace = governed(workspace, work.release, rules)
    environment = workspace.environment(work.request.environment)
    lease = workspace.store.lease(work.lease.environment)
    if work.lease.token and (lease is None or lease.token != work.lease.token):
        # Another one had it meanwhile. The fence would say so, too, but minutes later.
        raise LeaseLost(environment.name)
    return workspace, environment


@contextmanager
def fenced(workspace: Workspace, lease_name: str) -> Generator[Transaction]:
    """Give a transaction of the state store that writes nothing unless the lease of that name is still ours: the environment's,
    or for a check that of its checks.

    All that is recorded of promotions, candidates and generations is written here: an intent as well as an outcome. Raises
    LeaseLost, and RuntimeError for a workspace that is not under that lease.
    """
    if lease_of(workspace).environment != lease_name:
        raise RuntimeError(f"a promotion is recorded without its lease, {lease_name}")
    with workspace.store.transaction() as transaction:
        yield transaction


def lease_of(workspace: Workspace) -> Lease:
    """Return the lease that a workspace is under. Raises RuntimeError for one that is under none."""
    if workspace.lease is None:
        raise RuntimeError("a promotion is recorded without its lease")
    return workspace.lease


def promotion_of(work: Work) -> Promotion:
    """Return the promotion that Build started. Raises SluiceError when stages run out of order."""
    if work.promotion is None:
        raise OutOfOrder()
    return work.promotion


class OutOfOrder(SluiceError):
    """A stage was run before the one that makes what it needs."""

    @property
    def problem(self) -> str:
        """What was wrong."""
        return "this stage was run before Build"

    @property
    def way_out(self) -> str:
        """What to do next."""
        return "run the stages in their order: sluice release"


def _nothing(_: Transaction) -> None:
    return None


def advance(
    workspace: Workspace,
    promotion: Promotion,
    state: State,
    *,
    actor: str,
    facts: Mapping[str, Json] | None = None,
    also: Callable[[Transaction], object] = _nothing,
    **changes: object,
) -> Promotion:
    """Record a promotion in a new state, with its ledger entry and what `also` writes, in one transaction. Again is no change.

    Raises LeaseLost when the lease is not ours any more, or another process moved it on meanwhile: whoever slept past the
    lease changes nothing.
    """
    if promotion.state is state and not changes:
        return promotion
    now = process.now()
    moved = replace(promotion, state=state, updated_at=now, **changes)  # pyright: ignore[reportArgumentType]  # the caller names its fields
    told: dict[str, Json] = {
        "promotion": moved.id,
        "release": moved.release,
        "cause": moved.cause.value,
        "from": moved.base,
        "plan": moved.plan,
        "evidence": moved.evidence,
        **({"policy_digest": moved.policy} if moved.policy else {}),
        **(facts or {}),
    }
    with fenced(workspace, promotion.lease_name) as transaction:
        still_ours(transaction, promotion)
        transaction.put_promotion(moved)
        also(transaction)
        transaction.append(
            f"promotion.{state.value}", environment=moved.environment, actor=actor, facts=told, at=now
        )
    if state in ENDED:
        tidy(workspace, moved)  # failing rows are kept as evidence
    return moved


def still_ours(reads: Reads, promotion: Promotion) -> None:
    """Raise LeaseLost when a promotion is recorded in another state than ours: another process has it by now."""
    recorded = reads.promotion(promotion.id)
    if recorded is not None and recorded.state is not promotion.state:
        raise LeaseLost(promotion.environment)


def outdated(
    transaction: Transaction, generation: Generation, *, actor: str, now: datetime
) -> tuple[Promotion, ...]:
    """Supersede, as this generation is recorded, every open promotion that was planned on an older one. Returns them.

    Its plan and a yes to it are void from here on: said at once, and not when somebody comes to deploy it. So is one
    that served, and whose process died before Monitor: nobody comes to watch what is served no longer. A check stays: it says
    what it was made against, and nobody deploys it.
    """
    environment, number = generation.environment, generation.number
    open_ones = transaction.promotions(environment=environment, states=OPEN, but=Cause.CHECK)
    overtaken = [
        old
        for old in open_ones
        if old.id != generation.promotion and (old.base < number or old.state is State.DEPLOYED)
    ]
    messages = [_overtaken(transaction, old, generation) for old in overtaken]
    return _superseded(transaction, overtaken, messages, by=generation.promotion, actor=actor, now=now)


def waiting_attempts(workspace: Workspace, promotion: Promotion) -> tuple[Promotion, ...]:
    """Return the promotions that wait for a yes to the same request as this one, planned at another time, newest first: once
    this one is staged, the earlier ones are of no more use."""
    wanted = same_request(workspace, promotion.release)
    return tuple(
        old
        for old in open_promotions(workspace, promotion.environment)
        if old.id != promotion.id
        and old.state in WAITING
        and old.cause.renews == promotion.cause.renews
        and same_request(workspace, old.release) == wanted
    )


def replaced(
    transaction: Transaction, earlier: Sequence[Promotion], by: Promotion, *, actor: str, now: datetime
) -> tuple[Promotion, ...]:
    """Supersede earlier attempts at what `by` is staged for. Returns them."""
    messages = [f"planned again as promotion {by.id}"] * len(earlier)
    return _superseded(transaction, earlier, messages, by=by.id, actor=actor, now=now)


def _superseded(
    transaction: Transaction,
    promotions: Sequence[Promotion],
    messages: Sequence[str],
    *,
    by: str,
    actor: str,
    now: datetime,
) -> tuple[Promotion, ...]:
    ended = tuple(
        replace(old, state=State.SUPERSEDED, updated_at=now, message=message)
        for old, message in zip(promotions, messages, strict=True)
    )
    for old in ended:
        transaction.put_promotion(old)
        facts: dict[str, Json] = {"promotion": old.id, "release": old.release, "by": by}
        transaction.append(
            "promotion.superseded", environment=old.environment, actor=actor, facts=facts, at=now
        )
    return ended


def _overtaken(reads: Reads, old: Promotion, by: Generation) -> str:
    if old.state is State.DEPLOYED:
        return (
            f"it served as generation {old.generation}, and its process died before Monitor closed it;"
            f" generation {by.number} took its place"
        )
    release = reads.release(old.release)
    committed = release is not None and release.change.commit != DIRTY
    if by.cause.renews and old.state in WAITING and old.cause.takes_new_code and committed:
        return f"{by.environment} moved on from generation {old.base} to {by.number} (a {by.cause.value}): it is planned again"
    return (
        f"{by.environment} moved on from generation {old.base} to {by.number} (a {by.cause.value}), so its plan"
        " and any approval of it are void; run it again: it plans anew"
    )


def keep_reports(
    workspace: Workspace, promotion: Promotion, stage: str, reports: Sequence[GateReport]
) -> None:
    """Record what the gates of a stage found. Repeatable: replaces. Raises LeaseLost as `advance` does."""
    with fenced(workspace, promotion.lease_name) as transaction:
        still_ours(transaction, promotion)
        transaction.put_reports(promotion.id, stage, reports)


def recorded(workspace: Workspace, promotion: Promotion, stage: str) -> tuple[GateReport, ...]:
    """Return what the gates of a stage found before, or nothing."""
    return tuple(report for name, report in workspace.store.reports(promotion.id) if name == stage)


_UNJUDGED = "no gate that is on looks at what this makes, and nothing is published unjudged: it stops"
_JUDGE = "let a gate judge it: gates: {build: {on: block}} in sluice.yml"


def refuse(
    work: Work, workspace: Workspace, reports: Sequence[GateReport], stage: str, no_part: str = ""
) -> Work:
    """End the work: the gates of a stage said no. `no_part` says why nothing is published without what failed."""
    promotion = promotion_of(work)
    warns = {gate for gate, own in workspace.settings.gates.items() if own.on == "warn"}
    asked = [report for report in reports if report.gate not in warns]
    bad = [finding for report in asked for finding in report.findings if not finding.verdict.lets_through]
    message = f"{by_gate(bad)} stopped it in {stage}" if bad else f"{_UNJUDGED} in {stage}"
    message += f"; no part of it can be published: {no_part}" if no_part else ""
    older = _judged_by_older(workspace, promotion, {finding.gate for finding in bad})
    message += older
    ended = advance(workspace, promotion, State.REFUSED, actor=work.request.actor, message=message)
    told = replace(work, promotion=ended, reports=(*work.reports, *reports))
    later = not older and recorded_policy(workspace, promotion).judged_by_served
    remedy = helps(bad, process.now().date(), later=later)
    following = remedy.mend or _JUDGE
    if work.release is not None and promotion.cause.judged_as is Cause.RELEASE:
        following = "; ".join(filter(None, (uncommitted(workspace, work.release), following)))
    return told.ends(Status.REFUSED, message, following, remedy.passing)


def _judged_by_older(workspace: Workspace, promotion: Promotion, gates: Collection[str]) -> str:
    """Say that the release changes what these gates ask, which counts only after it; "" where it does not."""
    found = recorded_policy(workspace, promotion)
    moved = {item.key.split(".")[1] for item in found.changes if item.key.startswith("gates.")}
    if not found.waits or not moved & set(gates):
        return ""
    names = ", ".join(sorted(moved & set(gates)))
    return (
        f"; what this commit's {workspace.file.name} changes of {names} counts once it is approved:"
        f" release that change first, by itself"
    )


def open_promotions(workspace: Workspace, environment: str) -> tuple[Promotion, ...]:
    """Return the promotions of an environment that may still go on, newest first, without its checks."""
    return workspace.store.promotions(environment=environment, states=OPEN, but=Cause.CHECK)
