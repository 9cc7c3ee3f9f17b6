"""What a release builds on without building it anew: does it hold what was published? Read again, unless nobody wrote since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.canonical import Json, digest
from prefect_sluice.errors import Refused
from prefect_sluice.generation import Pointer
from prefect_sluice.node import Name, Node
from prefect_sluice.plan import Action, Plan
from prefect_sluice.stages.rereading import mended
from prefect_sluice.stages.work import tell
from prefect_sluice.verdict import Finding, GateReport, Verdict
from prefect_sluice.warehouse.base import Publication
from prefect_sluice.warehouse.content import Content, Reread
from prefect_sluice.workshop import Place, Workshop

if TYPE_CHECKING:
    from prefect_sluice.stages.making import Made

STAGE = "stage"
_KIND = "held.1"
"""One entry per warehouse file: its stamp, and the relations that were known under it to hold what was published."""


def built_on(plan: Plan, nodes: Mapping[str, Node]) -> Mapping[Name, Pointer]:
    """Return what was published before and goes into what the plan makes or serves again, by physical address. Pure.

    The direct parents that are reused, through views to the tables whose rows they show; the history that is carried on; and
    what an older generation served.
    """
    reused = {step.node: step.pointer for step in plan.of(Action.REUSE) if step.pointer}
    found = [step.pointer for step in plan.of(Action.CARRY) if step.pointer]
    found += [reused[uid] for uid in plan.relinked if uid in reused]
    seen, todo = set[str](), [parent for uid in plan.made for parent in nodes[uid].parents]
    while todo:
        uid = todo.pop()
        if uid in seen or uid not in reused or uid not in nodes:
            continue
        seen.add(uid)
        found.append(reused[uid])
        if nodes[uid].stays_a_view:
            todo.extend(nodes[uid].parents)
    return {pointer.address: pointer for pointer in found}


def look(workshop: Workshop, place: Place, plan: Plan, nodes: Mapping[str, Node]) -> tuple[Reread, ...]:
    """Return the relations under the plan of which it cannot be told whether they hold what was published, as they are now.

    Costs nothing where the file is as Sluice left it, else a scan of each of them. Raises Refused for one that was edited, and
    WarehouseBusy. Repeatable.
    """
    wanted = built_on(plan, nodes)
    if not wanted or not plan.base or not workshop.settings.warehouse.reread_parents:
        return ()
    warehouse = workshop.warehouse(place)
    with warehouse.reader():  # keeps writers out while the stamp is taken and the rows are read
        stamp = warehouse.stamp()
        known = _known(workshop, place, stamp)
        doubtful = sorted(wanted.keys() - known, key=str)
        if doubtful:
            tell(f"reading again {len(doubtful)} relations that are built on")
        found = warehouse.reread(doubtful)
    _refuse_edited(found, wanted)
    fresh = {item.address for item in found if item.holds}
    if fresh:
        _remember(workshop, place, stamp, known | fresh)
    return tuple(item for item in found if not item.holds)


def look_again(
    workshop: Workshop, place: Place, plan: Plan, nodes: Mapping[str, Node], before: tuple[Reread, ...]
) -> None:
    """Raise Refused where what was built on is not what it was `before` the build: the build may have read either."""
    now = look(workshop, place, plan, nodes)
    moved = [item for item in now if item not in before]
    if moved:
        raise Refused(
            f"{moved[0].address} changed while it was built from", "run the command again: it plans anew"
        )


def renewed(untold: Iterable[Reread]) -> tuple[Content, ...]:
    """Return the digests that are written down in place of those that say nothing any more. Pure."""
    return tuple(item.now for item in untold if item.now is not None)


def report(made: Made) -> tuple[GateReport, ...]:
    """Return what is built on although nobody can tell whether it was edited, as a warning; none where all could be told."""
    names = {pointer.address: str(pointer.name) for pointer in made.contents.pointers}
    findings = tuple(
        Finding(
            STAGE,
            "content",
            Verdict.WARNED,
            f"{names.get(item.address, 'a history')}: {item.words}: whether it was edited cannot be told. It is built on as it"
            " is, and from this publish on its digest of now counts",
        )
        for item in made.untold
    )
    return (GateReport(STAGE, findings),) if findings else ()


def carry_over(workshop: Workshop, place: Place, before: str, after: str, publication: Publication) -> None:
    """Note what holds what was published under the stamp `after`: what did under `before`, since our own publish is all that
    was written, and what it brought, byte for byte as it was sealed."""
    brought = {item.address for item in (*publication.tables, *publication.views)}
    known = _known(workshop, place, before) | brought
    if after and known:
        _remember(workshop, place, after, known)


def _refuse_edited(found: Iterable[Reread], pointers: Mapping[Name, Pointer]) -> None:
    edited = [item for item in found if item.is_edited]
    if edited:
        pointer = pointers[edited[0].address]
        more = f" (and {len(edited) - 1} more)" if len(edited) > 1 else ""
        fix = mended(pointer, edited[0])
        if pointer.kind.keeps_history:  # rows that somebody had to take out, say, cannot be put back
            fix += "; if the edit was meant, build on it as it is: `warehouse: {reread_parents: false}`"
        raise Refused(f"{pointer.name}, on which this is built: {edited[0].words}{more}", fix)


def _entry(place: Place) -> str:
    return digest(str(place.target.path.resolve()))


def _known(workshop: Workshop, place: Place, stamp: str) -> frozenset[Name]:
    key = _entry(place)
    entry = cast("dict[str, Any] | None", workshop.store.cached(_KIND, [key]).get(key))
    if not stamp or entry is None or entry["stamp"] != stamp:
        return frozenset()
    return frozenset(Name.parse(text) for text in entry["addresses"])


def _remember(workshop: Workshop, place: Place, stamp: str, addresses: Collection[Name]) -> None:
    if not stamp:
        return
    entry: Json = {"stamp": stamp, "addresses": sorted(str(address) for address in addresses)}
    with workshop.store.transaction() as transaction:
        transaction.put_cached(_KIND, _entry(place), entry)
