"""Whether a candidate can be served at all: each of its pointers leads to a relation. No setting of a gate changes that."""

from __future__ import annotations

from collections.abc import Iterable

from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.build.gate import first_line
from prefect_sluice.planning.candidate import CandidateContents
from prefect_sluice.stages.candidate.make import MadeCandidate
from prefect_sluice.warehouse.base import Warehouse

STAGE = "stage"


def report(warehouse: Warehouse, environment: str, made: MadeCandidate) -> tuple[GateReport, ...]:
    """Return what cannot be served, as a report that nothing in sluice.yml weakens; none if all can be.

    Gates are for what can be served and perhaps should not be. What was not built has no relation, whatever the gate `build`
    is set to.
    """
    missing = _missing(warehouse, environment, made.contents)
    if not missing:
        return ()
    results = {item.unique_id: item for item in made.results if item.kind != "test"}
    return (GateReport(STAGE, tuple(_finding(item, results.get(item.node)) for item in missing)),)


def _missing(warehouse: Warehouse, environment: str, contents: CandidateContents) -> tuple[Pointer, ...]:
    """Return the pointers to which there is no relation, neither in the candidate nor in the warehouse."""
    brought = {item.address for item in (*contents.tables, *contents.views)}
    there = _addresses(warehouse.generation(environment).pointers) | brought
    doubtful = [item for item in contents.pointers if item.address not in there]
    older = _addresses(warehouse.kept(environment)) if doubtful else set[object]()
    return tuple(item for item in doubtful if item.address not in older)


def _addresses(pointers: Iterable[Pointer]) -> set[object]:
    return {item.address for item in pointers}


def _finding(pointer: Pointer, result: NodeResult | None) -> Finding:
    failed = result is not None and not result.ok and result.status != "skipped"
    why = first_line(result.message) if result is not None and failed else "it was left out"
    verdict = Verdict.FAILED if failed else Verdict.INCONCLUSIVE
    told = f"{pointer.name} was not built, so it cannot be served, whatever gates.build says: {why}"
    return Finding(STAGE, "servable", verdict, told, (pointer.node,))
