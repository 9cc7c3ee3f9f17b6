"""Volatile inputs: the versions of the clock, of chance, and of what nobody can look at. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.node import Node
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.refresh_subset import built_from, source_texts, volatile_texts

DAY = "clock:day"


def versions(nodes: Mapping[str, Node], now: datetime, unknown: str) -> Mapping[str, str]:
    """Return today's answer for everything that nodes ask of the clock and of chance, by its text.

    The day is that of `now` in UTC; the time of day and chance are `unknown`, which the caller makes new for each attempt.
    """
    day = now.astimezone(UTC).date().isoformat()
    return {
        text: day if what == DAY else unknown
        for node in nodes.values()
        for what, text in zip(node.volatile, volatile_texts(node), strict=True)
    }


def settled(
    cause: Cause,
    nodes: Mapping[str, Node],
    versions_now: Mapping[str, str],
    passing: frozenset[str],
    live: Generation,
    before: NotesBefore | None,
) -> Mapping[str, str]:
    """Return `versions_now`, in which a release takes the versions that are live for what changes by itself.

    `passing` are the texts that nobody can look at, or whose answer only time changes. A refresh takes all of them anew.
    A release keeps one if every node that reads it has the code that is live: an unrelated change builds none of them.
    """
    if cause is not Cause.RELEASE or before is None:
        return versions_now
    pointers = live.by_node()
    was = built_from(nodes, pointers, before.versions, before.behind)
    changed = {
        text
        for uid, node in nodes.items()
        if uid not in pointers or pointers[uid].fingerprint != node.fingerprint
        for text in source_texts(node)
    }
    kept: dict[str, str] = {}
    for text in passing - changed:
        served = {was[uid][text] for uid, node in nodes.items() if text in source_texts(node)}
        if len(served) == 1 and all(served):
            kept |= dict.fromkeys([text], *served)
    return {**versions_now, **kept}
