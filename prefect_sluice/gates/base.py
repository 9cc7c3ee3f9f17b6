"""The port of every gate: what it is given, and what it promises to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import ClassVar, Protocol

from prefect_sluice.config import GateSettings as Settings
from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.domain.build_conditions import ConditionsBefore
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.declarations import Declarations
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.former_text import Former, all_new
from prefect_sluice.domain.generation import Cause, Pointer
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.release import Change
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.planning.expectations import CommitDeclarations
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.warehouse.base import Reader
from prefect_sluice.warehouse.engines import ASSUMED


class Needs(IntEnum):
    """What a gate looks at, in the order in which it comes to exist; a gate runs as soon as it can."""

    SOURCES = 0
    CANDIDATE = 1
    CANDIDATE_AND_LIVE = 2


@dataclass(frozen=True, slots=True)
class BuildOutcome:
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
    """What dbt answered for its unit tests; `expected` is how many look at what changed.

    `models` says which model each one tests; `unbuilt` why something that they read could not be built without rows, nor
    with them. Both are by unique id.
    """

    results: tuple[NodeResult, ...] = ()
    expected: int = 0
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    unbuilt: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class PastMeasure:
    """One number of the past: a measure of a candidate that was served afterwards. `at` is UTC."""

    value: float
    at: datetime
    promotion: str


class History(Protocol):
    """What gates measured before in this environment, of candidates that were served."""

    def of(self, subject: str, metric: str) -> Sequence[PastMeasure]:
        """Return the numbers, the newest first; none if there are none."""
        ...


def _no_unit_tests() -> UnitResults:
    return UnitResults()


def _not_built(_nodes: Sequence[str]) -> Sequence[NodeResult]:
    return ()


def _nothing() -> None:
    return None


def _nothing_said() -> CommitDeclarations:
    return CommitDeclarations()


def _nowhere() -> str:
    return "nothing is known of other environments"


@dataclass(frozen=True, slots=True)
class Subject:
    """The one thing under judgment. What a stage cannot know yet is empty.

    `project` is the dbt project's root folder in a clean checkout of the release, `working_directory` the folder there in which
    dbt runs (None: the project's); `nodes` all nodes by unique
    id; `changed` the unique ids that this plan builds or carries over, in build order; `edited` those whose own text
    changed (a subset), formatting and comments apart; `rewritten` those of the project whose file is not byte for byte that of
    the release that serves; `touched` the repository's files that differ from that release (nothing serves: all
    of them). `former` tells what such files were there, line by line (of a first release: all is as it was).
    `candidate` reads the candidate: `candidate_relations` maps unique id to its relation as quoted SQL,
    `live_relations` likewise for what is served now, readable through the same reader, `standing` for what is served and
    stays as it is. All are empty for SOURCES.

    `served` are the pointers of what is served now, by unique id, and `noted` the notes of the plan that they come of (None: not
    known); both are empty for SOURCES.

    `catalog` is the name of the served database, `dialect` sqlglot's name of its SQL: `warehouse.engines.functions` of it has
    every expression that differs by engine.

    `declared` is what the project declares beside its relations, `declared_before` the same of the release that serves now
    (None: nothing serves, or it is not known). `earlier` writes a checkout of that release and returns its project's folder
    (None: nothing serves). `apart` does so for this release, in a folder in which a gate may run the project's own code.
    `conditions` compares what the release is built under with the environment that it served in before; a text says why
    there is nothing to compare. `unit_tests` has dbt run its unit tests; asked once. `without_rows` has dbt build nodes of
    `changed` without rows, in a database that is thrown away, and returns its answers for them and for what they need; empty
    where it cannot. `built` is what dbt said of the build.

    `expected` reads what the commits of this release declare that they change in the data. `moved` are the sources whose data
    is not what the live relation was built from, by unique id: there a difference holds new data, too. `same_code` are nodes
    whose live relation was built by this very code, and from what the same code built: there it holds nothing else.
    `baseline_relations` are what the code that serves makes of today's data, where sources moved under a change that declares
    what it does; `no_baseline` says why there are none.

    `compared` is what the gate `diff` found, by unique id; it writes it down for those that are asked after it.

    `variables` are the environment variables that a process which a gate starts may see, `readable` the files and folders
    outside of the checkout that it may read, since `source.include` names them, `vars` the dbt variables that
    sluice.yml gives. `memory` and `history` are the
    gate's own; None where nothing is kept (`sluice lint` in a working tree).
    """

    project: Path
    nodes: Mapping[str, Node]
    changed: tuple[str, ...]
    edited: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    former: Former = all_new
    working_directory: Path | None = None
    candidate: Reader | None = None
    candidate_relations: Mapping[str, str] = field(default_factory=dict[str, str])
    live_relations: Mapping[str, str] = field(default_factory=dict[str, str])
    served: Mapping[str, Pointer] = field(default_factory=dict[str, Pointer])
    noted: NotesBefore | None = None
    catalog: str = ""
    dialect: str = ASSUMED
    standing: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: str = ""
    cause: Cause = Cause.RELEASE
    plan: Plan | None = None
    change: Change | None = None
    declared: Declarations = field(default_factory=Declarations)
    declared_before: Declarations | None = None
    earlier: Callable[[], Path | None] = _nothing
    apart: Callable[[], Path | None] = _nothing
    expected: Callable[[], CommitDeclarations] = _nothing_said
    moved: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    same_code: frozenset[str] = frozenset()
    baseline_relations: Mapping[str, str] = field(default_factory=dict[str, str])
    no_baseline: str = ""
    unit_tests: Callable[[], UnitResults] = _no_unit_tests
    without_rows: Callable[[Sequence[str]], Sequence[NodeResult]] = _not_built
    built: BuildOutcome = field(default_factory=BuildOutcome)
    conditions: Callable[[], ConditionsBefore | str] = _nowhere
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    readable: tuple[Path, ...] = ()
    vars: Mapping[str, Json] = field(default_factory=dict[str, Json])
    rewritten: tuple[str, ...] = ()
    compared: dict[str, RelationDiff] = field(default_factory=dict[str, RelationDiff])
    memory: Memory | None = None
    history: History | None = None

    @property
    def root(self) -> Path:
        """The repository's folder in the checkout."""
        return self.change.root(self.project) if self.change else self.project


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
