"""The port of every gate: what it is given, and what it promises to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

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
class ReleaseView:
    """What is to be released, and where to. What is not known is empty.

    `project` is the dbt project's root folder in a clean checkout of the release, `working_directory` the folder there in which
    dbt runs (None: the project's); `nodes` all nodes by unique id; `changed` the unique ids that this plan builds or carries
    over, in build order; `edited` those whose own text changed (a subset), formatting and comments apart; `rewritten` those of
    the project whose file is not byte for byte that of the release that serves; `touched` the repository's files that differ
    from that release (nothing serves: all of them). `former` tells what such files were there, line by line (of a first
    release: all is as it was).

    `catalog` is the name of the served database, `dialect` sqlglot's name of its SQL: `warehouse.engines.functions` of it has
    every expression that differs by engine.
    """

    project: Path
    nodes: Mapping[str, Node]
    changed: tuple[str, ...]
    edited: tuple[str, ...] = ()
    rewritten: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    former: Former = all_new
    working_directory: Path | None = None
    environment: str = ""
    cause: Cause = Cause.RELEASE
    plan: Plan | None = None
    change: Change | None = None
    catalog: str = ""
    dialect: str = ASSUMED

    @property
    def root(self) -> Path:
        """The repository's folder in the checkout."""
        return self.change.root(self.project) if self.change else self.project


@dataclass(frozen=True, slots=True)
class CandidateView:
    """What was built, and what is served beside it.

    `reader` reads the candidate (None: none was built, and nothing that is served stays): `relations` maps unique id to its
    relation as quoted SQL, `live` likewise for what is served now, readable through the same reader, `standing` for what is
    served and stays as it is. `served` are the pointers of what is served now, by unique id, and `noted` the notes of the plan
    that they come of (None: not known). `built` is what dbt said of the build.

    `moved` are the sources whose data is not what the live relation was built from, by unique id: there a difference holds new
    data, too. `same_code` are nodes whose live relation was built by this very code, and from what the same code built: there
    it holds nothing else. `baseline` are the relations that the code that serves makes of today's data, where sources moved
    under a change that declares what it does; `no_baseline` says why there are none.

    `compared` is what the gate `diff` found, by unique id; it writes it down for those that are asked after it.
    """

    reader: Reader | None = None
    relations: Mapping[str, str] = field(default_factory=dict[str, str])
    live: Mapping[str, str] = field(default_factory=dict[str, str])
    standing: Mapping[str, str] = field(default_factory=dict[str, str])
    served: Mapping[str, Pointer] = field(default_factory=dict[str, Pointer])
    noted: NotesBefore | None = None
    built: BuildOutcome = field(default_factory=BuildOutcome)
    moved: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    same_code: frozenset[str] = frozenset()
    baseline: Mapping[str, str] = field(default_factory=dict[str, str])
    no_baseline: str = ""
    compared: dict[str, RelationDiff] = field(default_factory=dict[str, RelationDiff])


@dataclass(frozen=True, slots=True)
class DeclarationsView:
    """What people declare. `now` is what the project declares beside its relations, `before` the same of the release that serves
    (None: nothing serves, or it is not known); `expected` reads what the commits of this release declare that they change in
    the data."""

    now: Declarations = field(default_factory=Declarations)
    before: Declarations | None = None
    expected: Callable[[], CommitDeclarations] = _nothing_said


@dataclass(frozen=True, slots=True)
class ToolsView:
    """What a gate may work with.

    `memory` and `history` are the gate's own; None where nothing is kept (`sluice lint` in a working tree). `variables` are the
    environment variables that a process which a gate starts may see, `readable` the files and folders outside of the checkout
    that it may read, since `source.include` names them, `vars` the dbt variables that sluice.yml gives. `must_isolate`: what
    this machine cannot isolate is not run.

    `earlier` writes a checkout of the release that serves and returns its project's folder (None: nothing serves); `apart` does
    so for this release, in a folder in which a gate may run the project's own code. `unit_tests` has dbt run its unit tests;
    asked once. `without_rows` has dbt build nodes that changed without rows, in a database that is thrown away, and returns its
    answers for them and for what they need; empty where it cannot. `conditions` compares what the release is built under with
    the environment that it served in before; a text says why there is nothing to compare.
    """

    memory: Memory | None = None
    history: History | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    readable: tuple[Path, ...] = ()
    must_isolate: bool = False
    vars: Mapping[str, Json] = field(default_factory=dict[str, Json])
    earlier: Callable[[], Path | None] = _nothing
    apart: Callable[[], Path | None] = _nothing
    unit_tests: Callable[[], UnitResults] = _no_unit_tests
    without_rows: Callable[[Sequence[str]], Sequence[NodeResult]] = _not_built
    conditions: Callable[[], ConditionsBefore | str] = _nowhere


@dataclass(frozen=True, slots=True)
class Subject:
    """The one thing under judgment, in four views. No gate is given it: each is given the views that it asks for."""

    release: ReleaseView
    candidate: CandidateView = field(default_factory=CandidateView)
    declarations: DeclarationsView = field(default_factory=DeclarationsView)
    tools: ToolsView = field(default_factory=ToolsView)


VIEWS: Mapping[str, type[object]] = {
    "release": ReleaseView,
    "candidate": CandidateView,
    "declarations": DeclarationsView,
    "tools": ToolsView,
}
"""The views of a subject, by the name of the parameter that asks for one."""


class Gate(Protocol):
    """Looks at views of a subject and reports. It changes nothing, and can be asked again.

    `id` is the gate's one name in code, configuration, ledger and docs. A gate is made from its settings alone, an object
    of its own `Settings` (a `config.Gate` with the keys that it takes beyond those of every gate). A check that breaks or
    cannot tell is a finding (ERRORED, INCONCLUSIVE), not an exception; `gates.run` turns what escapes into ERRORED all the
    same.

    The parameters of `check` declare what the gate needs: each is named as one of VIEWS. It is given these and no other. One
    that asks for `candidate` is asked in Stage, any other in Test.
    """

    id: ClassVar[str]
    Settings: ClassVar[type[Settings]]

    def check(self, *args: Any, **views: Any) -> GateReport:
        """Return the findings; `not_applicable` when there is nothing it could look at."""
        ...


def views(gate: Gate | type[Gate]) -> tuple[str, ...]:
    """Return the names of the views that a gate asks for."""
    return tuple(name for name in signature(gate.check).parameters if name != "self")


def ask_gate(gate: Gate, subject: Subject) -> GateReport:
    """Give a gate the views that it asks for, and return its report. Raises what the gate raises."""
    return gate.check(**{view: getattr(subject, view) for view in views(gate)})


if not TYPE_CHECKING:  # a type checker would take any name for one that is here

    def __getattr__(name: str) -> object:
        if name == "Needs":  # of gates written before there were views
            raise ImportError(f"there is no Needs any more: {AUTHORS}")
        raise AttributeError(f"module 'prefect_sluice.gates' has no attribute {name!r}")


AUTHORS = (
    "name the views that its check reads as its parameters (release, candidate, declarations, tools), in place of subject and "
    "needs: docs/gates, a gate of your own"
)
"""What the author of a gate that asks for something else is to do."""
