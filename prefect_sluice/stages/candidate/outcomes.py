"""What became of each node and data test, as it is shown to those who watch a run: from dbt's answers and the gate's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from prefect_sluice.domain.counting import noun
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import Node, NodeKind
from prefect_sluice.domain.results import DROPPED, NodeResult
from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.runtime.events import GateJudged, NodeDone, NodeFate
from prefect_sluice.warehouse.base import Reader

_AT_ONCE = 100
"""How many tables one query counts."""
_TABLES = frozenset(NodeKind) - {NodeKind.VIEW}
_FATES = {
    "success": NodeFate.BUILT,
    "pass": NodeFate.PASSED,
    "warn": NodeFate.WARNED,
    DROPPED: NodeFate.WARNED,
    "error": NodeFate.FAILED,
    "fail": NodeFate.FAILED,
    "runtime error": NodeFate.FAILED,
}
_VERDICTS = {
    Verdict.PASSED: NodeFate.PASSED,
    Verdict.WARNED: NodeFate.WARNED,
    Verdict.INCONCLUSIVE: NodeFate.SKIPPED,
    Verdict.ERRORED: NodeFate.FAILED,
    Verdict.FAILED: NodeFate.FAILED,
}


def called(uid: str) -> str:
    """Return what people call a node: its kind and its name, as in `model stg_orders`."""
    kind, _, rest = uid.partition(".")
    parts = rest.split(".")
    return (
        f"{kind} {parts[1] if kind in {'test', 'operation'} else '.'.join(parts[1:])}" if parts[1:] else uid
    )


def rows(reader: Reader, nodes: Mapping[str, Node], results: Iterable[NodeResult]) -> Mapping[str, int]:
    """Return how many rows each new table has, by unique id; a view's would have to be worked out, and are left out.

    A table's count is in its metadata, so that this costs a query for a hundred tables. One that cannot be read has none.
    """
    tables = [
        result.unique_id
        for result in results
        if result.ok and result.unique_id in nodes and nodes[result.unique_id].kind in _TABLES
    ]
    found: dict[str, int] = {}
    for start in range(0, len(tables), _AT_ONCE):
        part = tables[start : start + _AT_ONCE]
        found |= _counted(reader, [nodes[uid] for uid in part])
    return found


def _counted(reader: Reader, nodes: Sequence[Node]) -> Mapping[str, int]:
    each = [
        f"select {place} as place, count(*) as rows from {reader.at(node.name)}"
        for place, node in enumerate(nodes)
    ]
    try:
        answer = reader.query(" union all ".join(each))
    except QueryFailed:
        # One of them alone is to blame, and no reason to leave the others out.
        half = len(nodes) // 2
        return {**_counted(reader, nodes[:half]), **_counted(reader, nodes[half:])} if half else {}
    return {nodes[int(str(place))].unique_id: int(str(count)) for place, count in answer.rows}


def nodes_done(
    results: Iterable[NodeResult], counts: Mapping[str, int], at: datetime
) -> tuple[NodeDone, ...]:
    """Return what became of each node of a build, and of each test that dbt ran. What dbt did not work on ended `at`. Pure."""
    return tuple(
        NodeDone(
            result.unique_id,
            result.kind,
            called(result.unique_id).partition(" ")[2],
            _FATES.get(result.status, NodeFate.SKIPPED),
            _message(result, counts.get(result.unique_id)),
            result.started or result.ended or at,
            result.ended or result.started or at,
            counts.get(result.unique_id),
            result.parents,
        )
        for result in results
    )


def _message(result: NodeResult, rows: int | None) -> str:
    fate = _FATES.get(result.status, NodeFate.SKIPPED)
    if fate is NodeFate.SKIPPED:
        return "not built, because something it reads failed"
    if result.kind == "test" or result.status == DROPPED or fate is NodeFate.FAILED:
        return result.message or ("holds" if fate is NodeFate.PASSED else "dbt gave no message")
    if result.started is None:
        return result.message
    what = "" if rows is None else f"{rows:,} {noun(rows, 'row')} in "
    return f"{what}{result.seconds:.2f} s"


def answered_tests(judged: GateJudged, tests: Iterable[DataTest]) -> tuple[NodeDone, ...]:
    """Return what became of the data tests that a gate asked; all of them took the time of the gate, which asks them together.

    Pure.
    """
    found = {(item.check, item.location, item.subject): item for item in judged.report.findings}
    done: list[NodeDone] = []
    for test in tests:
        finding = found.get((test.short, test.path, ", ".join(test.parents)))
        if finding is not None:
            done.append(_test_done(judged, test, finding))
    return tuple(done)


def _test_done(judged: GateJudged, test: DataTest, finding: Finding) -> NodeDone:
    return NodeDone(
        test.unique_id,
        "test",
        test.short,
        _VERDICTS[finding.verdict],
        finding.summary,
        judged.started,
        judged.ended,
        parents=test.parents,
    )
