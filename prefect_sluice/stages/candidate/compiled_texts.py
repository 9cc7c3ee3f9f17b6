"""What was built below a change, remembered for people: the texts as they ran, and the columns of what these read.

What columns reach is made out of it. Nothing is decided by it (docs/decisions/0074-reach-of-changed-columns.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import cast

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import Name, Node
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import GateReport, Likeness
from prefect_sluice.planning.column_reach import below, of_the_code
from prefect_sluice.planning.plan import Plan
from prefect_sluice.warehouse.base import Reader
from prefect_sluice.workspace.workspace import Workspace

TEXTS = "compiled.1"
"""The kind under which compiled texts are cached, by the fingerprint of their relation, with the number of their form."""
_COLUMNS = "read_columns.1"
"""The kind under which the columns are cached that such texts read, by the digest of the plan."""
MOST = 200
"""So many relations below a change are read, 13 ms each; of those further below it is said that they were not."""
DIFF = "diff"


def remember(
    workspace: Workspace,
    plan: Plan,
    nodes: Mapping[str, Node],
    results: Iterable[NodeResult],
    reports: Iterable[GateReport],
    reader: Reader,
) -> None:
    """Keep the text of each relation that was built below one that readers find changed, and the columns of what it reads, as
    the candidate has them (`reader`); of a refresh, nothing. Repeatable.
    """
    changed = of_the_code(plan).intersection(changed_nodes(reports)) if not plan.cause.renews else ()
    if not changed:
        return
    compiled = {result.unique_id: result.compiled for result in results if result.compiled}
    under = [nodes[uid] for uid in below(plan, changed) if uid in compiled and nodes[uid].language == "sql"]
    texts = {node.fingerprint: compiled[node.unique_id] for node in under}
    # Readers are past so many, and this stands in the way of a release.
    names = {name.folded for node in under[:MOST] for name in _read_by(node, nodes)}
    columns: Json = {str(name): [*_columns(reader, name)] for name in sorted(names, key=str)}
    with workspace.store.transaction() as transaction:
        transaction.put_all_cached(TEXTS, texts)
        transaction.put_cached(_COLUMNS, plan.digest, columns)


def remembered_columns(workspace: Workspace, plan: Plan) -> Mapping[Name, tuple[str, ...]] | None:
    """Return the columns of what the texts below a change read, by name in lower case; None where they are not kept."""
    document = workspace.store.cached(_COLUMNS, [plan.digest]).get(plan.digest)
    if document is None:
        return None
    kept = cast(Mapping[str, Sequence[str]], document)
    return {Name.parse(name): tuple(columns) for name, columns in kept.items()}


def _read_by(node: Node, nodes: Mapping[str, Node]) -> Iterator[Name]:
    """Yield the relations that a node reads, as its fingerprint has them."""
    yield from (nodes[parent].name for parent in node.parents if parent in nodes)
    yield from node.sources


def _columns(reader: Reader, name: Name) -> Iterable[str]:
    """Return the columns of a relation in the candidate, else of what serves; none where nobody has it."""
    for relation in (reader.at(name), reader.at(name, of="live")):
        with suppress(QueryFailed):
            return [column.name for column in reader.columns(relation)]
    return ()


def changed_nodes(reports: Iterable[GateReport]) -> frozenset[str]:
    """Return the nodes that the gate `diff` found, or may have found, to be another thing than what serves."""
    return frozenset(
        finding.subject
        for report in reports
        if report.gate == DIFF
        for finding in report.findings
        if finding.likeness is Likeness.UNSAID
    )
