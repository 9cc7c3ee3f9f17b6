"""Work that another attempt, or a check, finished: relations taken from its candidate where they would be built just the
same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.errors import BadInput, BundleDamaged
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.planning.candidate import CandidateContents
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.candidate_files import REUSABLE, contents_of, is_here, kept_candidates
from prefect_sluice.promotions.records import WAITING
from prefect_sluice.promotions.work import tell
from prefect_sluice.warehouse.base import IncomingTable, Warehouse
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.workspace.workspace import Environment, Workspace


@dataclass(frozen=True, slots=True)
class FinishedRelation:
    """One relation, finished: its node, the promotion that built it, and where its rows are in that one's candidate."""

    node: str
    promotion: str
    place: CandidatePlace
    source: Name


def find(
    workspace: Workspace,
    environment: Environment,
    plan: Plan,
    promotion: Promotion,
    *,
    never: Collection[str] = (),
) -> Mapping[str, FinishedRelation]:
    """Return what need not be built, by unique id: the same node, fingerprint and inputs, in a candidate that is whole.

    `never` are nodes that must be built all the same. Views are left out: to build one costs nothing. A check does not look at
    what waits for a yes: that may be published, and its candidate go, while the check runs.
    """
    wanted = {
        (step.node, step.fingerprint, step.inputs)
        for step in plan.steps
        if step.action.makes and step.kind is not NodeKind.VIEW and step.node not in never
    }
    found: dict[str, FinishedRelation] = {}
    if not wanted:
        return found
    there = kept_candidates(workspace)
    warehouse = workspace.warehouse(environment)
    states = REUSABLE | WAITING if promotion.cause.publishes else REUSABLE
    for old in workspace.store.promotions(environment=environment.name, states=states):
        if old.id == promotion.id or old.id not in there:
            continue
        place, contents = _find_candidate(workspace, warehouse, old)
        matching = (
            {uid: name for uid, name in _same(contents, wanted) if uid not in found} if contents else {}
        )
        if place and contents and matching and is_here(workspace, warehouse, old.id, place, contents.file):
            found |= {uid: FinishedRelation(uid, old.id, place, name) for uid, name in matching.items()}
    return found


def _find_candidate(
    workspace: Workspace, warehouse: Warehouse, old: Promotion
) -> tuple[CandidatePlace | None, CandidateContents | None]:
    """Return where a candidate belongs and what it holds, as far as that is known: else it is built again."""
    candidate = workspace.store.candidate(old.id) if old.evidence else None
    place = warehouse.place(candidate.path) if candidate and candidate.path else None
    if place is None:
        return None, None
    try:
        return place, contents_of(workspace, old)
    except (BadInput, BundleDamaged):
        return None, None


def _same(
    contents: CandidateContents, wanted: Collection[tuple[str, str, str]]
) -> Iterable[tuple[str, Name]]:
    tables = {table.address: table.source for table in contents.tables}
    for pointer in contents.pointers:
        if (pointer.node, pointer.fingerprint, pointer.inputs) in wanted and pointer.address in tables:
            yield pointer.node, tables[pointer.address]


def take(
    warehouse: Warehouse,
    side: CandidatePlace,
    found: Mapping[str, FinishedRelation],
    names: Mapping[str, Name],
) -> tuple[NodeResult, ...]:
    """Copy finished relations into the side database, under their public names, and answer for dbt what became of them."""
    for place in sorted({item.place for item in found.values()}, key=lambda place: place.at):
        here = [item for item in found.values() if item.place == place]
        tell(f"taking {count(len(here), 'relation')} from promotion {here[0].promotion}")
        warehouse.take(side, place, [IncomingTable(item.source, names[item.node]) for item in here])
    return tuple(_result(item) for item in found.values())


def _result(item: FinishedRelation) -> NodeResult:
    return NodeResult(
        unique_id=item.node,
        kind=item.node.partition(".")[0],
        status="success",
        message=f"built for promotion {item.promotion}, and taken from there",
        failures=None,
        seconds=0.0,
        relation="",
        parents=(),
        path="",
        compiled="",
        severity="",
    )
