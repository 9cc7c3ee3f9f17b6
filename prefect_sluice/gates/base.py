"""The port of every gate: what it is given, and what it promises to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from prefect_sluice.node import Node
from prefect_sluice.verdict import GateReport
from prefect_sluice.warehouse.base import Reader


class Needs(IntEnum):
    """What a gate looks at, in the order in which it comes to exist; a gate runs as soon as it can."""

    SOURCES = 0
    CANDIDATE = 1
    CANDIDATE_AND_LIVE = 2


@dataclass(frozen=True, slots=True)
class Subject:
    """The one thing under judgment.

    `project` is the dbt project's root folder in a clean checkout of the release; `nodes` all nodes by unique
    id; `changed` the unique ids that this plan builds or carries over, in build order; `edited` those whose own text
    changed (a subset). `candidate` reads the candidate: `candidate_relations` maps unique id to its relation as quoted SQL,
    `live_relations` likewise for what is served now, readable through the same reader. Both are empty for SOURCES.
    """

    project: Path
    nodes: Mapping[str, Node]
    changed: tuple[str, ...]
    edited: tuple[str, ...] = ()
    candidate: Reader | None = None
    candidate_relations: Mapping[str, str] = field(default_factory=dict[str, str])
    live_relations: Mapping[str, str] = field(default_factory=dict[str, str])


class Gate(Protocol):
    """Looks at a subject and reports. It changes nothing, and can be asked again.

    `id` is the gate's one name in code, configuration, ledger and docs. A check that breaks or cannot tell is a finding
    (ERRORED, INCONCLUSIVE), not an exception; `gates.run` turns what escapes into ERRORED all the same.
    """

    @property
    def id(self) -> str: ...

    @property
    def needs(self) -> Needs: ...

    def check(self, subject: Subject) -> GateReport:
        """Return the findings; `not_applicable` when there is nothing it could look at."""
        ...
