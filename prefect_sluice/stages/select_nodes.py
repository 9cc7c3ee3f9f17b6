"""A part of an environment: which nodes are renewed, which stale ones keep what is live, and whether that hangs together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.planning.make_plan import PlanInputs, live_versions, make_plan
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.reasons import Held, HeldBy
from prefect_sluice.planning.refresh_subset import RefreshSubset, cut, source_texts
from prefect_sluice.promotions.load_project import LoadedProject

NOT_SELECTED = Held(HeldBy.OTHER, "stale, and not selected: it stays as it is")
NO_PART = Held(HeldBy.NO_PART)
_MOST = 12


def selected(asked: PlanInputs, loaded: LoadedProject, select: str) -> PlanInputs:
    """Return the question with every stale node held that the selectors leave out. What reads a renewed node goes along.

    Raises BadInput for selectors that match no relation, Refused with the list of what must be selected, too.
    """
    wanted = set(loaded.dbt.select(select)) & asked.nodes.keys()
    if not wanted:
        raise BadInput(
            f"no model, seed or snapshot matches {select!r}",
            fix="see what there is: dbt ls --select …",
        )
    whole = make_plan(asked)
    found = renewed(asked, whole, wanted)
    if not found.holds:
        raise Refused(_torn(asked, found), f"select these, too: {_names(asked, found.missing or found.torn)}")
    held = dict.fromkeys(moved(whole) - found.renewed, NOT_SELECTED)
    return replace(asked, held=held, select=tuple(select.split()))


def without_rest(inputs: PlanInputs) -> PlanInputs:
    """Return the question of a part that is released, with what is stale by its data alone held: as much of it as may be, so that
    nothing reads new and old data of one source. Pure."""
    live, whole = inputs.live.by_node(), make_plan(inputs)
    part = {
        uid
        for uid, node in inputs.nodes.items()
        if uid not in live or (live[uid].fingerprint, live[uid].name) != (node.fingerprint, node.name)
    }
    renewal = renewed(inputs, whole, part)
    while renewal.missing - part:
        part |= renewal.missing
        renewal = renewed(inputs, whole, part)
    if not renewal.holds:
        return inputs
    return replace(inputs, held=dict.fromkeys(moved(whole) - renewal.renewed, NO_PART))


def renewed(asked: PlanInputs, whole: Plan, wanted: Collection[str]) -> RefreshSubset:
    """Return what of the whole plan is renewed when only `wanted` are asked for; what serves nothing yet always is."""
    fresh = asked.nodes.keys() - asked.live.by_node().keys()
    stale = _stale_by_themselves(asked, whole)
    return cut(asked.nodes, live_versions(asked), asked.versions, stale=stale, wanted={*wanted, *fresh})


def moved(plan: Plan) -> frozenset[str]:
    """Return the nodes that get another relation by a plan."""
    return frozenset(step.node for step in plan.steps if step.moves and step.node in plan.notes.nodes)


def _stale_by_themselves(asked: PlanInputs, whole: Plan) -> frozenset[str]:
    was, live, all_moved = live_versions(asked), asked.live.by_node(), moved(whole)
    found: set[str] = set()
    for uid in all_moved:
        node = asked.nodes[uid]
        same = uid in live and (live[uid].fingerprint, live[uid].name) == (node.fingerprint, node.name)
        fresh = any(was.get(uid, {}).get(text) != asked.versions.get(text) for text in source_texts(node))
        if not same or fresh or not all_moved.intersection(node.parents):
            found.add(uid)
    return frozenset(found)


def _torn(asked: PlanInputs, found: RefreshSubset) -> str:
    return (
        f"{_names(asked, found.renewed)} cannot be refreshed alone: it would read new and old data of one source"
        if len(found.renewed) == 1
        else "what was selected cannot be refreshed alone: something would read new and old data of one source"
    )


def _names(asked: PlanInputs, uids: Collection[str]) -> str:
    names = sorted(asked.nodes[uid].short for uid in uids)
    return " ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
