"""The gate `coverage`, on what two releases declare."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from prefect_sluice.config import GateSettings as Own
from prefect_sluice.domain.coverage import (
    ASPECTS,
    BASELINE,
    CoverageBaseline,
    covered,
    lacking,
    read_baseline,
    share,
    table,
)
from prefect_sluice.domain.declarations import Declarations, DeclaredTest, NodeDescription
from prefect_sluice.domain.errors import BadInput, ConfigInvalid
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import DeclarationsView, Gate, ReleaseView, Subject, ask_gate
from prefect_sluice.gates.catalog import checked
from prefect_sluice.gates.coverage.gate import Coverage, Settings
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.plan_notes import NotesBefore
from tests.gates.views import but

PASSED, WARNED, FAILED, ERRORED = Verdict.PASSED, Verdict.WARNED, Verdict.FAILED, Verdict.ERRORED
GOOD = NodeDescription("an order", {"id": "its number"}, enforced=True, path="models/orders.sql")
BARE = NodeDescription(path="models/bare.sql")
ORDERS, BARELY, NEW = "model.shop.orders", "model.shop.bare", "model.shop.neu und schön"


def key(node: str, generic: str = "unique") -> DeclaredTest:
    return DeclaredTest(f"test.shop.{generic}.{node}", f"{generic}_{node}", generic, node=node)


def unit(node: str) -> DeclaredTest:
    return DeclaredTest(f"unit_test.shop.{node}", "adds_up", is_unit=True, node=node)


def declares(models: Mapping[str, NodeDescription], *tests: DeclaredTest) -> Declarations:
    return Declarations(tests={test.unique_id: test for test in tests}, described=models)


WHOLE = declares({ORDERS: GOOD, BARELY: BARE}, key(ORDERS), unit(ORDERS))


def plan(base_release: str) -> Plan:
    return Plan("dev", Cause.RELEASE, "r2", 1, base_release, (), (), (), NotesBefore({}, {}))


def subject(
    folder: Path, now: Declarations, before: Declarations | None = None, edited: Iterable[str] = ()
) -> Subject:
    (folder / "dbt_project.yml").write_text("name: shop\n")
    return Subject(
        ReleaseView(folder, {}, (), edited=tuple(edited)),
        declarations=DeclarationsView(now=now, before=before),
    )


def ask(subject: Subject, **said: object) -> GateReport:
    gate: Gate = Coverage(Settings.model_validate(said))
    return ask_gate(gate, subject)


def bad(report: GateReport) -> list[tuple[Verdict, str, str]]:
    return [(one.verdict, one.check, one.subject) for one in report.findings if one.verdict is not PASSED]


def of(report: GateReport, check: str) -> Finding:
    return next(one for one in report.findings if one.check == check)


# ---- what counts -----------------------------------------------------------------------------------------


def test_what_a_model_has() -> None:
    assert covered(WHOLE, "shop") == {ORDERS: frozenset(ASPECTS), BARELY: frozenset()}


@pytest.mark.parametrize(
    ("generic", "counts"),
    [
        ("unique", True),
        ("dbt_utils.unique_combination_of_columns", True),
        ("unique_combination", True),
        ("dbt_constraints.primary_key", True),
        ("dbt_expectations.expect_compound_columns_to_be_unique", True),
        ("dbt_expectations.expect_column_unique_value_count_to_be_between", False),
        ("not_null", False),
        ("", False),
    ],
)
def test_which_tests_are_of_a_key(generic: str, counts: bool) -> None:
    found = covered(declares({ORDERS: BARE}, key(ORDERS, generic)), "shop")
    assert ("key_test" in found[ORDERS]) is counts


@pytest.mark.parametrize(
    ("told", "aspect", "has"),
    [
        (NodeDescription("  \n"), "description", False),
        (NodeDescription(columns={"a": "x", "b": " "}), "columns", False),
        (NodeDescription(columns={}), "columns", False),
        (NodeDescription(contract="contracts.a:B"), "contract", True),
        (NodeDescription(keyed=True), "key_test", False),
        (NodeDescription(keyed=True, enforced=True), "key_test", True),
    ],
)
def test_what_says_enough(told: NodeDescription, aspect: str, has: bool) -> None:
    assert (aspect in covered(declares({ORDERS: told}), "shop")[ORDERS]) is has


def test_only_the_projects_own_models_with_rows_count() -> None:
    models = {
        ORDERS: GOOD,
        "model.package.x": GOOD,
        "seed.shop.s": GOOD,
        "model.shop.inner": replace(GOOD, ephemeral=True),
    }
    assert covered(declares(models), "shop").keys() == {ORDERS}
    assert share({}, "contract") is None


# ---- the ratchet -----------------------------------------------------------------------------------------


def test_without_configuration_a_first_release_has_nothing_to_answer(tmp_path: Path) -> None:
    report = ask(subject(tmp_path, WHOLE, edited=[ORDERS, BARELY]))
    assert report.not_applicable == "nothing serves yet to compare with, and no bar is set"
    assert ask(subject(tmp_path, Declarations())).not_applicable == "the project has no models"


def test_the_same_again_passes_with_the_shares(tmp_path: Path) -> None:
    report = ask(subject(tmp_path, WHOLE, WHOLE))
    assert (report.verdict, len(report.findings)) == (PASSED, len(ASPECTS))
    found = of(report, "key_test")
    assert (found.observed, found.summary) == (0.5, "1 of 2 models have a key test (50%)")
    assert found.evidence is not None
    assert found.evidence.rows == (("bare",),)


def test_each_thing_that_a_model_lost_is_named(tmp_path: Path) -> None:
    less = declares({ORDERS: BARE, BARELY: BARE})
    report = ask(subject(tmp_path, less, WHOLE))
    assert bad(report) == [(FAILED, aspect, ORDERS) for aspect in ASPECTS]
    lost = of(report, "key_test")
    assert (lost.summary, lost.location) == (
        "orders had a key test, and has none any more",
        "models/bare.sql",
    )


def test_to_delete_a_model_that_had_everything_is_no_fall(tmp_path: Path) -> None:
    assert ask(subject(tmp_path, declares({BARELY: BARE}), WHOLE)).verdict is PASSED


def test_one_gained_and_one_lost_is_lost(tmp_path: Path) -> None:
    now = declares({ORDERS: GOOD, BARELY: BARE}, key(BARELY), unit(ORDERS))
    assert bad(ask(subject(tmp_path, now, WHOLE))) == [(FAILED, "key_test", ORDERS)]


def test_a_new_model_that_makes_a_share_fall_warns_or_blocks(tmp_path: Path) -> None:
    now = declares({**WHOLE.described, NEW: GOOD}, *WHOLE.tests.values())
    report = ask(subject(tmp_path, now, WHOLE))
    assert bad(report) == [(WARNED, "key_test", ""), (WARNED, "unit_test", "")]
    assert of(report, "key_test").summary.endswith("(33%), 50% before: not the new neu und schön")
    assert ask(subject(tmp_path, now, WHOLE), share="block").verdict is FAILED
    covered_too = declares(now.described, *now.tests.values(), key(NEW), unit(NEW))
    assert ask(subject(tmp_path, covered_too, WHOLE), share="block").verdict is PASSED


def test_renamed_models_are_measured_by_what_there_was(tmp_path: Path) -> None:
    renamed = declares({NEW: BARE}, key(NEW))
    report = ask(subject(tmp_path, renamed, declares({ORDERS: GOOD}, key(ORDERS))))
    assert bad(report) == [(WARNED, one, "") for one in ("contract", "description", "columns")]


def test_what_serves_and_is_not_known_could_not_be_told(tmp_path: Path) -> None:
    report = ask(but(subject(tmp_path, WHOLE), plan=plan("abc")))
    assert bad(report) == [(Verdict.INCONCLUSIVE, "before", "")]


# ---- the bar ---------------------------------------------------------------------------------------------


def test_edited_and_new_models_must_reach_the_bar(tmp_path: Path) -> None:
    now = declares({**WHOLE.described, NEW: BARE}, *WHOLE.tests.values())
    asked = subject(tmp_path, now, WHOLE, [BARELY, NEW, "seed.shop.s"])
    report = ask(asked, require=["key_test"])
    assert [each for each in bad(report) if each[2]] == [
        (FAILED, "key_test", BARELY),
        (FAILED, "key_test", NEW),
    ]
    assert [one.summary for one in report.findings if one.subject] == [
        "bare was edited and has not a key test",
        "neu und schön was added and has not a key test",
    ]
    assert not [each for each in bad(ask(but(asked, edited=(ORDERS,)), require=["key_test"])) if each[2]]


def test_what_was_lost_is_told_once(tmp_path: Path) -> None:
    less = declares({ORDERS: BARE}, unit(ORDERS))
    report = ask(
        subject(tmp_path, less, declares({ORDERS: BARE}, key(ORDERS), unit(ORDERS)), [ORDERS]),
        require=["key_test"],
    )
    assert [each for each in bad(report) if each[2]] == [(FAILED, "key_test", ORDERS)]


def test_a_minimum_holds_the_first_release_too(tmp_path: Path) -> None:
    report = ask(subject(tmp_path, WHOLE), minimum={"description": 0.8, "key_test": 0.5})
    assert bad(report) == [(FAILED, "description", "")]
    assert (of(report, "description").observed, of(report, "description").limit) == (0.5, 0.8)


@pytest.mark.parametrize(
    "said", [{"minimum": {"tests": 1}}, {"minimum": {"contract": 2}}, {"require": ["keys"]}]
)
def test_settings_that_mean_nothing_are_refused(said: dict[str, object]) -> None:
    with pytest.raises(ConfigInvalid):
        checked({"coverage": Own.model_validate(said)}, "sluice.yml")


# ---- the baseline ----------------------------------------------------------------------------------------


def write(folder: Path, baseline: CoverageBaseline) -> None:
    folder.mkdir(exist_ok=True)
    (folder / BASELINE).write_text(baseline.text(), encoding="utf-8")


def test_a_baseline_is_written_read_and_only_shrinks(tmp_path: Path) -> None:
    assert read_baseline(tmp_path) is None
    models = covered(declares({ORDERS: BARE, NEW: GOOD}), "shop")
    whole = lacking(models)
    write(tmp_path, whole)
    assert read_baseline(tmp_path) == whole
    assert whole.missing[NEW] == {"key_test", "unit_test"}
    better = covered(declares({ORDERS: GOOD, NEW: BARE}, unit(NEW)), "shop")
    assert lacking(better, whole).missing == {ORDERS: {"key_test", "unit_test"}, NEW: {"key_test"}}
    assert lacking(better, lacking(better, whole)) == lacking(better, whole)
    assert table(better, whole)[NEW]["contract"] == "no"
    assert table(better, whole)[NEW]["key_test"] == "let pass"


def test_the_baseline_lets_pass_what_is_required(tmp_path: Path) -> None:
    write(tmp_path, lacking(covered(WHOLE, "shop")))
    report = ask(subject(tmp_path, WHOLE, edited=[ORDERS, BARELY]), require=list(ASPECTS))
    assert report.verdict is PASSED
    assert of(report, "baseline").summary == f"{BASELINE} lets 5 entries pass"


def test_a_baseline_that_grew_holds(tmp_path: Path) -> None:
    older = tmp_path / "before"
    write(older, CoverageBaseline({BARELY: frozenset({"contract"})}))
    write(tmp_path, CoverageBaseline({BARELY: frozenset({"contract", "unit_test"})}))
    asked = but(subject(tmp_path, WHOLE, WHOLE), earlier=lambda: older)
    found = of(ask(asked), "baseline")
    assert (found.verdict, found.observed) == (FAILED, 1)
    assert found.evidence is not None
    assert found.evidence.rows == (("bare", "unit_test"),)
    # One more and one fewer is one more.
    write(tmp_path, CoverageBaseline({BARELY: frozenset({"unit_test"})}))
    assert of(ask(asked), "baseline").verdict is FAILED
    # The release that serves had none: it is adopted now.
    assert of(ask(but(asked, earlier=lambda: tmp_path / "nothing")), "baseline").verdict is PASSED


def test_a_baseline_that_is_outlived_says_so(tmp_path: Path) -> None:
    write(
        tmp_path,
        CoverageBaseline({ORDERS: frozenset({"contract"}), "model.shop.gone": frozenset({"columns"})}),
    )
    found = of(ask(subject(tmp_path, WHOLE, WHOLE)), "baseline")
    assert (found.verdict, found.observed) == (WARNED, 2)


def test_what_is_lost_cannot_be_let_pass_by_the_baseline(tmp_path: Path) -> None:
    less = declares({ORDERS: GOOD, BARELY: BARE}, unit(ORDERS))
    write(tmp_path, CoverageBaseline({ORDERS: frozenset({"key_test"})}))
    assert (FAILED, "key_test", ORDERS) in bad(ask(subject(tmp_path, less, WHOLE)))


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"version": 2, "missing": {}}', '{"version": 1}', '{"version": 1, "missing": []}',
     json.dumps({"version": 1, "missing": {ORDERS: ["tests"]}}), json.dumps({"version": 1, "missing": {ORDERS: 5}})],
)  # fmt: skip
def test_a_broken_baseline_is_an_error_and_never_passes(tmp_path: Path, text: str) -> None:
    (tmp_path / BASELINE).write_text(text)
    with pytest.raises(BadInput):
        read_baseline(tmp_path)
    report = ask(subject(tmp_path, WHOLE, WHOLE))
    assert (report.verdict, [one.check for one in report.findings]) == (ERRORED, ["baseline"])
