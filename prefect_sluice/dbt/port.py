"""The port of dbt: what the other rooms ask of a parsed project. All that goes in and comes out is data.

dbt-core answers it in this process (`core/`). docs/decisions/0063-port-of-dbt.md says what another one would take.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from prefect_sluice.dbt.compiled_facts import CompiledFacts
from prefect_sluice.dbt.project import Project, ProjectFacts
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.declarations import Declarations
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.isolation.sandbox import Protection
from prefect_sluice.planning.compose import Parts

OnNode = Callable[[str, str, float, str], None]
"""Called as each node ends: unique id, status, seconds, dbt's message. In a thread of dbt's."""


class DbtProject(Protocol):
    """A parsed dbt project in a checkout, and what dbt does with it.

    Nodes and tests are named by their unique ids. Commands build in the session's side database, one at a time; each may be
    repeated. Every one raises DbtFailed where dbt does not start, and what asked the run to stop where it was stopped.
    """

    @property
    def facts(self) -> ProjectFacts:
        """What the project says of itself. Runs nothing of it."""
        ...

    @property
    def protection(self) -> Protection | None:
        """What the kernel holds the project's code to; None where nobody asked for isolation."""
        ...

    def declared(self) -> Declarations:
        """Return consumers, tests, descriptions, and the code that may run beside a query. Runs nothing of it."""
        ...

    def variables_used(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return the values of the dbt variables, and of the environment variables, that models, hooks and operations
        read; one that by its name may be a secret is replaced by its digest."""
        ...

    def text_keys(self) -> Mapping[str, str]:
        """Return what the compiled text of each SQL node depends on, as a digest: facts of a text are remembered by it."""
        ...

    def compiled(self, nodes: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the compiled texts of nodes: one, or two where `is_incremental()` makes a difference. Left out is what needs
        data that is not there yet."""
        ...

    def read(
        self, facts: Mapping[str, CompiledFacts], catalog: str, served: Collection[Name] = ()
    ) -> Project:
        """Return relations and tests with their fingerprints. `facts` are those of compiled texts; `served` are relations
        in the warehouse that are not the project's own, in lower case: one that a text names counts as read.

        Raises DbtFailed for a node that dbt would build in another database than `catalog`.
        """
        ...

    def add_parents(self, parents: Mapping[str, Iterable[str]]) -> None:
        """Tell dbt the parents that were found in compiled SQL, so that it builds in the right order."""
        ...

    def files(self, project: Project, folder: str) -> Parts:
        """Return nodes and tests with the files they need; `folder` is the project's in the repository ("." is its root)."""
        ...

    def select(self, selectors: str) -> tuple[str, ...]:
        """Return the relations that dbt's selectors (parted by blanks) match, sorted. Raises BadInput for one that dbt
        cannot read."""
        ...

    def build(
        self,
        nodes: Iterable[str],
        tests: Iterable[str] = (),
        *,
        new_columns: Iterable[str] = (),
        on_node: OnNode | None = None,
    ) -> tuple[NodeResult, ...]:
        """Build nodes, with these data tests, failing rows kept. `new_columns` are incremental models whose table gets the
        columns that the new code adds. Nothing at all runs where nothing is named."""
        ...

    def build_without_rows(self, nodes: Iterable[str], *, in_full: bool = False) -> tuple[NodeResult, ...]:
        """Build nodes without rows, for the columns that are looked up; `in_full`: incremental models afresh."""
        ...

    def data_tests(self, tests: Collection[str]) -> tuple[DataTest, ...]:
        """Return data tests with their SQL, compiled on what was built; those that do not compile are left out."""
        ...

    def run_data_tests(self, tests: Iterable[str]) -> tuple[NodeResult, ...]:
        """Have dbt run data tests."""
        ...

    def run_unit_tests(self, tests: Iterable[str]) -> tuple[NodeResult, ...]:
        """Have dbt run unit tests."""
        ...

    def close(self) -> None:
        """End all that runs of the project: nothing of it is at work until something is asked of it again. Repeatable.

        Raises DbtFailed where it left something else than files in its own folders.
        """
        ...
