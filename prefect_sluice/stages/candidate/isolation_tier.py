"""The tier of isolation in which code of a change ran, as a finding of Stage."""

from __future__ import annotations

from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.isolation.sandbox import Protection

STAGE = "stage"


def report(protection: Protection | None) -> tuple[GateReport, ...]:
    """Return how dbt, with hooks, macros and Python models, ran: passed where the machine isolated it, else a warning that says
    what is missing. Nothing where the policy does not ask for it (`isolation: off`). Pure."""
    if protection is None:
        return ()
    verdict = Verdict.PASSED if protection.is_isolated else Verdict.WARNED
    return (GateReport(STAGE, (Finding(STAGE, "isolation", verdict, protection.description),)),)
