"""What a finding looks like in a run's log."""

from __future__ import annotations

from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.orchestration.shown.run_log import finding_line


def test_a_finding_is_one_line_with_what_to_do() -> None:
    finding = Finding(
        "data_tests",
        "rows",
        Verdict.INCONCLUSIVE,
        "no rows",
        ("model.p.a",),
        location="models/a.yml",
        fix="look at it",
    )
    assert finding_line(finding) == "gate data_tests: rows: no rows, model.p.a (models/a.yml); look at it"
    assert (
        finding_line(Finding("lint", "LT01", Verdict.WARNED, "two blanks")) == "gate lint: LT01: two blanks"
    )
