"""Test: what needs no data. Lint, the project's own pytest, dbt unit tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from prefect_sluice import gates
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.node import NodeKind, ancestors
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.gates.base import UnitResults
from prefect_sluice.planning import source_versions
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.load_project import LoadedProject, load
from prefect_sluice.promotions.records import (
    SERVED,
    OutOfOrder,
    keep_reports,
    opened,
    promotion_of,
    recorded,
    refuse,
)
from prefect_sluice.promotions.work import Work, tell
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.stages import commits_that_go
from prefect_sluice.stages.candidate import ask_gates
from prefect_sluice.workspace.workspace import Environment, Workspace

if TYPE_CHECKING:
    from prefect_sluice.dbt.project import DbtTest

STAGE = "test"


def test(work: Work) -> Work:
    """Return the work with the findings of the source gates; ended if they do not let it through."""
    workspace, place = opened(work)
    promotion, plan = promotion_of(work), work.plan
    if plan is None or work.release is None:
        raise OutOfOrder()
    if promotion.state in SERVED:
        return work
    reports = recorded(workspace, promotion, STAGE) or _run_gates(workspace, place, work, plan)
    reach(FaultPoint.TEST_JUDGED)
    # Nothing here may apply (no linter, no tests); that the relations were built is Stage's to find out.
    applies = [report for report in reports if not report.not_applicable]
    if applies and not gates.judge(applies, workspace.settings.gates).lets_through:
        return refuse(work, workspace, reports, STAGE)
    return replace(work, reports=(*work.reports, *reports))


def _run_gates(
    workspace: Workspace, environment: Environment, work: Work, plan: Plan
) -> tuple[GateReport, ...]:
    assert work.release is not None
    loaded = load(workspace, environment, work.release)
    known = ask_gates.subject(workspace, environment, loaded, work.release, plan)
    tools = replace(
        known.tools,
        unit_tests=partial(_unit_tests, workspace, environment, loaded, plan),
        without_rows=partial(_without_rows, workspace, environment, loaded, plan),
    )
    # A refresh has the code that passed these gates already.
    renews = work.request.cause.renews
    asked = () if renews else gates.make_gates(workspace.settings.gates, of_candidate=False)
    promotion = promotion_of(work)
    reports = (
        *commits_that_go.report(workspace, promotion, work.release, plan, work.commits),
        *ask_gates.ask(asked, replace(known, tools=tools), workspace),
    )
    keep_reports(workspace, promotion, STAGE, reports)
    return reports


def _unit_tests(
    workspace: Workspace, environment: Environment, loaded: LoadedProject, plan: Plan
) -> UnitResults:
    made = set(plan.made)
    wanted = [
        test
        for test in loaded.project.tests.values()
        if test.is_unit and (test.unique_id in plan.tests or test.model in made)
    ]
    if not wanted:
        return UnitResults()
    tell(count(len(wanted), "unit test"))
    unbuilt = _prepare_columns(workspace, environment, loaded, plan, wanted)
    results = loaded.dbt.run_unit_tests(test.unique_id for test in wanted)
    models = {test.unique_id: test.model for test in wanted}
    return UnitResults(tuple(results), len(wanted), models, unbuilt)


def _without_rows(
    workspace: Workspace, environment: Environment, loaded: LoadedProject, plan: Plan, wanted: Sequence[str]
) -> Sequence[NodeResult]:
    """Build nodes, and those of the plan that they read, without rows. Nobody reads the side database afterwards."""
    made = {uid for uid in wanted if uid in plan.made}
    if not made:
        return ()
    tell(count(len(made), "contract") + " without rows")
    _lay(workspace, environment, loaded, plan)
    chosen = {*made, *ancestors(loaded.project.nodes, made, set(plan.made))}
    return loaded.dbt.build_without_rows(uid for uid in loaded.project.nodes if uid in chosen)


def _lay(workspace: Workspace, environment: Environment, loaded: LoadedProject, plan: Plan) -> None:
    """Make the side database anew, with what is served and is not built standing in it."""
    warehouse = workspace.warehouse(environment, loaded.session)
    live = plan.base_of(warehouse.generation(environment.name))
    laid = source_versions.before_build(live, plan, warehouse.relations(), loaded.project.hooks)
    warehouse.prepare(loaded.session.place, laid)


def _prepare_columns(
    workspace: Workspace,
    environment: Environment,
    loaded: LoadedProject,
    plan: Plan,
    tests: Sequence[DbtTest],
) -> Mapping[str, str]:
    """Stand what the unit-tested models read in the side database: without rows, or with, where that cannot be built.

    Returns why it cannot be, by unique id.
    """
    _lay(workspace, environment, loaded, plan)
    needed = _needed(loaded, tests, set(plan.made))
    if not needed:
        return {}
    # Afresh: what an incremental model appends to would keep the columns that it has.
    built = loaded.dbt.build_without_rows(needed, in_full=True)
    if not all(_built(result) for result in built):
        built = loaded.dbt.build(needed)
    return {item.unique_id: item.message for item in built if not _built(item) and item.status != "skipped"}


def _built(result: NodeResult) -> bool:
    return result.ok or result.kind == "operation"


def _needed(loaded: LoadedProject, tests: Sequence[DbtTest], made: set[str]) -> tuple[str, ...]:
    """Return what is to be built before unit tests can run, in build order: what their models read, and an incremental
    model itself, since a test may mock what is there of it already."""
    nodes = loaded.project.nodes
    looked_at = {parent for test in tests for parent in test.parents}
    growing = {uid for uid in looked_at if uid in nodes and nodes[uid].kind is NodeKind.INCREMENTAL}
    above = ancestors(nodes, looked_at, made)
    return tuple(uid for uid in nodes if uid in made and (uid in above or uid in growing))
