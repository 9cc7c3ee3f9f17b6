"""What a part leaves as it is: all that is stale by its data alone, but nothing that would mix new and old data of a source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefect_sluice.domain.node import Name
from prefect_sluice.stages.select_nodes import NO_PART, without_rest
from tests.planning.test_plan import Environment, node, project, uid

OLD = {"raw.orders": "v1", "raw.clicks": "v1"}
RAW, CLICKS = (Name("raw", "orders"),), (Name("raw", "clicks"),)
SHOP = (
    node("orders", sources=RAW),
    node("clicks", sources=CLICKS),
    node("both", "orders", "clicks"),
    node("alone"),
    node("mixed", "orders", sources=RAW),
)


def held(changed: str, **fresh: str) -> set[str]:
    """Return what a part that changes one node leaves as it is, with so much new data."""
    environment = Environment()
    environment.release(project(*SHOP), versions=OLD)
    nodes = (replace(one, own="2") if one.unique_id == uid(changed) else one for one in SHOP)
    part = without_rest(environment.inputs(project(*nodes), versions={**OLD, **fresh}))
    assert set(part.held.values()) <= {NO_PART}
    return {one.removeprefix("model.shop.") for one in part.held}


@pytest.mark.parametrize(
    ("changed", "fresh", "kept"),
    [
        ("alone", ("raw.orders", "raw.clicks"), {"orders", "clicks", "both", "mixed"}),
        ("orders", ("raw.clicks",), {"clicks"}),
        ("both", ("raw.orders",), {"orders", "mixed"}),
        ("mixed", ("raw.orders", "raw.clicks"), {"clicks"}),
        ("orders", ("raw.orders",), set[str]()),
        ("alone", (), set[str]()),
    ],
)
def test_what_is_stale_and_no_part_stays(changed: str, fresh: tuple[str, ...], kept: set[str]) -> None:
    assert held(changed, **dict.fromkeys(fresh, "v2")) == kept
