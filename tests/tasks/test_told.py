"""What a finding looks like in a run's log."""

from __future__ import annotations

from prefect_sluice.tasks.told import finding_line
from prefect_sluice.verdict import Finding, Verdict


def test_a_finding_is_one_line_with_what_to_do() -> None:
    finding = Finding(
        "data_tests",
        "rows",
        Verdict.INCONCLUSIVE,
        "no rows",
        "model.p.a",
        location="models/a.yml",
        fix="look at it",
    )
    assert finding_line(finding) == "gate data_tests: rows: no rows, model.p.a (models/a.yml); look at it"
    assert (
        finding_line(Finding("lint", "LT01", Verdict.WARNED, "two blanks")) == "gate lint: LT01: two blanks"
    )
