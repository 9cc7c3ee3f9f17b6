"""Checks of files: bundle files, candidates without a promotion, leavings of dead processes, room on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.promotion import ENDED, Promotion
from prefect_sluice.domain.release import DIRTY, Release
from prefect_sluice.maintenance import leftovers
from prefect_sluice.maintenance.doctor.complaint import Complaint, Examined, Repair
from prefect_sluice.promotions.candidate_files import REUSABLE
from prefect_sluice.promotions.records import OPEN
from prefect_sluice.workspace.workspace import FOLDER, databases

_BACKUP = "restore the bundle store from a backup"
_FREE = 0.05
"""Of a disk, that should be free."""


def examine(patient: Examined) -> Iterator[Complaint]:
    """Yield files that are missing, damaged, or belong to nothing; and disks that are nearly full."""
    if patient.store is not None:
        yield from _bundles(patient)
        yield from _candidates(patient)
    yield from _unfinished(patient)
    yield from _journals(patient)
    yield from _disks(patient)


def _bundles(patient: Examined) -> Iterator[Complaint]:
    """Yield bundle files that a generation that is whole, or an open promotion, needs and cannot have. Reads them all."""
    store = patient.store
    if store is None:
        return
    whole = {
        generation.promotion
        for inventory in patient.inventories.values()
        for generation in inventory.generations
        if generation.collected_at is None
    }
    wanted = [i for i in store.promotions() if i.environment in patient.environments]
    promotions = [promotion for promotion in wanted if promotion.id in whole or promotion.state in OPEN]
    seen: set[str] = set()
    for digest, what, environment, fix in _referenced_bundle_files(patient, promotions):
        if digest and digest not in seen:
            seen.add(digest)
            try:
                patient.workspace.bundles.get(digest)
            except SluiceError as error:
                yield Complaint(
                    "bundle",
                    environment,
                    error.problem,
                    f"it is {what}",
                    fix,
                )


def _referenced_bundle_files(
    patient: Examined, promotions: list[Promotion]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield digest, what it is, the environment that needs it, and what to do if it is not there."""
    releases: dict[str, Promotion] = {promotion.release: promotion for promotion in promotions}
    for promotion in promotions:
        place, whose = promotion.environment, f"of promotion {promotion.id}"
        yield promotion.plan, f"the plan {whose}", place, _BACKUP
        yield promotion.evidence, f"the evidence {whose}", place, _BACKUP
        yield promotion.policy, f"the policy {whose}", place, _BACKUP
        yield _contents(patient, promotion), f"what would be published {whose}", place, _BACKUP
    for release_id, promotion in releases.items():
        release = patient.store.release(release_id) if patient.store else None
        if release is None:
            continue
        for path, entry in release.all_files.items():
            what = f"{path} of release {release_id[:7]}"
            yield entry.partition(":")[2], what, promotion.environment, _again(release)


def _again(release: Release) -> str:
    if release.change.commit == DIRTY:
        return _BACKUP
    return f"delete it if it is there, then pack the commit again: sluice plan {release.change.short}"


def _contents(patient: Examined, promotion: Promotion) -> str:
    try:
        evidence = patient.workspace.bundles.get_document(promotion.evidence) if promotion.evidence else None
    except SluiceError:
        return ""  # the evidence itself is complained of
    return str(evidence.get("contents", "")) if isinstance(evidence, Mapping) else ""


def _candidates(patient: Examined) -> Iterator[Complaint]:
    folder = patient.workspace.root / FOLDER / "candidates"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        promotion = patient.store.promotion(path.name) if patient.store else None
        if promotion is None:
            yield _orphan(patient, path, "", "a candidate of no promotion that is known here", safe=False)
        # The next attempt may take finished relations from one that was superseded, or from a check: that is the collector's.
        elif promotion.state in ENDED - REUSABLE and promotion.environment in patient.environments:
            yield _orphan(patient, path, promotion.environment, "the candidate of a promotion that has ended")


def _orphan(patient: Examined, path: Path, environment: str, what: str, *, safe: bool = True) -> Complaint:
    shown = path.relative_to(patient.workspace.root) if path.is_relative_to(patient.workspace.root) else path
    return Complaint(
        "file",
        environment,
        f"{shown} is {what}",
        f"it takes {_mib(leftovers.size_of(path))}, and nobody reads it",
        "sluice doctor --repair" if safe else f"if no other state store names it: rm -r {shown}",
        repair=Repair.FILE if safe else None,
        path=path,
    )


def _unfinished(patient: Examined) -> Iterator[Complaint]:
    """Yield files beside a warehouse that a process was making, and died."""
    for database in databases(patient.environments.values()):
        for file in database.unfinished():
            yield _orphan(patient, file, "", "what a process that died was making")


def _journals(patient: Examined) -> Iterator[Complaint]:
    """Yield the journals that dead writers left beside warehouses. While a writer is at work, its file is not looked at."""
    for environment in patient.environments.values():
        journal = environment.database.journal()
        if patient.inventory(environment) is not None and journal is not None:
            yield Complaint(
                "file",
                environment.name,
                f"{journal} lies beside the warehouse: a writer that died left in it what is not in the file yet",
                "nothing is lost, but a plain copy of the file alone does not have it",
                "copy both, or: sluice backup --warehouse; the next release or refresh writes it into the file",
                note=True,
            )


def _disks(patient: Examined) -> Iterator[Complaint]:
    for database in databases(patient.environments.values()):
        for folder in {
            next(parent for parent in file.parents if parent.is_dir()): None for file in database.files
        }:
            usage = shutil.disk_usage(folder)
            yield from nearly_full(database.name, usage.free, usage.total, database.size())


def nearly_full(name: str, free: int, total: int, served: int) -> Iterator[Complaint]:
    """Yield a complaint if a disk of `total` bytes has too few free for another copy of a file of `served` bytes. Pure."""
    if free < max(total * _FREE, served) and free < total:
        yield Complaint(
            "disk",
            "",
            f"the disk of {name} has {_mib(free)} free of {_mib(total)}",
            "a release that builds much may not fit",
            "see what goes: sluice collect --dry-run",
        )


def _mib(octets: int) -> str:
    return f"{octets / 1e6:,.1f} MB"
