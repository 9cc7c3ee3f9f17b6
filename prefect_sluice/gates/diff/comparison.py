"""How a candidate's relation is compared with what serves, by the settings of the gate `diff`; how an `Expect:` names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.diff.compare import compare
from prefect_sluice.diff.float_tolerance import RELATIVE, Tolerance
from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.domain.node import Node, NodeKind
from prefect_sluice.gates.base import CandidateView, ToolsView


class ComparisonSettings(config.GateSettings):
    """What sluice.yml may say of how two states of a relation are compared."""

    tolerance: float = Field(
        default=RELATIVE,
        ge=0,
        lt=1,
        description="How far two floats may be apart, as a share of the larger, and still be the same; 0 is exact.",
    )
    tolerances: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(
        default_factory=dict[str, float],
        description="The tolerance of a relation, or of a column: by `relation` or `relation.column`; * and ? stand for any.",
    )
    keys: dict[str, str | tuple[str, ...]] = Field(
        default_factory=dict[str, "str | tuple[str, ...]"],
        description="The columns that tell rows apart, by unique id. Default: the unique_key, or a column tested as unique.",
    )

    def near(self, names: Iterable[str]) -> Callable[[str], float]:
        """Return the tolerance of each column of the relation that goes by these names."""
        return partial(Tolerance(self.tolerance, self.tolerances).of, tuple(names))


def compared(
    candidate: CandidateView, tools: ToolsView, node: Node, before: str, after: str, how: ComparisonSettings
) -> RelationDiff:
    """Return what differs between two states of a node's relation, in quoted SQL. Repeatable.

    A snapshot whose key is none there (it was another once, or is an expression) is compared by the column that tells its
    versions apart. Raises QueryFailed when the warehouse refuses, BadInput for an engine that is not known.
    """
    assert candidate.reader is not None
    near, key = how.near(names(node)), _key(node, how)
    found = compare(candidate.reader, before, after, key, node.short, tools.memory, near)
    if node.kind is not NodeKind.SNAPSHOT or found.key or found.same_rows:
        return found
    by_version = compare(candidate.reader, before, after, (node.version,), node.short, tools.memory, near)
    return by_version if by_version.key else found


def names(node: Node) -> tuple[str, ...]:
    """Return what a relation is called in an expectation: its short name, its public name, its unique id."""
    return (node.short, str(node.name), node.name.identifier, node.unique_id)


def expect_name(name: str) -> str:
    """Return a name as an `Expect:` line has it."""
    plain = name.replace("_", "").isalnum()
    return name if plain else '"' + name.replace('"', '""') + '"'


def above(share: float) -> str:
    """Return a share in percent, rounded up to a digit behind the point."""
    return f"{min(int(share * 1000 + 0.999999) / 10, 100):g}"


def _key(node: Node, how: ComparisonSettings) -> tuple[str, ...]:
    told = how.keys.get(node.unique_id)
    if told is not None:
        return (told,) if isinstance(told, str) else tuple(told)
    if node.kind is NodeKind.SNAPSHOT and node.unique_key:
        return (*node.unique_key, "dbt_valid_from")  # a snapshot holds every version of a row
    return node.unique_key
