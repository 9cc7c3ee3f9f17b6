"""The flip, under the fence, and what it leaves proven: that our own write touched no source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from prefect_sluice.audit.ledger_check import VerifiedEntries, since
from prefect_sluice.domain.errors import CannotPublish, Refused
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.promotion import Lease, Promotion, State
from prefect_sluice.promotions import observe_sources, verify_reused
from prefect_sluice.promotions.records import advance, lease_of
from prefect_sluice.runtime import process
from prefect_sluice.warehouse.base import Publication
from prefect_sluice.warehouse.publishing import Told
from prefect_sluice.workspace.workspace import Environment, Workspace


def flip(
    workspace: Workspace,
    environment: Environment,
    promotion: Promotion,
    publication: Publication,
    proof: VerifiedEntries,
    *,
    permitted: Callable[[], None],
    told: Told,
) -> Generation:
    """Publish while nobody can take the lease; return what is served then. Raises what the warehouse and the fence raise.

    The ledger is verified on from `proof`, and its head goes into the generation: the next publish goes on from there. What
    the engine cannot publish, however often it is asked, ends the promotion as failed, and is Refused: it would stand in the
    way of every later one.

    `permitted` is asked first, inside the fence, and raises if it is not; `told` hears which way the publish went. The
    versions of sources that were read before hold after it, and so does what relations hold, if nobody else wrote in between.
    """

    def ready() -> Publication:
        permitted()
        head = since(workspace, proof.head, "what is published now").head
        return replace(publication, generation=replace(publication.generation, head=head))

    try:
        return publish_under(lease_of(workspace), workspace, environment, ready, told=told)
    except CannotPublish as error:
        advance(workspace, promotion, State.FAILED, actor=promotion.actor, message=error.why)
        raise Refused(
            f"promotion {promotion.id} cannot be published, and has ended: {error.why}",
            f"look what is wrong: sluice doctor; then run it again: sluice {promotion.cause.value} --env {environment.name}",
        ) from error


def publish_under(
    lease: Lease,
    workspace: Workspace,
    environment: Environment,
    ready: Callable[[], Publication],
    *,
    told: Told | None = None,
) -> Generation:
    """Publish in an environment's database what `ready` gives inside the fence of a lease; return what is served then. What was
    read of the sources and of relations before holds after it, if nobody else wrote in between. Raises as the warehouse does."""
    stamps: list[tuple[str, str]] = []
    with workspace.store.fenced(lease, now=process.now()):
        publication = ready()
        written = workspace.warehouse(environment).publish(
            publication, told=told, seen=lambda before, after: stamps.append((before, after))
        )
    for before, after in stamps:
        observe_sources.carry_over(workspace, environment, before, after)
        verify_reused.carry_over(workspace, environment, before, after, publication)
    return written
