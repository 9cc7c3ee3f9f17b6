"""An environment in a folder, for a check on another machine: its warehouse, the state store, the bundles of what serves.

The warehouse is copied first, and the state store afterwards; both are of one moment, or they are copied again.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from prefect_sluice.domain.digests import Json, digest_file
from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.ledger import LEFT, ServedNow
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.untrusted_text import parsing
from prefect_sluice.maintenance.needed import bundles_of_history, bundles_of_what_serves
from prefect_sluice.promotions.lookups import existing_store
from prefect_sluice.promotions.records import OPEN
from prefect_sluice.runtime import process
from prefect_sluice.state import backup
from prefect_sluice.state.backed_up_bundles import add_bundles, put_bundles
from prefect_sluice.state.exported import IMPORTED, Export, export_of, imported_here
from prefect_sluice.state.store import StateStore, Transaction
from prefect_sluice.workspace.workspace import Environment, Workspace

WAREHOUSE, STATE, FACTS = "warehouse", "state.db", "export.json"
"""The names of the files in the folder."""
_VERSION = 1
_ACTOR = "sluice export"
_AT_HOME = "it is not part of this export"
_EXPIRED = f"promotion.{State.EXPIRED.value}"
_ATTEMPTS = 3
"""How often both are copied, until no generation was published between the one and the other."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An export that is in place; `anew` says whether it was put there just now."""

    exported: Export
    anew: bool


def export(workspace: Workspace, environment: Environment, folder: Path) -> Export:
    """Write an environment into a new folder, for its owner alone; it is there whole or not at all, and others go on with their
    work. Changes nothing else.

    Rows that gates showed, and records of what never served, are left out of the state store. Raises BadInput where the folder is
    there, or nothing is served; Refused where a generation was published each time, or a bundle file cannot be read; and what a
    backup raises.
    """
    if folder.exists() or folder.is_symlink():
        raise BadInput("is there already", str(folder), "name another folder, or move that one away")
    if not folder.parent.is_dir():
        raise BadInput("there is no such folder", str(folder.parent), "make it, or name another one")
    if existing_store(workspace) is None:
        raise BadInput("there is no state store yet", workspace.state, "release something: sluice release")
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as place:
        fresh = Path(place) / "export"
        fresh.mkdir(mode=0o700)
        serving = _copied(workspace, environment, fresh)
        names = (WAREHOUSE, STATE)
        done = Export(
            environment.name, serving["generation"], serving["release"], process.now(),
            {name: digest_file(fresh / name) for name in names},
        )  # fmt: skip
        document = {"version": _VERSION, **done.document()}
        (fresh / FACTS).write_text(json.dumps(document, indent=2) + "\n")
        for name in (*names, FACTS):
            (fresh / name).chmod(0o600)
        fresh.rename(folder)
    return done


def _copied(workspace: Workspace, environment: Environment, folder: Path) -> ServedNow:
    """Copy both, until they agree on the generation that serves."""
    for _ in range(_ATTEMPTS):
        warehouse = workspace.warehouse(environment).back_up(environment.name, folder / WAREHOUSE)
        if not warehouse.generation.number:
            raise BadInput(
                "nothing is served yet",
                environment.name,
                f"release something: sluice release --env {environment.name}",
            )
        serving = _state(workspace, environment, folder / STATE)
        if serving is not None and serving["generation"] == warehouse.generation.number:
            return serving
        for name in (WAREHOUSE, STATE):
            (folder / name).unlink()
    raise Refused(
        f"{environment.name} was published to each time while it was copied, or its state store is not that of its warehouse",
        "run it again; see what does not agree: sluice doctor",
    )


def _state(workspace: Workspace, environment: Environment, file: Path) -> ServedNow | None:
    """Copy the state store, without what no check reads and what stays at home; return what it says that serves."""
    found: list[ServedNow | None] = []
    serving, older = bundles_of_what_serves(workspace), bundles_of_history(workspace)

    def lean(fresh: Path) -> None:
        copied = add_bundles(fresh, workspace.bundles, serving, older)
        if copied.lost:
            names = ", ".join(digest[:12] for digest in copied.lost[:5])
            raise Refused(f"bundle files cannot be read: {names}", "see what needs them: sluice doctor")
        store = StateStore.open(str(fresh))
        found.append(store.serves(environment.name))
        _end_what_stays(store, workspace, environment)
        _prune(store)
        with closing(sqlite3.connect(fresh)) as connection:
            connection.execute("vacuum")  # what was deleted is in the file until then

    backup.back_up(workspace.state, file, lean)
    return found[0]


