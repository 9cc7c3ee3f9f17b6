"""What helps against a refusal: every finding that holds a release says it, and so does every error that refuses."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path

import pytest

from prefect_sluice import config
from prefect_sluice.config import yaml_file
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict, WayPast
from prefect_sluice.gates import GATES
from prefect_sluice.gates.exceptions import excepted
from prefect_sluice.gates.remedies import Remedy, advice, helps, passing, remedied

TODAY = date(2026, 12, 1)
PACKAGE = Path(__file__).resolve().parents[2] / "prefect_sluice"
HOLDS = (Verdict.FAILED, Verdict.ERRORED, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize("gate", GATES)
def test_each_gates_no_says_what_helps(gate: str) -> None:
    for verdict in HOLDS:
        for finding in (
            Finding(gate, "a check", verdict, "no", ("model.shop.orders",), location="models/orders.sql:3"),
            Finding(gate, "gate", verdict, "it broke"),
        ):
            [told] = remedied(GateReport(gate, (finding,))).findings
            assert told.fix
            remedy = helps([finding], TODAY)
            assert "sluice show" not in advice(remedy.mend, remedy.passing)
            assert "{" not in told.fix or "gates: {" in told.fix


def test_what_says_it_itself_or_lets_pass_is_left_as_it_is() -> None:
    report = GateReport(
        "diff",
        (
            Finding("diff", "a", Verdict.FAILED, "no", fix="Expect: a"),
            Finding("diff", "b", Verdict.WARNED, "hm"),
        ),
    )
    assert remedied(report) is report


def test_the_worst_is_told_and_how_to_let_it_pass() -> None:
    bad = [
        Finding("build", "built", Verdict.INCONCLUSIVE, "left out", ("model.shop.totals",)),
        Finding(
            "data_tests", "unique_id", Verdict.FAILED, "no", ("model.shop.orders",), location="models/m.yml"
        ),
    ]
    remedy = helps(bad, TODAY)
    assert advice(remedy.mend, remedy.passing) == (
        "mend what makes these rows, or the test models/m.yml; or, if it is right as it is, in sluice.yml:"
        " gates: {data_tests: {except: [{node: orders, check: unique_id, reason: …, until: 2026-12-15}]}}"
    )
    by_itself = ", released first, by itself: the policy that serves is what judges"
    assert helps(bad, TODAY, later=True) == Remedy(remedy.mend, remedy.passing + by_itself)
    assert helps([], TODAY) == Remedy()


@pytest.mark.parametrize(
    "finding",
    [
        Finding("data_tests", "unique_id", Verdict.FAILED, "no", ("model.shop.orders",), location="models/m.yml"),
        Finding("lint", "LT01 layout.spacing", Verdict.FAILED, "no", ("model.shop.a",), location="models/a.sql:1"),
        Finding("data_tests", "both: ['x', 1]", Verdict.FAILED, "no", ("model.shop.a", "model.shop.b"), location="t/x.sql"),
        Finding("project_tests", "tests/test_a.py::test_b[1-{x}]", Verdict.FAILED, "no", ("tests/test_a.py",)),
        Finding("data_tests", "true", Verdict.FAILED, "no", ("model.shop.null",)),
        Finding("data_tests", "a ", Verdict.FAILED, "no", ("model.shop.größe.v2",)),
        Finding("contracts", "it's: \"x\" # y, z", Verdict.FAILED, "no", ("model.shop.a:b",)),
    ],
)  # fmt: skip
def test_the_lines_that_are_told_do_let_it_pass(finding: Finding) -> None:
    told = yaml_file.read(passing(finding, date(2026, 12, 15)), "")
    own = config.GateSettings.model_validate(told["gates"][finding.gate])
    [item] = excepted(GateReport(finding.gate, (finding,)), own.exceptions, TODAY).findings
    assert item.verdict is Verdict.WARNED


@pytest.mark.parametrize(("gate", "check"), [("build", "built"), ("stage", "servable")])
def test_what_was_not_built_is_let_pass_by_nothing(gate: str, check: str) -> None:
    finding = Finding(gate, check, Verdict.FAILED, "no", ("model.shop.orders",), location="models/orders.sql")
    remedy = helps([finding], TODAY)
    assert remedy.mend.startswith("mend models/orders.sql: ")
    assert "gates" not in advice(remedy.mend, remedy.passing)


def test_what_is_about_no_node_is_let_pass_with_its_gate() -> None:
    finding = Finding("contracts", "contracts", Verdict.ERRORED, "pandera is missing")
    assert yaml_file.read(passing(finding, TODAY), "") == {"gates": {"contracts": {"on": "warn"}}}


def test_every_refusal_in_the_code_says_what_helps() -> None:
    """`sluice show` alone shows again what was said already."""
    silent: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Refused":
                fix = (
                    ast.unparse(call.args[1])
                    if len(call.args) > 1
                    else "".join(map(ast.unparse, call.keywords))
                )
                why = ast.unparse(call.args[0]) if call.args else ""
                # Who lifts a control is told in the sentence itself, of each one that is in force.
                if not fix and "nothing to lift" not in why:
                    silent.append(f"{path.name}:{call.lineno}: says nothing")
                if "sluice show" in fix and "sluice" not in fix.replace("sluice show", "", 1):
                    silent.append(f"{path.name}:{call.lineno}: {fix}")
    assert not silent


def _no(way_past: WayPast) -> Finding:
    return Finding("diff", "a", Verdict.FAILED, "no", ("model.shop.a",), fix="do this", way_past=way_past)


def test_a_remedy_that_names_a_way_past_is_told_alone() -> None:
    by_itself = ", released first, by itself: the policy that serves is what judges"
    assert helps([_no(WayPast.NAMED)], TODAY, later=True) == Remedy("do this")
    assert helps([_no(WayPast.LINES)], TODAY) == Remedy("do this")
    assert helps([_no(WayPast.LINES)], TODAY, later=True) == Remedy("do this" + by_itself)
    unsaid = helps([_no(WayPast.UNSAID)], TODAY, later=True)
    assert unsaid.mend == "do this"
    assert unsaid.passing.startswith("gates: {diff: {except: [{node: a,")
    assert unsaid.passing.endswith(by_itself)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(
    "check", ["a check", "gate", "PRS parsing", "LXR lexing", "passed", "skipped", "pytest"]
)
def test_the_remedies_of_here_say_truly_whether_they_name_a_way_past(gate: str, check: str) -> None:
    for verdict in HOLDS:
        for location in ("", "models/orders.sql:3"):
            finding = Finding(gate, check, verdict, "no", ("model.shop.orders",) if location else ())
            [told] = remedied(GateReport(gate, (finding,))).findings
            assert (told.way_past is WayPast.LINES) == ("gates: {" in told.fix), told.fix
            named = "gates." in told.fix or ".sqlfluffignore" in told.fix
            assert (told.way_past is WayPast.NAMED) == named, told.fix
