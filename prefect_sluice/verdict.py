"""Public: what a gate of your own answers with."""

from prefect_sluice.domain.verdict import Finding, GateReport, Verdict, WayPast

__all__ = ["Finding", "GateReport", "Verdict", "WayPast"]
