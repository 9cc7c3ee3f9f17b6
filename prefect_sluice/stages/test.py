"""Test: what needs no data. Lint, the project's own pytest, dbt unit tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from prefect_sluice import gates, inputs
from prefect_sluice.faults import Point, reach
from prefect_sluice.gates.base import Needs, UnitResults
from prefect_sluice.generation import Cause
from prefect_sluice.loading import Loaded, load, selector
from prefect_sluice.plan import Plan
from prefect_sluice.results import NodeResult
from prefect_sluice.stages import asking
from prefect_sluice.stages.records import (
    SERVED,
    OutOfOrder,
    keep_reports,
    opened,
    promotion_of,
    recorded,
    refuse,
)
from prefect_sluice.stages.work import Work, tell
from prefect_sluice.verdict import GateReport
from prefect_sluice.workshop import Place, Workshop

STAGE = "test"


def test(work: Work) -> Work:
    """Return the work with the findings of the source gates; ended if they do not let it through."""
    workshop, place = opened(work)
    promotion, plan = promotion_of(work), work.plan
    if plan is None or work.release is None:
        raise OutOfOrder()
    if promotion.state in SERVED:
        return work
    reports = recorded(workshop, promotion, STAGE) or _judged(workshop, place, work, plan)
    reach(Point.TEST_JUDGED)
    # Nothing here may apply (no linter, no tests); that the relations were built is Stage's to find out.
    applies = [report for report in reports if not report.not_applicable]
    if applies and not gates.judge(applies, workshop.settings.gates).lets_through:
        return refuse(work, workshop, reports, STAGE)
    return replace(work, reports=(*work.reports, *reports))


def _judged(workshop: Workshop, place: Place, work: Work, plan: Plan) -> tuple[GateReport, ...]:
    assert work.release is not None
    loaded = load(workshop, place, work.release)
    known = asking.subject(workshop, place, loaded, work.release, plan)
    known = replace(
        known,
        unit_tests=partial(_unit_tests, workshop, place, loaded, plan),
        without_rows=partial(_without_rows, workshop, place, loaded, plan),
    )
    # A refresh has the code that passed these gates already.
    needs = () if work.request.cause is Cause.REFRESH else (Needs.SOURCES,)
    reports = asking.ask(gates.asked(workshop.settings.gates, needs), known, workshop)
    keep_reports(workshop, promotion_of(work), STAGE, reports)
    return reports


def _unit_tests(workshop: Workshop, place: Place, loaded: Loaded, plan: Plan) -> UnitResults:
    made = set(plan.made)
    wanted = [
        test
        for test in loaded.project.tests.values()
        if test.is_unit and (test.unique_id in plan.tests or _model(test.parents, test.unique_id) in made)
    ]
    if not wanted:
        return UnitResults()
    tell(f"{len(wanted)} unit tests")
    _prepare_columns(workshop, place, loaded, plan, {parent for test in wanted for parent in test.parents})
    results = loaded.session.run_unit_tests(loaded.manifest, *(selector(test.fqn) for test in wanted))
    return UnitResults(tuple(results), expected=len(wanted))


def _model(parents: tuple[str, ...], unique_id: str) -> str:
    name = unique_id.split(".")[2]
    return next((parent for parent in parents if parent.endswith(f".{name}")), "")


def _without_rows(
    workshop: Workshop, place: Place, loaded: Loaded, plan: Plan, wanted: Sequence[str]
) -> Sequence[NodeResult]:
    """Build nodes, and those of the plan that they read, without rows. Nobody reads the side database afterwards."""
    made = {uid for uid in wanted if uid in plan.made}
    if not made:
        return ()
    tell(f"{len(made)} contracts without rows")
    _lay(workshop, place, loaded, plan)
    chosen = {*made, *_above(loaded, made, set(plan.made))}
    selectors = [selector(node.fqn) for uid, node in loaded.project.nodes.items() if uid in chosen]
    return loaded.session.build_empty(loaded.manifest, "--select", *selectors)


def _lay(workshop: Workshop, place: Place, loaded: Loaded, plan: Plan) -> None:
    """Make the side database anew, with what is served and is not built standing in it."""
    warehouse = workshop.warehouse(place)
    live = plan.base_of(warehouse.generation(place.name))
    laid = inputs.before_build(live, plan, warehouse.relations(), loaded.project.hooks)
    warehouse.prepare(loaded.session.side, laid)


def _prepare_columns(workshop: Workshop, place: Place, loaded: Loaded, plan: Plan, models: set[str]) -> None:
    """Stand what the unit-tested models read in the side database: without rows, or with, where that cannot be built."""
    _lay(workshop, place, loaded, plan)
    needed = _above(loaded, models, set(plan.made))
    if not needed:
        return
    chosen = [selector(loaded.project.nodes[uid].fqn) for uid in needed]
    empty = loaded.session.build_empty(loaded.manifest, "--select", *chosen)
    if not all(_built(result) for result in empty):
        loaded.session.build(
            loaded.manifest, "--exclude-resource-type", "test", "unit_test", "--select", *chosen
        )


def _built(result: NodeResult) -> bool:
    return result.ok or result.kind == "operation"


def _above(loaded: Loaded, models: set[str], made: set[str]) -> tuple[str, ...]:
    nodes = loaded.project.nodes
    found: set[str] = set()
    todo = [parent for uid in models if uid in nodes for parent in nodes[uid].parents]
    while todo:
        uid = todo.pop()
        if uid in made and uid in nodes and uid not in found:
            found.add(uid)
            todo.extend(nodes[uid].parents)
    return tuple(uid for uid in nodes if uid in found)
