"""The flip, under the fence, and what it leaves proven: that our own write touched no source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from prefect_sluice import freshness, surroundings
from prefect_sluice.generation import Generation
from prefect_sluice.promotion import Lease
from prefect_sluice.stages.proving import Proof, since
from prefect_sluice.warehouse.base import Publication
from prefect_sluice.warehouse.publishing import Told
from prefect_sluice.workshop import Place, Workshop


def flip(
    workshop: Workshop,
    place: Place,
    lease: Lease,
    publication: Publication,
    proof: Proof,
    *,
    permitted: Callable[[], None],
    told: Told,
) -> Generation:
    """Publish while nobody can take the lease; return what is served then. Raises what the warehouse and the fence raise.

    The ledger is verified on from `proof`, and its head goes into the generation: the next publish goes on from there.

    `permitted` is asked first, inside the fence, and raises if it is not; `told` hears which way the publish went. The
    versions of sources that were read before hold after it, if nobody else wrote in between.
    """
    stamps: list[tuple[str, str]] = []
    with workshop.store.fenced(lease, now=surroundings.now()):
        permitted()
        head = since(workshop, proof.head, "what is published now").head
        generation = replace(publication.generation, head=head)
        written = workshop.warehouse(place).publish(
            replace(publication, generation=generation),
            told=told,
            seen=lambda before, after: stamps.append((before, after)),
        )
    for before, after in stamps:
        freshness.carry_over(workshop, place, before, after)
    return written
