"""A parsed dbt project as the other rooms know it: its relations, its tests, what it says of itself. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.node import Name, Node
from prefect_sluice.planning.source_policy import DeclaredLoading
from prefect_sluice.sql.write_targets import Targets


@dataclass(frozen=True, slots=True)
class DbtTest:
    """A dbt data test or unit test: what it looks at (unique ids of nodes), and the digest of its own text.

    `model` is what a unit test tests; one that has no relation of its own is part of the digest. `declared` are the unique ids
    that the test itself names (sources and ephemeral models among them), `path` its file in the project.
    """

    unique_id: str
    fqn: tuple[str, ...]
    is_unit: bool
    parents: tuple[str, ...]
    fingerprint: str
    model: str = ""
    declared: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """A parsed project. `nodes` are in build order, parents first; `hooks` are the relations outside
    the project that its hooks, operations and macros may write to."""

    name: str
    nodes: Mapping[str, Node]
    tests: Mapping[str, DbtTest]
    hooks: Targets
    exposures: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class DbtSource:
    """A source as dbt knows it: `called` in dbt (`raw.flights`), the relation's `name` in `database`, and how it is loaded."""

    called: str
    database: str
    name: Name
    loading: DeclaredLoading


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What a parsed project says of itself, beside its relations; keys are unique ids.

    `owners` are names or addresses, `locations` the files that models write to as configured, `environment` the names of the
    environment variables that its code reads. `hooked` are the nodes with hooks of their own, `post_hooks` their texts;
    `has_operations`: something runs before or after all nodes; `has_python`: a node is written in Python. `only_dbt` are the
    data tests whose answer may depend on more than their SQL: they have to run inside dbt. `copied_to` are the folders that
    hooks of nodes copy files into, as far as that is written in them.
    """

    name: str
    consumers: Mapping[str, Consumer] = field(default_factory=dict[str, Consumer])
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    sources: tuple[DbtSource, ...] = ()
    locations: frozenset[str] = frozenset()
    environment: frozenset[str] = frozenset()
    hooked: frozenset[str] = frozenset()
    post_hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    has_operations: bool = False
    has_python: bool = False
    only_dbt: frozenset[str] = frozenset()
    copied_to: frozenset[str] = frozenset()

    def sources_of(self, catalog: str) -> Mapping[Name, str]:
        """Return what dbt calls each source of the database `catalog`, by its name there in lower case."""
        return {
            source.name.folded: source.called
            for source in self.sources
            if source.database.lower() == catalog.lower()
        }

    def loading(self) -> Mapping[str, DeclaredLoading]:
        """Return how each source is loaded, by `schema.relation` in lower case."""
        return {str(source.name).lower(): source.loading for source in self.sources}
