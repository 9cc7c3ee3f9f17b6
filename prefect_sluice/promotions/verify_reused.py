"""Content check of reused relations: do they hold what was published? Read again, unless nobody wrote since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.errors import Refused
from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.node import Name, Node
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.planning.expectations import ExpectedEdit
from prefect_sluice.planning.plan import Action, Plan
from prefect_sluice.promotions import declared_edits
from prefect_sluice.promotions.reread import mended
from prefect_sluice.promotions.work import tell
from prefect_sluice.warehouse.base import Publication, Warehouse
from prefect_sluice.warehouse.content import RelationContent, RereadRelation
from prefect_sluice.workspace.workspace import Environment, Workspace

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


@dataclass(frozen=True, slots=True)
class DoubtfulRelation:
    """A relation that is built on as it is, though it does not hold what was published, or nobody can tell. `meant` is the
    word of a commit for its edit."""

    pointer: Pointer
    found: RereadRelation
    meant: ExpectedEdit | None = None


@dataclass(frozen=True, slots=True)
class ReuseCheck:
    """What was found: `doubtful` relations, and what commits declare of edits that are none, in words, with where."""

    doubtful: tuple[DoubtfulRelation, ...] = ()
    empty: tuple[tuple[ExpectedEdit, str], ...] = ()

    @property
    def renewed(self) -> tuple[RelationContent, ...]:
        """The digests that are written down in place of those that do not count any more."""
        return tuple(item.found.now for item in self.doubtful if item.found.now is not None)


def verify_reused(
    workspace: Workspace,
    environment: Environment,
    plan: Plan,
    nodes: Mapping[str, Node],
    meant: Sequence[ExpectedEdit] = (),
) -> ReuseCheck:
    """Return the relations under the plan of which it cannot be told whether they hold what was published, and those of which
    a commit declares that they were edited (`meant`), in every generation that can be served.

    Costs nothing where the file is as Sluice left it, else a scan of each of them. Raises Refused for one that was edited
    without such a word, and WarehouseBusy. Repeatable.
    """
    warehouse = workspace.warehouse(environment)
    declared = declared_edits.declared(plan, warehouse.kept(environment.name) if meant else (), meant)
    on = bool(plan.base) and workspace.settings.warehouse.reread_parents
    reads = built_on(plan, nodes) if on else dict[Name, Pointer]()
    wanted = {**reads, **{address: item.pointer for address, item in declared.items()}}
    if not wanted:
        return ReuseCheck(empty=declared_edits.empty(plan, meant, {}, ()))
    found = _read_again(workspace, environment, warehouse, wanted)
    _refuse_edited(found, wanted, declared, declared_edits.describe_unknown_edits(plan, meant))
    # Of what a commit speaks of beside what is read: what is gone from an older generation is nothing to build on.
    others = tuple(
        DoubtfulRelation(
            wanted[item.address], item, declared[item.address].word if item.address in declared else None
        )
        for item in found
        if not item.holds and (item.now is not None or item.address in reads)
    )
    told = [item.found.address for item in others]
    return ReuseCheck(others, declared_edits.empty(plan, meant, declared, told))


def _read_again(
    workspace: Workspace, environment: Environment, warehouse: Warehouse, wanted: Collection[Name]
) -> tuple[RereadRelation, ...]:
    """Read what is not known to hold what was published, and remember what does."""
    if _verified_addresses(workspace, environment, warehouse.stamp()).issuperset(wanted):
        return ()  # nobody wrote since they were read
    with warehouse.reader() as reader:
        stamp = reader.stamp()  # that of the rows that are read here
        known = _verified_addresses(workspace, environment, stamp)
        doubtful = sorted(set(wanted) - known, key=str)
        if doubtful:
            tell(f"reading again {count(len(doubtful), 'relation that is', 'relations that are')} built on")
        found = reader.reread(doubtful)
    fresh = {item.address for item in found if item.holds}
    if fresh:
        _remember(workspace, environment, stamp, known | fresh)
    return found


def look_again(
    workspace: Workspace,
    environment: Environment,
    plan: Plan,
    nodes: Mapping[str, Node],
    meant: Sequence[ExpectedEdit],
    before: ReuseCheck,
) -> None:
    """Raise Refused where what was built on is not what it was `before` the build: the build may have read either."""
    now = verify_reused(workspace, environment, plan, nodes, meant)
    moved = [item for item in now.doubtful if item not in before.doubtful]
    if moved:
        raise Refused(
            f"{moved[0].found.address} changed while it was built from",
            "run the command again: it plans anew",
        )


def report(looked: ReuseCheck) -> tuple[GateReport, ...]:
    """Return what is built on although it was edited, as a commit declares, or nobody can tell, as warnings; none where all
    holds what was published."""
    findings = (
        *(_finding(item) for item in looked.doubtful),
        *(_said_for_nothing(word, why) for word, why in looked.empty),
    )
    return (GateReport(STAGE, findings),) if findings else ()


def _said_for_nothing(word: ExpectedEdit, why: str) -> Finding:
    told = f"{word.where} declares an edit of {word.relation}: {why}"
    return Finding(STAGE, "content", Verdict.WARNED, told, location=word.where)


def _finding(item: DoubtfulRelation) -> Finding:
    found, name = item.found, item.pointer.name
    if item.meant is None:
        told = (
            f"{name}: {found.words}: whether it was edited cannot be told. It is built on as it is, and from this publish on its"
            " digest of now counts"
        )
        return Finding(STAGE, "content", Verdict.WARNED, told, (item.pointer.node,))
    return Finding(
        STAGE,
        "content",
        Verdict.WARNED,
        f"{name}: {found.words}; {item.meant.words} declares the edit: from this publish on its digest of now counts",
        (item.pointer.node,),
        observed=found.now.rows if found.now else None,
        limit=found.was.rows if found.was else None,
        location=item.meant.where,
    )


def carry_over(
    workspace: Workspace, environment: Environment, before: str, after: str, publication: Publication
) -> None:
    """Note what holds what was published under the stamp `after`: what did under `before`, since our own publish is all that
    was written, and what it brought, byte for byte as it was sealed."""
    brought = {item.address for item in (*publication.tables, *publication.views)}
    known = _verified_addresses(workspace, environment, before) | brought
    if after and known:
        _remember(workspace, environment, after, known)


def _refuse_edited(
    found: Iterable[RereadRelation],
    pointers: Mapping[Name, Pointer],
    declared: Mapping[Name, declared_edits.DeclaredEdit],
    unknown: str,
) -> None:
    edited = [item for item in found if item.is_edited and item.address not in declared]
    if edited:
        pointer = pointers[edited[0].address]
        more = f" (and {len(edited) - 1} more)" if len(edited) > 1 else ""
        no_word = f"; {unknown}" if unknown else ""
        raise Refused(
            f"{pointer.name}, on which this is built: {edited[0].words}{more}{no_word}",
            mended(pointer, edited[0]),
        )


def _entry(environment: Environment) -> str:
    return digest(environment.database.identity)


def _verified_addresses(workspace: Workspace, environment: Environment, stamp: str) -> frozenset[Name]:
    key = _entry(environment)
    entry = cast("dict[str, Any] | None", workspace.store.cached(_KIND, [key]).get(key))
    if not stamp or entry is None or entry["stamp"] != stamp:
        return frozenset()
    return frozenset(Name.parse(text) for text in entry["addresses"])


def _remember(
    workspace: Workspace, environment: Environment, stamp: str, addresses: Collection[Name]
) -> None:
    if not stamp:
        return
    entry: Json = {"stamp": stamp, "addresses": sorted(str(address) for address in addresses)}
    with workspace.store.transaction() as transaction:
        transaction.put_cached(_KIND, _entry(environment), entry)
