"""What gates say where a release serves, and nothing is known of what it declared: they could not compare, and that is no yes."""

from __future__ import annotations

from collections.abc import Iterator

from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.gates.base import Subject


def undeclared(gate: str, subject: Subject, untold: str = "") -> Iterator[Finding]:
    """Yield an INCONCLUSIVE finding of the gate if a release serves whose declarations are not known, with `untold`: what
    cannot be told therefore. A first release has nothing to be compared with, and gets none.
    """
    release = subject.plan.base_release if subject.plan is not None else ""
    if subject.declared_before is not None or not release:
        return
    summary = f"nothing is known of what release {release[:7]}, which serves, declared"
    yield Finding(
        gate,
        "before",
        Verdict.INCONCLUSIVE,
        f"{summary}: {untold}" if untold else summary,
        fix=f"for this one release: gates: {{{gate}: {{on: warn}}}}",
    )