def _end_what_stays(store: StateStore, workspace: Workspace, environment: Environment) -> None:
    """Record what the copy has not: promotions that are open at home, and environments in other databases."""
    now, waiting = process.now(), store.promotions(states=OPEN)
    elsewhere = {
        name: serving
        for name in store.served_environments()
        if (other := workspace.environments.get(name)) is not None
        and other.database.identity != environment.database.identity
        and (serving := store.serves(name)) is not None
    }
    with store.transaction() as transaction:
        _expire(transaction, waiting, now)
        for name, serving in elsewhere.items():
            left: Mapping[str, Json] = {"generation": serving["generation"], "release": serving["release"]}
            transaction.append(LEFT, environment=name, actor=_ACTOR, facts=left, at=now)


def _expire(transaction: Transaction, waiting: Iterable[Promotion], now: datetime) -> None:
    """End promotions in the copy: nobody is at work on them there."""
    for promotion in waiting:
        transaction.put_promotion(replace(promotion, state=State.EXPIRED, updated_at=now, message=_AT_HOME))
        facts: Mapping[str, Json] = {"promotion": promotion.id, "release": promotion.release}
        transaction.append(_EXPIRED, environment=promotion.environment, actor=_ACTOR, facts=facts, at=now)


def _prune(store: StateStore) -> None:
    """Take out what no check reads: rows that gates showed, records of promotions that never served and are over."""
    promotions = store.promotions()
    kept = {one.id for one in promotions if one.generation is not None or one.state in OPEN}
    over = {one.id for one in promotions} - kept
    with store.transaction() as transaction:
        transaction.prune_reports(kept, over)
        transaction.drop_unserved(over)


def put_in_place(workspace: Workspace, folder: Path, *, actor: str) -> Placed:
    """Put the files of an export where sluice.yml and the profile of this machine say. Repeatable: what a crash left half done
    goes on, and where that export is in place already, nothing is changed, whatever was done there since.

    Raises BadInput for what is no export, whose files are not what was exported, or whose place is taken; what a restore raises.
    """
    exported = _read(folder)
    environment = workspace.environment(exported.environment)
    if _in_place(workspace, environment, exported):
        return Placed(exported, anew=False)
    workspace.warehouse(environment).put_back(folder / WAREHOUSE)
    put_bundles(folder / STATE, workspace.bundles)
    now = process.now()

    def remember(transaction: Transaction) -> None:
        transaction.append(
            IMPORTED, environment=environment.name, actor=actor, facts=exported.document(), at=now
        )

    backup.restore(folder / STATE, workspace.state, actor=actor, at=now, also=remember)
    return Placed(exported, anew=True)


def _in_place(workspace: Workspace, environment: Environment, exported: Export) -> bool:
    """Say whether this very export is here already; False where nothing is. Raises BadInput where something else is."""
    store = existing_store(workspace)
    if store is None or not store.entries(limit=1):
        return False
    former = imported_here(store, environment.name)
    is_same = former == exported
    if is_same and environment.database.exists():
        return True
    holds = (
        "holds this export already, and its warehouse is gone"
        if is_same
        else f"holds another export already: {former.line}"
        if former
        else "holds a state store already, which no import made"
    )
    both = f"{workspace.state} and {environment.database.place}"
    raise BadInput(
        holds, workspace.state, f"see what is there: sluice status; to import in its place, move {both} away"
    )


def _read(folder: Path) -> Export:
    place, fix = str(folder / FACTS), "name a folder that this made: sluice export"
    if not (folder / FACTS).is_file():
        raise BadInput(f"is no export: it has no {FACTS}", str(folder), fix)
    with parsing("is no export", place, fix):
        facts = json.loads((folder / FACTS).read_text())
        if facts.pop("version", _VERSION) != _VERSION:
            raise BadInput(
                "was made by another version of Sluice", place, "export and import with the same one"
            )
        exported = export_of(facts)
        files = {name: exported.files[name] for name in (WAREHOUSE, STATE)}
    for name, digest in files.items():
        if not (folder / name).is_file() or digest_file(folder / name) != digest:
            raise BadInput(
                "is not what was exported", str(folder / name), "export it again, and copy it whole"
            )
    return exported
