"""What gates say where a release serves, and nothing is known of what it declared: they could not compare, and that is no yes."""

from __future__ import annotations

from collections.abc import Iterator

from prefect_sluice.domain.verdict import Finding, Verdict, WayPast
from prefect_sluice.gates.base import DeclarationsView, ReleaseView


def undeclared(
    gate: str, release: ReleaseView, declarations: DeclarationsView, untold: str = ""
) -> Iterator[Finding]:
    """Yield an INCONCLUSIVE finding of the gate if a release serves whose declarations are not known, with `untold`: what
    cannot be told therefore. A first release has nothing to be compared with, and gets none.
    """
    served = release.plan.base_release if release.plan is not None else ""
    if declarations.before is not None or not served:
        return
    summary = f"nothing is known of what release {served[:7]}, which serves, declared"
    yield Finding(
        gate,
        "before",
        Verdict.INCONCLUSIVE,
        f"{summary}: {untold}" if untold else summary,
        fix=f"for this one release: gates: {{{gate}: {{on: warn}}}}",
        way_past=WayPast.LINES,
    )
