"""`sluice status`: reads, and writes nothing. Loads no database driver for what is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.domain.controls import Control
    from prefect_sluice.domain.digests import Json
    from prefect_sluice.domain.generation import Generation
    from prefect_sluice.domain.promotion import Lease
    from prefect_sluice.domain.refresh_rules import RefreshAttempt as LastRefresh
    from prefect_sluice.maintenance.usage import WarehouseUse
    from prefect_sluice.reporting.terminal.status import EnvironmentStanding, OpenPromotion
    from prefect_sluice.state.store import StateStore
    from prefect_sluice.workspace.workspace import Environment, Workspace


@click.command()
@options.environment
@click.option("--disk", is_flag=True, help="Also show what each generation takes on disk.")
@options.common
def status(environment: str, disk: bool, folder: Path, console: Console) -> int:
    """Show what each environment serves, and what waits."""
    from prefect_sluice.domain.controls import ControlKind, in_force
    from prefect_sluice.promotions.lookups import existing_store
    from prefect_sluice.reporting import json_documents
    from prefect_sluice.reporting.styled_text import BLANK
    from prefect_sluice.reporting.terminal.preview_list import preview_lines
    from prefect_sluice.reporting.terminal.status import blocks_lines, status_lines
    from prefect_sluice.runtime import process
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    chosen = [workspace.environment(environment)] if environment else list(workspace.environments.values())
    store = existing_store(workspace)
    controls = in_force(store.controls(), process.now()) if store else ()
    standings = [_standing(workspace, resolved, store, controls) for resolved in chosen]
    names = {resolved.name for resolved in chosen}
    previews = [preview for preview in (store.previews() if store else ()) if preview.like in names]
    elsewhere = _elsewhere(controls, standings)
    console.show([
        *status_lines(standings, process.now(), width=console.width),
        *blocks_lines(elsewhere, width=console.width),
        *([BLANK, *preview_lines(previews, width=console.width)] if previews else ()),
    ])  # fmt: skip
    answer: dict[str, Json] = {
        "environments": [_document(standing) for standing in standings],
        "blocks": [
            json_documents.control(control) for control in controls if control.kind is ControlKind.BLOCK
        ],
        "previews": [json_documents.preview(preview) for preview in previews],
    }
    if disk:
        from prefect_sluice.reporting.terminal import disk as shown

        warehouses, folders = _usage(workspace, chosen)
        console.show(shown.lines(warehouses, folders, width=console.width))
        answer["disk"] = shown.document(warehouses, folders)
    console.answer(answer)
    return 0


def _usage(
    workspace: Workspace, chosen: Sequence[Environment]
) -> tuple[Mapping[str, WarehouseUse], Mapping[str, int]]:
    """Return what generations take by warehouse file, and bytes by folder. Raises WarehouseBusy."""
    from prefect_sluice.maintenance.collect_plan import dependencies
    from prefect_sluice.maintenance.leftovers import size_of
    from prefect_sluice.maintenance.usage import usage
    from prefect_sluice.workspace.workspace import FOLDER

    uses: dict[str, WarehouseUse] = {}
    for environment in {environment.database.identity: environment for environment in chosen}.values():
        warehouse = workspace.warehouse(environment)
        inventory = warehouse.inventory(measured=True)
        use = usage(inventory, dependencies(inventory, warehouse.linker.references))
        uses[environment.database.place_from(workspace.root)] = use
    bundles = workspace.bundles.folder
    ours = {name: workspace.root / FOLDER / name for name in ("candidates", "checkouts", "work")}
    folders = {"bundles": bundles, **ours} if bundles else ours
    return uses, {name: size_of(path) for name, path in folders.items()}


def _elsewhere(controls: tuple[Control, ...], standings: list[EnvironmentStanding]) -> tuple[Control, ...]:
    """Return the blocks of releases that serve in none of these environments: those that do are told there."""
    from prefect_sluice.domain.controls import ControlKind

    shown_ids = {control.id for standing in standings for control in standing.controls}
    return tuple(
        control for control in controls if control.kind is ControlKind.BLOCK and control.id not in shown_ids
    )


def _standing(
    workspace: Workspace, environment: Environment, store: StateStore | None, controls: tuple[Control, ...]
) -> EnvironmentStanding:
    from prefect_sluice.domain.controls import on
    from prefect_sluice.reporting.terminal.status import EnvironmentStanding
    from prefect_sluice.state.exported import imported_here

    generation, problem = _generation(workspace, environment)
    release = store.release(generation.release) if store and generation else None
    waiting = _open(workspace, store, environment) if store else ()
    return EnvironmentStanding(
        name=environment.name,
        generation=generation,
        release=release,
        warehouse=environment.database.place_from(workspace.root),
        size=environment.database.size(),
        open=waiting,
        lease=_lease(store, environment) if store else None,
        problem=problem,
        recorded=_recorded(store, environment) if store and generation is None else 0,
        controls=on(controls, environment.name, generation.release if generation else ""),
        refresh=_refresh(store, environment) if store else None,
        displaced=workspace.warehouse(environment).displaced(environment.name)
        if generation and generation.number
        else (),
        copy=imported_here(store, environment.name) if store else None,
    )


def _generation(workspace: Workspace, environment: Environment) -> tuple[Generation | None, str]:

    from prefect_sluice.domain.errors import WarehouseBusy
    from prefect_sluice.domain.generation import Generation

    if not environment.database.exists():
        return Generation.nothing(environment.name), ""
    try:
        return workspace.warehouse(environment).generation(environment.name), ""
    except WarehouseBusy as error:
        return None, f"the warehouse is held by {error.holder or 'another process'}"


def _recorded(store: StateStore, environment: Environment) -> int:
    from prefect_sluice.domain import ledger

    present = ledger.fold(store.entries(environment=environment.name)).get(environment.name)
    return present["generation"] if present else 0


def _open(workspace: Workspace, store: StateStore, environment: Environment) -> tuple[OpenPromotion, ...]:
    from prefect_sluice.approvals.approval_policy import rule
    from prefect_sluice.approvals.ended_by_publish import ends_of
    from prefect_sluice.domain.controls import in_force, of_release
    from prefect_sluice.domain.generation import Cause
    from prefect_sluice.domain.promotion import ENDED, State
    from prefect_sluice.reporting.terminal.status import OpenPromotion
    from prefect_sluice.runtime import process

    now = process.now()
    controls = in_force(store.controls(), now)
    attempts: list[OpenPromotion] = []
    for promotion in store.promotions(
        environment=environment.name, states=[state for state in State if state not in ENDED], but=Cause.CHECK
    ):
        release = store.release(promotion.release)
        decision = (
            rule(promotion, store.approvals(promotion.id), now).by
            if promotion.state is State.STAGED
            else None
        )
        commit = release.change.commit if release else ""
        blocks = of_release(controls, promotion.release)
        attempts.append(OpenPromotion(promotion, commit, decision, blocks, ends_of(workspace, promotion)))
    return tuple(attempts)


def _refresh(store: StateStore, environment: Environment) -> LastRefresh | None:
    from prefect_sluice.promotions.refresh_history import last

    return last(store, environment.name)


def _lease(store: StateStore, environment: Environment) -> Lease | None:
    from prefect_sluice.runtime import process
    from prefect_sluice.state.lease import holder_is_dead

    lease = store.lease(environment.name)
    if lease is None or lease.expires_at <= process.now() or holder_is_dead(lease.holder, process.host()):
        return None
    return lease


def _document(standing: EnvironmentStanding) -> Json:
    from prefect_sluice.domain import old_names
    from prefect_sluice.reporting import json_documents

    lease = standing.lease
    return {
        "environment": standing.name,
        "generation": json_documents.generation(standing.generation)
        if standing.generation and standing.generation.number
        else None,
        "release": json_documents.release(standing.release) if standing.release else None,
        "warehouse": {"path": standing.warehouse, "bytes": standing.size, "problem": standing.problem},
        "displaced": [displaced_name.document() for displaced_name in standing.displaced],
        "old_names": [old_name.document() for old_name in old_names.of(standing.generation)]
        if standing.generation
        else [],
        "copy": standing.copy.document() if standing.copy else None,
        "recorded_generation": standing.recorded,
        "open": [
            {
                **json_documents.promotion(attempt.promotion),
                "next": attempt.next,
                "ends": [asdict(other) for other in attempt.ends],
            }
            for attempt in standing.open
        ],
        "controls": [json_documents.control(control) for control in standing.controls],
        "refresh": _refresh_document(standing),
        "lease": {"holder": lease.holder, "since": lease.acquired_at.isoformat()} if lease else None,
    }


def _refresh_document(standing: EnvironmentStanding) -> Json:
    last = standing.refresh
    if last is None:
        return None
    ended = last.ended.isoformat() if last.ended else None
    return {"at": last.at.isoformat(), "ended": ended, "status": last.status, "message": last.message}
