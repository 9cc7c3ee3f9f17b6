"""What the columns that a promotion changes reach, gathered once from what Stage kept, and remembered.

For people: it is asked for when the verdict is there, no verdict depends on it, and where it cannot be made out it says why
(docs/decisions/0074-reach-of-changed-columns.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prefect_sluice.diff.changed_columns import changed_columns
from prefect_sluice.domain.declarations import Consumer, Declarations
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.verdict import Evidence, GateReport
from prefect_sluice.planning.column_reach import ChangeReach, ColumnChange, below, change_reach, of_the_code
from prefect_sluice.planning.impact import reads
from prefect_sluice.planning.lineage_graph import LineageGraph, LineageRelation
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.promotions.work import Work
from prefect_sluice.sql.column_lineage import ROWS, QueryLineage, query_lineage
from prefect_sluice.stages.candidate.compiled_texts import (
    DIFF,
    MOST,
    TEXTS,
    changed_nodes,
    remembered_columns,
)
from prefect_sluice.workspace.workspace import Workspace

_REACH = "reach.1"
"""With the number of its form."""
_TOO_MANY = f"more than {MOST} relations stand below what changes"


def reach_of(
    workspace: Workspace, promotion: Promotion, plan: Plan | None, reports: Sequence[GateReport]
) -> ChangeReach | None:
    """Return what the columns that a promotion changes reach: as remembered, else read now from what Stage kept. None where no
    column changed. Opens no warehouse. Raises nothing: whatever goes wrong is said in its place.
    """
    if plan is None or plan.cause.renews:
        return None
    try:
        changes = _changes(plan, reports)
        return _remembered(workspace, promotion, plan, reports, changes) if changes else None
    except Exception as error:  # it is for people: no release and no report hangs on it
        return ChangeReach(untold=(str(error).splitlines() or [type(error).__name__])[0])


def reach_of_work(work: Work) -> ChangeReach | None:
    """Return what the columns that a piece of work changes reach. Raises nothing, as `reach_of`."""
    if work.promotion is None:
        return None
    return reach_of(work.workspace.anew(), work.promotion, work.plan, work.reports)


def _remembered(
    workspace: Workspace,
    promotion: Promotion,
    plan: Plan,
    reports: Sequence[GateReport],
    changes: Sequence[ColumnChange],
) -> ChangeReach:
    changed: Json = [[change.node, change.column, change.change] for change in changes]
    key = digest([promotion.id, plan.digest, changed])
    document = workspace.store.cached(_REACH, [key]).get(key)
    if document is not None:
        return ChangeReach.read(document)
    columns = remembered_columns(workspace, plan)
    if columns is None:
        return ChangeReach(untold="its SQL, as it ran, is not kept")
    reach = change_reach(_graph(workspace, promotion, plan, reports, changes, columns), changes, plan)
    with workspace.store.transaction() as transaction:
        transaction.put_cached(_REACH, key, reach.document())
    return reach


def _changes(plan: Plan, reports: Sequence[GateReport]) -> tuple[ColumnChange, ...]:
    """Return the columns that the code changes, in build order, as the gate `diff` has them."""
    moved, tables = of_the_code(plan), _tables(reports)
    return tuple(
        ColumnChange(step.node, step.name, column, change)
        for step in plan.steps
        if step.node in moved and step.action is not Action.REMOVE
        for column, change in changed_columns(tables.get(step.node, ())).items()
    )


def _tables(reports: Iterable[GateReport]) -> Mapping[str, tuple[Evidence, ...]]:
    """Return the tables of each relation that the gate `diff` found changed."""
    changed = changed_nodes(reports)
    return {
        finding.subject: finding.more
        for report in reports
        if report.gate == DIFF
        for finding in report.findings
        if finding.subject in changed and finding.more
    }


def _graph(
    workspace: Workspace,
    promotion: Promotion,
    plan: Plan,
    reports: Sequence[GateReport],
    changes: Sequence[ColumnChange],
    read: Mapping[Name, tuple[str, ...]],
) -> LineageGraph:
    """Return the lineage of the relations below the changed columns, as the release's own code makes them; `read` are the columns
    of what that code reads."""
    environment = workspace.environment(promotion.environment)
    declared = workspace.store.declared(environment.name, promotion.release) or Declarations()
    steps = {step.node: step for step in plan.steps if not step.is_by_product}
    under = [uid for uid in below(plan, {change.node for change in changes}) if uid in steps]
    texts = workspace.store.cached(TEXTS, [steps[uid].fingerprint for uid in under[:MOST]])
    warehouse = workspace.warehouse(environment)
    columns = _with_dropped(read, steps, _tables(reports))
    names = {change.relation.folded: change for change in changes}
    relations = {
        name: LineageRelation(change.relation, change.node, columns=columns.get(name, ()))
        for name, change in names.items()
    }
    for number, uid in enumerate(under):
        step = steps[uid]
        text, name = str(texts.get(step.fingerprint) or ""), step.name.folded
        made = query_lineage(text, warehouse.dialect, warehouse.catalog, columns) if text else None
        relations[name] = LineageRelation(
            step.name,
            uid,
            step.kind.value,
            _columns(columns.get(name, ()), made),
            made,
            _why(step, declared) if number < MOST else _TOO_MANY,
            tuple(steps[parent].name.folded for parent in plan.notes.makeup[uid].reads if parent in steps),
        )
    return LineageGraph(relations, _readers(declared.consumers.values(), plan, steps))


def _with_dropped(
    read: Mapping[Name, tuple[str, ...]],
    steps: Mapping[str, Step],
    tables: Mapping[str, Sequence[Evidence]],
) -> Mapping[Name, tuple[str, ...]]:
    """Return the columns of relations as the release has them, and those that it drops: who still reads one is to be seen."""
    gone = {steps[uid].name.folded: changed_columns(own) for uid, own in tables.items() if uid in steps}
    return {name: _each_once(read.get(name, ()), gone.get(name, ())) for name in read.keys() | gone.keys()}


def _columns(there: Iterable[str], made: QueryLineage | None) -> tuple[str, ...]:
    """Return the columns that a relation's query makes, as they are written in the warehouse; where nobody reads it, those there.
    One that the query has not (dropped on purpose, or dbt's own of a snapshot) is made of nothing that changes."""
    if made is None or made.unread:
        return _each_once(there)
    own = {*made.columns, *made.unknown}
    return _each_once((name for name in there if name.lower() in own), own)


def _each_once(*parts: Iterable[str]) -> tuple[str, ...]:
    """Return names of columns, each as it is written first; case tells none apart."""
    names: dict[str, str] = {}
    for name in (name for part in parts for name in part if name != ROWS):
        names.setdefault(name.lower(), name)
    return tuple(names.values())


def _why(step: Step, declared: Declarations) -> str:
    """Return why nobody reads the code of a relation that has no text."""
    if step.kind is NodeKind.SEED:
        return ""
    description = declared.described.get(step.node)
    if description is not None and description.path.endswith(".py"):
        return "python model"
    return "its SQL, as it ran, is not kept"


def _readers(
    consumers: Iterable[Consumer], plan: Plan, steps: Mapping[str, Step]
) -> tuple[tuple[Consumer, Mapping[Name, frozenset[str] | None]], ...]:
    """Return which columns of which relations each consumer reads (None: all)."""
    return tuple(
        (
            consumer,
            {
                steps[uid].name.folded: None if names is None else frozenset(name.lower() for name in names)
                for uid, names in reads(consumer, plan).items()
                if uid in steps
            },
        )
        for consumer in consumers
    )
