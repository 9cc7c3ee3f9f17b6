"""Content checks by turns: Monitor reads some served relations again and compares their rows with what was published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.node import Name, short_name
from prefect_sluice.domain.verdict import Finding, Verdict, WayPast
from prefect_sluice.gates.diff.comparison import expect_name
from prefect_sluice.runtime import process
from prefect_sluice.warehouse.base import quoted
from prefect_sluice.warehouse.content import RereadRelation
from prefect_sluice.warehouse.served import Rereads
from prefect_sluice.workspace.workspace import Environment, Workspace

EACH = timedelta(hours=1)
"""How often a look that comes each minute reads rows again: meanwhile nobody else can write to the file."""
_KIND = "reread.1"
"""Where the last turn ended, by environment; without it the next one begins with the first relation."""


def is_due(workspace: Workspace, environment: Environment) -> bool:
    """Say whether the last turn was an hour ago."""
    last = _last(workspace, environment)
    return last is None or process.now() - datetime.fromisoformat(last["at"]) >= EACH


def reread(
    workspace: Workspace, environment: Environment, gate: str, pointers: Iterable[Pointer], reader: Rereads
) -> tuple[Finding, ...]:
    """Read relations again for as long as `warehouse.reread` says, from where the last turn ended; return what was found.

    Nothing where there is nothing to read. Records where it ended, and nothing else.
    """
    within = workspace.settings.warehouse.reread
    names = {pointer.address: pointer for pointer in pointers if not pointer.is_old_name}
    if not within or not names:
        return ()
    last = _last(workspace, environment)
    found = reader.reread(turn(names, last["after"] if last else ""), within=within)
    with workspace.store.transaction() as transaction:
        entry = {"after": str(found[-1].address) if found else "", "at": process.now().isoformat()}
        transaction.put_cached(_KIND, environment.name, entry)
    return _findings(gate, found, names)


def turn(addresses: Iterable[Name], after: str) -> tuple[Name, ...]:
    """Return all addresses in the order of this turn: what follows `after` first. Pure."""
    ordered = sorted(addresses, key=str)
    return (
        *(name for name in ordered if str(name) > after),
        *(name for name in ordered if str(name) <= after),
    )


def _last(workspace: Workspace, environment: Environment) -> Mapping[str, Any] | None:
    found = workspace.store.cached(_KIND, [environment.name]).get(environment.name)
    return cast("Mapping[str, Any] | None", found)


def _findings(
    gate: str, found: Sequence[RereadRelation], names: Mapping[Name, Pointer]
) -> tuple[Finding, ...]:
    edited = [item for item in found if item.is_edited]
    if edited:
        return tuple(
            Finding(
                gate,
                "content",
                Verdict.FAILED,
                f"{names[item.address].name}: {item.words}",
                (names[item.address].node,),
                observed=item.now.rows if item.now else None,
                limit=item.was.rows if item.was else None,
                fix=mended(names[item.address], item),
                way_past=WayPast.NAMED,
            )
            for item in edited
        )
    untold = [item for item in found if not item.is_told]
    told = len(found) - len(untold)
    summary = f"{told} of {count(len(names), 'relation holds', 'relations hold')} what was published"
    passed = Finding(gate, "content", Verdict.PASSED, summary, observed=told, limit=len(names))
    return (*((passed,) if told else ()), *((_untold(gate, untold),) if untold else ()))


def _untold(gate: str, untold: Sequence[RereadRelation]) -> Finding:
    more = f", and {len(untold) - 1} more" if len(untold) > 1 else ""
    told = f"{untold[0].words}{more}: whether it was edited cannot be told"
    return Finding(gate, "content", Verdict.WARNED, told, observed=len(untold), limit=0)


def mended(pointer: Pointer, edited: RereadRelation) -> str:
    """Return what to do with a relation that was edited: declare that it was meant, or have it hold again what it should.
    Pure."""
    name = expect_name(short_name(pointer.node) or pointer.name.identifier)
    meant = f"if the edit was meant, release a commit that says so: Expect: {name} edited (why); if not, "
    if pointer.kind.keeps_history:
        return (
            f"{meant}put its rows back from a backup of the warehouse: built anew it would lose its history"
        )
    what = "view" if edited.was is not None and edited.was.is_query else "table"
    address = quoted(pointer.address.schema, pointer.address.identifier)
    return f"{meant}have the next release build it again: drop {what} {address}, then sluice release"
