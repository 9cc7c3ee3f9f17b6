"""Checks of the state store's rows against the ledger, and of the ledger against the entry that each generation names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prefect_sluice.audit import attestation
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.maintenance.doctor.complaint import Complaint, Examined
from prefect_sluice.state.store import StateStore
from prefect_sluice.workspace.workspace import Environment


def examine(patient: Examined, store: StateStore, entries: Sequence[LedgerEntry]) -> Iterator[Complaint]:
    """Yield the rows that `entries`, the whole verified ledger, does not confirm. Reads every promotion and approval."""
    for environment in patient.environments.values():
        yield from _heads(patient, store, environment, entries)
    promotions = store.promotions()
    yield from _approvals(patient, store, promotions, entries)
    yield from _promotions(patient, promotions, entries)


def _heads(
    patient: Examined, store: StateStore, environment: Environment, entries: Sequence[LedgerEntry]
) -> Iterator[Complaint]:
    """Yield the oldest generation whose ledger entry is not there. Generations of another state store are told by `recorded`."""
    inventory = patient.inventory(environment)
    digests = {entry.number: entry.digest for entry in entries}
    for generation in reversed(inventory.generations if inventory else ()):
        head = generation.head
        if (
            generation.environment != environment.name
            or head is None
            or digests.get(head.number) == head.digest
        ):
            continue
        if store.promotion(generation.promotion) is not None:
            yield Complaint(
                "ledger",
                environment.name,
                f"generation {generation.number} was published after ledger entry {head.number} ({head.digest[:12]}),"
                " which is not there",
                "the ledger was set back, or is another one: nothing is published over it",
                "restore the state store from a newer backup, or put the right one back",
            )
            return


def _approvals(
    patient: Examined, store: StateStore, promotions: Sequence[Promotion], entries: Sequence[LedgerEntry]
) -> Iterator[Complaint]:
    environments = {promotion.id: promotion.environment for promotion in promotions}
    given = _by_promotion(entry for entry in entries if entry.event in attestation.APPROVALS)
    for approval in store.approvals():
        environment = environments.get(approval.promotion, "")
        own = given.get(approval.promotion, [])
        earlier = (entry.facts.get("from_promotion") for entry in own)
        about = [*own, *(entry for attempt in earlier for entry in given.get(attempt, ()))]
        if (environment in patient.environments or not environment) and not attestation.is_attested(
            approval, about
        ):
            yield Complaint(
                "approval",
                environment,
                f"the ledger has no entry of approval {approval.id} ({approval.decision.value} by {approval.by})",
                f"it was written past Sluice, and does not count for promotion {approval.promotion}",
                "see who can write to the state store; who means it says it again: sluice approve",
            )


def _promotions(
    patient: Examined, promotions: Sequence[Promotion], entries: Sequence[LedgerEntry]
) -> Iterator[Complaint]:
    about = _by_promotion(entries)
    for promotion in promotions:
        why = attestation.contradiction(promotion, about.get(promotion.id, ()))
        if why and promotion.environment in patient.environments:
            yield Complaint(
                "promotion",
                promotion.environment,
                f"promotion {promotion.id} is not what the ledger says: {why}",
                "it was written past Sluice, and is not deployed so",
                "see who can write to the state store; restore it from a backup",
            )


def _by_promotion(entries: Iterable[LedgerEntry]) -> Mapping[object, list[LedgerEntry]]:
    """Return the entries by the promotion that they are about, in their order."""
    about: dict[object, list[LedgerEntry]] = {}
    for entry in entries:
        about.setdefault(entry.facts.get("promotion"), []).append(entry)
    return about
