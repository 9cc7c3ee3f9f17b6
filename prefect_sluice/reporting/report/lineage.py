"""The lineage of a promotion, as a graph with levels: changed nodes, what they read directly, who reads them. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from prefect_sluice.domain.node import short_name
from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.reporting.report.model import ConsumerRow, DotPart, Lineage, LineageNode

MOST = 40
"""How many nodes are drawn one by one."""

_PARTS: Mapping[Action, DotPart] = {Action.BUILD: "build", Action.CARRY: "carry", Action.REMOVE: "remove"}


def lineage(plan: Plan | None, reached: Sequence[ConsumerRow], findings: Iterable[Finding]) -> Lineage:
    """Return the graph; without a plan it is empty."""
    if plan is None:
        return Lineage((), ())
    steps = {step.node: step for step in plan.steps if not step.is_by_product}
    moved = {uid for uid, step in steps.items() if step.moves}
    edges = [
        (parent, uid)
        for uid in steps
        if uid in moved and uid in plan.notes.makeup
        for parent in plan.notes.makeup[uid].reads
        if parent in steps
    ]
    edges += [
        (uid, one.consumer.unique_id) for one in reached for uid in one.consumer.parents if uid in moved
    ]
    touched = moved | {uid for edge in edges for uid in edge}
    shown = [uid for uid in (*steps, *(one.consumer.unique_id for one in reached)) if uid in touched]
    levels = _levels(shown, edges)
    worst = _worst(findings)
    consumers = {one.consumer.unique_id: one for one in reached}
    dots = [
        _consumer(consumers[uid], levels[uid], worst.get(uid))
        if uid in consumers
        else _node(steps[uid], levels[uid], worst.get(uid))
        for uid in shown
    ]
    return _bounded(dots, edges, frozenset(plan.edited))


def _node(step: Step, level: int, verdict: Verdict | None) -> LineageNode:
    part = _PARTS.get(step.action, "relink" if step.moves else "reuse")
    return LineageNode(step.node, short_name(step.node), part, level, str(step.reason), verdict)


def _consumer(one: ConsumerRow, level: int, verdict: Verdict | None) -> LineageNode:
    consumer = one.consumer
    return LineageNode(
        consumer.unique_id, consumer.label or consumer.name, "consumer", level, consumer.kind, verdict
    )


def _worst(findings: Iterable[Finding]) -> Mapping[str, Verdict]:
    worst: dict[str, Verdict] = {}
    for finding in findings:
        for uid in finding.subjects:
            worst[uid] = max(finding.verdict, worst.get(uid, Verdict.PASSED))
    return worst


def _levels(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> Mapping[str, int]:
    """Return how far from the left each stands: after all that it reads. A circle, which dbt forbids, is cut."""
    reads: dict[str, list[str]] = {uid: [] for uid in nodes}
    for above, below in edges:
        reads[below].append(above)
    levels: dict[str, int] = {}
    for start in nodes:
        todo, open_ = [start], {start}
        while todo:
            missing = [uid for uid in reads[todo[-1]] if uid not in levels and uid not in open_]
            if missing:
                todo.append(missing[0])
                open_.add(missing[0])
                continue
            uid = todo.pop()
            levels[uid] = max((levels.get(above, -1) + 1 for above in reads[uid]), default=0)
    return levels


def _bounded(
    dots: Sequence[LineageNode], edges: Sequence[tuple[str, str]], edited: frozenset[str]
) -> Lineage:
    """Return at most MOST nodes one by one, the important ones; the rest of each column and part as one node."""

    def rank(dot: LineageNode) -> tuple[int, int]:
        bad = dot.verdict is not None and not dot.verdict.lets_through
        weight = (
            0
            if bad
            else 1
            if dot.id in edited
            else 2
            if dot.part == "consumer"
            else 4
            if dot.part == "reuse"
            else 3
        )
        return weight, dot.level

    kept = {dot.id for dot in sorted(dots, key=rank)[:MOST]}
    columns = sorted({dot.level for dot in dots if dot.id in kept})
    placed = [replace(dot, level=_column(dot, columns, dot.id in kept)) for dot in dots]
    rest: dict[tuple[int, str], list[LineageNode]] = {}
    for dot in placed:
        if dot.id not in kept:
            rest.setdefault((dot.level, dot.part), []).append(dot)
    drawn = [dot for dot in placed if dot.id in kept]
    stands_for = {uid: uid for uid in kept}
    for (level, part), some in rest.items():
        together = LineageNode(
            f"rest.{level}.{part}", f"{len(some)} more", "rest", level, f"{len(some)} of: {part}"
        )
        drawn.append(together if len(some) > 1 else some[0])
        stands_for |= {dot.id: drawn[-1].id for dot in some}
    joined = dict.fromkeys((stands_for[above], stands_for[below]) for above, below in edges)
    used = {level: place for place, level in enumerate(sorted({dot.level for dot in drawn}))}
    return Lineage(
        tuple(replace(dot, level=used[dot.level]) for dot in drawn),
        tuple((above, below) for above, below in joined if above != below),
        sum(len(some) for some in rest.values() if len(some) > 1),
    )


def _column(dot: LineageNode, columns: Sequence[int], is_kept: bool) -> int:
    """Return the column of a node: each level with a node of its own is one, and all levels between two of them another."""
    place = bisect_left(columns, dot.level)
    return 2 * place + (is_kept or (place < len(columns) and columns[place] == dot.level))
