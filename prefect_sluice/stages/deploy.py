"""Deploy: verifies everything again, then writes the generation: intent, flip, outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prefect_sluice.approvals.ended_by_publish import ended_by_publish
from prefect_sluice.audit.attestation import contradiction
from prefect_sluice.audit.ledger_check import VerifiedEntries, proven
from prefect_sluice.domain import adoption, old_names
from prefect_sluice.domain.adoption import AdoptionTarget
from prefect_sluice.domain.errors import EnvironmentMoved, Refused
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import ENDED, Promotion, State
from prefect_sluice.promotions.candidate_files import candidate_is_whole, contents_of, tidy
from prefect_sluice.promotions.controls import permit
from prefect_sluice.promotions.records import advance, fenced, opened, outdated, promotion_of
from prefect_sluice.promotions.work import Work, tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.stages import adopt
from prefect_sluice.stages.after_rollback import place_hold
from prefect_sluice.stages.approve import is_approved
from prefect_sluice.strategies.all_at_once import flip
from prefect_sluice.warehouse.base import Publication
from prefect_sluice.warehouse.publishing import Published
from prefect_sluice.workspace.policy_in_force import needed
from prefect_sluice.workspace.workspace import Environment, Workspace


def deploy(work: Work) -> Work:
    """Return the work with the generation it wrote. Raises Refused when anything is not as it was approved."""
    workspace, place = opened(work)
    promotion = promotion_of(work)
    if promotion.state in {State.DEPLOYED, State.STABLE}:
        return replace(
            work, generation=workspace.warehouse(place).generation(place.name, promotion.generation)
        )
    proof = proven(workspace, place)
    publication = _publication(workspace, place, promotion, work, proof)
    intent = advance(
        workspace,
        promotion,
        State.DEPLOYING,
        actor=work.request.actor,
        facts={"to": publication.generation.number},
    )
    reach(FaultPoint.DEPLOY_INTENT)
    tell(f"publishing generation {publication.generation.number}")
    how: list[Published] = []

    def permitted() -> None:
        # Again, now that nobody can place one: a hold that came while this was built stops it here, and it goes on later.
        permit(workspace, place.name, promotion.cause, promotion.release, past=work.request.rolled_back)

    written = flip(workspace, place, intent, publication, proof, permitted=permitted, told=how.append)
    reach(FaultPoint.DEPLOY_FLIPPED)
    done = record_written(workspace, intent, written, work.request.actor, how)
    reach(FaultPoint.DEPLOY_RECORDED)
    return replace(work, promotion=done, generation=written, published=how[0] if how else None)


def _publication(
    workspace: Workspace, environment: Environment, promotion: Promotion, work: Work, proof: VerifiedEntries
) -> Publication:
    contents = contents_of(workspace, promotion)
    if promotion.state not in {State.APPROVED, State.DEPLOYING}:
        raise Refused(
            f"promotion {promotion.id} is {promotion.state.value}, not approved",
            step=NextStep.of(Command.of("approve", promotion.id)),
        )
    if why := contradiction(promotion, proof.entries):
        raise Refused(
            f"promotion {promotion.id} is not what the ledger says: {why}",
            "somebody wrote into the state store; see what else is wrong: sluice doctor",
        )
    if needed(workspace, promotion) and not is_approved(workspace, promotion, proof):
        raise Refused(
            f"promotion {promotion.id} has no approval that counts for it as it is now",
            step=NextStep.of("ask for a yes to it as it is now: ", Command.of("approve", promotion.id)),
        )
    if not candidate_is_whole(workspace, promotion):
        advance(
            workspace,
            promotion,
            State.FAILED,
            actor=work.request.actor,
            message="the candidate's bytes are not the ones that were judged",
        )
        raise Refused(
            f"the candidate of promotion {promotion.id} is not, byte for byte, what was judged",
            step=NextStep.of("nothing was published; release again: ", Command.of("release")),
        )
    warehouse = workspace.warehouse(environment)
    live = warehouse.generation(environment.name)
    if live.number != promotion.base and live.promotion != promotion.id:
        raise EnvironmentMoved(environment.name, promotion.base, live.number)
    candidate = workspace.store.candidate(promotion.id)
    number = promotion.base + 1
    generation = Generation(
        environment.name,
        number,
        promotion.release,
        promotion.id,
        work.lease.token,
        promotion.cause,
        number,
        process.now().replace(microsecond=0),
        old_names.dated(contents.pointers, process.now().date()),
    )
    place = warehouse.place(candidate.path) if candidate and candidate.path else None
    publication = Publication(
        generation, promotion.base, place, contents.tables, contents.views, held=contents.held
    )
    adopted = adopt.planned(workspace, promotion) if not promotion.base else ()
    if not adopted:
        return publication
    takers = {item.name.folded: AdoptionTarget(item.node, item.kind) for item in contents.pointers}
    return replace(publication, adopt=adopted, zero=adoption.zero(generation, adopted, takers))


def record_written(
    workspace: Workspace,
    promotion: Promotion,
    generation: Generation,
    actor: str,
    how: Sequence[Published] = (),
) -> Promotion:
    """Record that a promotion's generation is what the warehouse serves, and how it got there. Again is no change."""
    if promotion.state in {State.DEPLOYED, State.STABLE}:
        return promotion
    now = process.now()
    done = replace(promotion, state=State.DEPLOYED, updated_at=now, generation=generation.number)
    facts = {
        "generation": generation.number,
        "release": generation.release,
        "promotion": promotion.id,
        "cause": generation.cause.value,
        "origin": generation.origin,
        **({"policy_digest": promotion.policy} if promotion.policy else {}),
        **({"publish": how[0].facts()} if how else {}),
    }
    beside = ended_by_publish(workspace, promotion.environment, promotion.id)
    with fenced(workspace, promotion.environment) as transaction:
        recorded = transaction.promotion(promotion.id)
        if recorded is not None and recorded.state in {State.DEPLOYED, *ENDED}:
            return recorded  # another process settled it while this one slept
        transaction.put_promotion(done)
        transaction.append(
            "generation.written", environment=promotion.environment, actor=actor, facts=facts, at=now
        )
        if generation.cause.goes_back:
            place_hold(transaction, done, now)
        void = outdated(transaction, generation, actor=actor, now=now)
    ids = {old.id for old in void}
    for waited in beside:
        if waited.promotion in ids:
            tell(f"generation {generation.number} ends {waited}")
    for old in void:
        tidy(workspace, old)
    return done


