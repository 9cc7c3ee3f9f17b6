"""The compiled texts of what was built below a change, remembered as they ran: what columns reach is read from them.

Nothing is decided by them (docs/decisions/0074-reach-of-changed-columns.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prefect_sluice.domain.node import Node
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import GateReport, Likeness
from prefect_sluice.planning.column_reach import below, of_the_code
from prefect_sluice.planning.plan import Plan
from prefect_sluice.workspace.workspace import Workspace

TEXTS = "compiled.1"
"""The kind under which compiled texts are cached, by the fingerprint of their relation, with the number of their form."""
_DIFF = "diff"


def remember(
    workspace: Workspace,
    plan: Plan,
    nodes: Mapping[str, Node],
    results: Iterable[NodeResult],
    reports: Iterable[GateReport],
) -> None:
    """Keep the text of each relation that was built below one that readers find changed; of a refresh, none. Repeatable."""
    changed = of_the_code(plan).intersection(changed_nodes(reports)) if not plan.cause.renews else ()
    if not changed:
        return
    under = set(below(plan, changed))
    texts = {
        nodes[result.unique_id].fingerprint: result.compiled
        for result in results
        if result.compiled and result.unique_id in under and nodes[result.unique_id].language == "sql"
    }
    if texts:
        with workspace.store.transaction() as transaction:
            transaction.put_all_cached(TEXTS, texts)


def changed_nodes(reports: Iterable[GateReport]) -> frozenset[str]:
    """Return the nodes that the gate `diff` found, or may have found, to be another thing than what serves."""
    return frozenset(
        finding.subject
        for report in reports
        if report.gate == _DIFF
        for finding in report.findings
        if finding.likeness is Likeness.UNSAID
    )
