"""Which data tests look at a candidate, and what becomes of them: dbt runs a few with the build, the gate asks the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.load_project import LoadedProject
from prefect_sluice.promotions.work import tell


@dataclass(frozen=True, slots=True)
class DataTestSplit:
    """Unique ids of the data tests of one plan: those that run `with_build`, and those that are asked `afterwards`."""

    with_build: tuple[str, ...] = ()
    afterwards: tuple[str, ...] = ()


def chosen(loaded: LoadedProject, plan: Plan) -> DataTestSplit:
    """Return the data tests that look at anything new, whatever else they look at, and those that are new themselves."""
    new, asked = {*plan.made, *plan.relinked}, set(plan.tests)
    found = [
        uid
        for uid, test in loaded.project.tests.items()
        if not test.is_unit and (uid in asked or new.intersection(test.parents))
    ]
    inside = loaded.dbt.facts.only_dbt
    return DataTestSplit(
        tuple(uid for uid in found if uid in inside), tuple(uid for uid in found if uid not in inside)
    )


def ready(
    loaded: LoadedProject, plan: Plan, tests: DataTestSplit, results: Iterable[NodeResult]
) -> tuple[tuple[DataTest, ...], tuple[NodeResult, ...]]:
    """Return the tests that the gate asks, compiled on what was built, and answers for those that it cannot.

    A test that reads what was not built is skipped, as dbt does: under that name stands what was there before. Where one
    does not compile, dbt says so, and of which.
    """
    good = {result.unique_id for result in results if result.ok}
    missing = set(plan.made) - good
    known = loaded.project.tests
    able = [uid for uid in tests.afterwards if not missing.intersection(known[uid].parents)]
    skipped = [_skipped(loaded, uid) for uid in tests.afterwards if uid not in set(able)]
    compiled = _compiled(loaded, able)
    rest = [uid for uid in able if uid not in {test.unique_id for test in compiled}]
    return compiled, (*skipped, *loaded.dbt.run_data_tests(rest))


def _compiled(loaded: LoadedProject, uids: Collection[str]) -> tuple[DataTest, ...]:
    if not uids:
        return ()
    tell(count(len(uids), "data test"))
    return tuple(
        replace(test, parents=_subjects(loaded, test.unique_id)) for test in loaded.dbt.data_tests(uids)
    )


def _subjects(loaded: LoadedProject, uid: str) -> tuple[str, ...]:
    """Return what a test looks at: nodes, an ephemeral one by its parents; without any, what it declares (a source)."""
    test = loaded.project.tests[uid]
    return test.parents or test.declared


def _skipped(loaded: LoadedProject, uid: str) -> NodeResult:
    return NodeResult(
        unique_id=uid,
        kind="test",
        status="skipped",
        message="",
        failures=None,
        seconds=0.0,
        relation="",
        parents=_subjects(loaded, uid),
        path=loaded.project.tests[uid].path,
        compiled="",
        severity="",
    )