def _is_open(workspace: Workspace, promotion: Promotion) -> bool:
    recorded = workspace.store.promotion(promotion.id)
    return recorded is not None and recorded.state not in ENDED


def settle(workspace: Workspace, environment: Environment) -> None:
    """Write the outcome of intents that a dead process left: the warehouse says whether the flip happened. Repeatable.

    An intent whose environment moved on without it cannot be carried out any more, and ends as superseded. Only under the lease.
    What such a process left in the warehouse's journal is written into its file, for those who copy the file alone.
    """
    workspace.warehouse(environment).empty_journal()
    pending = workspace.store.promotions(environment=environment.name, states=(State.DEPLOYING,))
    if not pending:
        return
    history = workspace.warehouse(environment).history(environment.name)
    written = {generation.promotion: generation for generation in history}
    for promotion in sorted(pending, key=lambda intent: intent.id not in written):
        # What was published ends the other intents: one that is recorded first may have ended those after it.
        if promotion.id in written:
            record_written(workspace, promotion, written[promotion.id], "settled at start")
        elif history and promotion.base < history[0].number and _is_open(workspace, promotion):
            moved = f"from generation {promotion.base} to {history[0].number}"
            message = f"{environment.name} moved on {moved} before it was published"
            advance(workspace, promotion, State.SUPERSEDED, actor="settled at start", message=message)
