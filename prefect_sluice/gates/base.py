"""The port of every gate: what it is given, and what it promises to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import ClassVar, Protocol

from prefect_sluice.canonical import Json
from prefect_sluice.config import Gate as Settings
from prefect_sluice.data_test import DataTest
from prefect_sluice.declared import Declared
from prefect_sluice.generation import Cause
from prefect_sluice.node import Node
from prefect_sluice.plan import Plan
from prefect_sluice.release import Change
from prefect_sluice.results import NodeResult
from prefect_sluice.verdict import GateReport
from prefect_sluice.warehouse.base import Reader


class Needs(IntEnum):
    """What a gate looks at, in the order in which it comes to exist; a gate runs as soon as it can."""

    SOURCES = 0
    CANDIDATE = 1
    CANDIDATE_AND_LIVE = 2


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a build. `results` are dbt's answers for nodes, operations and those data tests that it ran, `tests`
    the data tests that are still to be asked, `notes` what was done in another way than asked, by unique id; `reused`
    counts relations that were there already, `taken` those of `changed` that an earlier attempt had built."""

    results: tuple[NodeResult, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    reused: int = 0
    taken: int = 0
    tests: tuple[DataTest, ...] = ()


@dataclass(frozen=True, slots=True)
class UnitResults:
    """What dbt answered for its unit tests; `expected` is how many look at what changed."""

    results: tuple[NodeResult, ...] = ()
    expected: int = 0


class Memory(Protocol):
    """Remembers documents by the digest of what they were derived from. Each gate has its own."""

    def recall(self, key: str) -> Json | None:
        """Return what is kept under `key`, None if nothing is."""
        ...

    def keep(self, key: str, value: Json) -> None:
        """Keep a document. Repeatable."""
        ...


@dataclass(frozen=True, slots=True)
class Past:
    """One number of the past: a measure of a candidate that was served afterwards. `at` is UTC."""

    value: float
    at: datetime
    promotion: str


class History(Protocol):
    """What gates measured before in this environment, of candidates that were served."""

    def of(self, subject: str, metric: str) -> Sequence[Past]:
        """Return the numbers, the newest first; none if there are none."""
        ...


def _no_unit_tests() -> UnitResults:
    return UnitResults()


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Subject:
    """The one thing under judgment. What a stage cannot know yet is empty.

    `project` is the dbt project's root folder in a clean checkout of the release; `nodes` all nodes by unique
    id; `changed` the unique ids that this plan builds or carries over, in build order; `edited` those whose own text
    changed (a subset). `candidate` reads the candidate: `candidate_relations` maps unique id to its relation as quoted SQL,
    `live_relations` likewise for what is served now, readable through the same reader. Both are empty for SOURCES.

    `declared` is what the project declares beside its relations, `declared_before` the same of the release that serves now
    (None: nothing serves, or it is not known). `earlier` writes a checkout of that release and returns its project's folder
    (None: nothing serves). `apart` does so for this release, in a folder in which a gate may run the project's own code.
    `unit_tests` has dbt run its unit tests; asked once. `built` is what dbt said of the build.

    `variables` are the environment variables that a process which a gate starts may see. `memory` and `history` are the
    gate's own; None where nothing is kept (`sluice lint` in a working tree).
    """

    project: Path
    nodes: Mapping[str, Node]
    changed: tuple[str, ...]
    edited: tuple[str, ...] = ()
    candidate: Reader | None = None
    candidate_relations: Mapping[str, str] = field(default_factory=dict[str, str])
    live_relations: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: str = ""
    cause: Cause = Cause.RELEASE
    plan: Plan | None = None
    change: Change | None = None
    declared: Declared = field(default_factory=Declared)
    declared_before: Declared | None = None
    earlier: Callable[[], Path | None] = _nothing
    apart: Callable[[], Path | None] = _nothing
    unit_tests: Callable[[], UnitResults] = _no_unit_tests
    built: Built = field(default_factory=Built)
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    memory: Memory | None = None
    history: History | None = None


class Gate(Protocol):
    """Looks at a subject and reports. It changes nothing, and can be asked again.

    `id` is the gate's one name in code, configuration, ledger and docs. A gate is made from its settings alone, an object
    of its own `Settings` (a `config.Gate` with the keys that it takes beyond those of every gate). A check that breaks or
    cannot tell is a finding (ERRORED, INCONCLUSIVE), not an exception; `gates.run` turns what escapes into ERRORED all the
    same.
    """

    id: ClassVar[str]
    needs: ClassVar[Needs]
    Settings: ClassVar[type[Settings]]

    def check(self, subject: Subject) -> GateReport:
        """Return the findings; `not_applicable` when there is nothing it could look at."""
        ...
