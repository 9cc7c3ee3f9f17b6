"""What the relations of a candidate cost: rows, bytes, and the seconds that dbt took to build them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.gates.base import CandidateView, ReleaseView
from prefect_sluice.planning.plan import Action
from prefect_sluice.warehouse.base import Reader

_AT_ONCE = 200


def rows(reader: Reader, relations: Mapping[str, str]) -> tuple[dict[str, int], dict[str, str]]:
    """Count the rows of relations (quoted SQL, by unique id), many in one query; also return what cannot be read, and why."""
    counted: dict[str, int] = {}
    broken: dict[str, str] = {}
    for some in _portions(relations):
        try:
            counted |= _count(reader, some)
        except QueryFailed:
            for item in some:
                try:
                    counted |= _count(reader, [item])
                except QueryFailed as error:
                    broken[item[0]] = str(error).splitlines()[0]
    unheard = relations.keys() - counted.keys() - broken.keys()
    return counted, broken | dict.fromkeys(unheard, "the warehouse did not say")


def _portions(relations: Mapping[str, str]) -> Iterable[Sequence[tuple[str, str]]]:
    items = list(relations.items())
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))


def _count(reader: Reader, relations: Sequence[tuple[str, str]]) -> dict[str, int]:
    parts = [f"select {n} as n, count(*) as rows from {sql}" for n, (_, sql) in enumerate(relations)]
    answer = reader.query(" union all ".join(parts))
    return {relations[int(str(n))][0]: int(str(count)) for n, count in answer.rows}


def seconds(
    release: ReleaseView, candidate: CandidateView, uids: Iterable[str]
) -> dict[tuple[str, str], float]:
    """Return dbt's seconds by (unique id, metric): a table that is built anew and one that grows are not alike.

    What an earlier attempt had built has no seconds of its own.
    """
    carried = {step.node for step in release.plan.of(Action.CARRY)} if release.plan else set[str]()
    wanted = set(uids)
    return {
        (item.unique_id, "seconds carried" if item.unique_id in carried else "seconds"): item.seconds
        for item in candidate.built.results
        if item.unique_id in wanted and item.ok and item.seconds > 0
    }
