"""Which data tests look at a candidate, and what becomes of them: dbt runs a few with the build, the gate asks the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.errors import DbtFailed
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.load_project import LoadedProject, selector
from prefect_sluice.promotions.work import tell


@dataclass(frozen=True, slots=True)
class DataTestSplit:
    """Unique ids of the data tests of one plan: those that run `with_build`, and those that are asked `afterwards`."""

    with_build: tuple[str, ...] = ()
    afterwards: tuple[str, ...] = ()


def chosen(loaded: LoadedProject, plan: Plan) -> DataTestSplit:
    """Return the data tests that look at anything new, whatever else they look at, and those that are new themselves."""
    from prefect_sluice.dbt.data_tests import only_dbt

    new, asked = {*plan.made, *plan.relinked}, set(plan.tests)
    found = [
        uid
        for uid, test in loaded.project.tests.items()
        if not test.is_unit and (uid in asked or new.intersection(test.parents))
    ]
    inside = only_dbt(loaded.manifest, loaded.session.target.settings)
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
    return compiled, (*skipped, *_by_dbt(loaded, rest))


def _compiled(loaded: LoadedProject, uids: Collection[str]) -> tuple[DataTest, ...]:
    from prefect_sluice.dbt.data_tests import asked_as_dbt_does, data_test

    if not uids:
        return ()
    tell(count(len(uids), "data test"))
    selectors = [selector(loaded.project.tests[uid].fqn) for uid in uids]
    try:
        with asked_as_dbt_does(loaded.manifest, whole_rows=uids):
            texts = loaded.session.compile(loaded.manifest, selectors)
    except DbtFailed:
        return ()
    return tuple(
        data_test(loaded.manifest, uid, texts[uid], _subjects(loaded, uid)) for uid in uids if uid in texts
    )


def _by_dbt(loaded: LoadedProject, uids: Collection[str]) -> tuple[NodeResult, ...]:
    if not uids:
        return ()
    selectors = [selector(loaded.project.tests[uid].fqn) for uid in uids]
    results = loaded.session.run_data_tests(loaded.manifest, *selectors)
    return tuple(result for result in results if result.unique_id in set(uids))


def _subjects(loaded: LoadedProject, uid: str) -> tuple[str, ...]:
    """Return what a test looks at: nodes, an ephemeral one by its parents; without any, what it declares (a source)."""
    declared = getattr(loaded.manifest.nodes[uid].depends_on, "nodes", ())
    return loaded.project.tests[uid].parents or tuple(str(parent) for parent in declared)


def _skipped(loaded: LoadedProject, uid: str) -> NodeResult:
    node = loaded.manifest.nodes[uid]
    return NodeResult(
        unique_id=uid,
        kind="test",
        status="skipped",
        message="",
        failures=None,
        seconds=0.0,
        relation="",
        parents=_subjects(loaded, uid),
        path=str(node.original_file_path),
        compiled="",
        severity="",
    )
