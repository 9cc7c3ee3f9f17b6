"""The port of dbt, answered by dbt-core in this process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.dbt import settings
from prefect_sluice.dbt.compiled_facts import CompiledFacts
from prefect_sluice.dbt.core import nodes as manifest_nodes
from prefect_sluice.dbt.core import used_variables
from prefect_sluice.dbt.core.commands import Commands
from prefect_sluice.dbt.core.data_tests import asked_as_dbt_does, data_test
from prefect_sluice.dbt.core.declarations import declared
from prefect_sluice.dbt.core.fingerprints.ingredients import Fingerprints
from prefect_sluice.dbt.core.node_files import parts
from prefect_sluice.dbt.core.project_facts import project_facts
from prefect_sluice.dbt.port import OnNode
from prefect_sluice.dbt.profile import read_yaml
from prefect_sluice.dbt.project import Project, ProjectFacts
from prefect_sluice.dbt.session import Session
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.declarations import Declarations
from prefect_sluice.domain.errors import DbtFailed
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.planning.compose import Parts

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


@dataclass(frozen=True)
class CoreProject:
    """See DbtProject. `chosen` are the nodes and tests that a plain `dbt build` takes; None: all."""

    commands: Commands
    manifest: Manifest
    prints: Fingerprints
    chosen: frozenset[str] | None = None

    @classmethod
    def parsed(cls, session: Session) -> CoreProject:
        """Parse a session's project. Raises DbtFailed where dbt cannot, or cannot follow the project's default selector."""
        commands = Commands(session)
        manifest = commands.parse()
        chosen = commands.selected_by_default(manifest)
        return cls(commands, manifest, Fingerprints(manifest, session.project, _settings(session)), chosen)

    @property
    def facts(self) -> ProjectFacts:
        """See DbtProject."""
        return self._facts

    @cached_property
    def _facts(self) -> ProjectFacts:
        session = self.commands.session
        return project_facts(self.manifest, session.project, session.target.settings)

    @property
    def protection(self) -> None:
        """See DbtProject. Here it runs with the rights of whoever started this process."""
        return None

    def declared(self) -> Declarations:
        """See DbtProject."""
        return declared(self.manifest)

    def variables_used(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """See DbtProject."""
        return used_variables.used(self.prints)

    def text_keys(self) -> Mapping[str, str]:
        """See DbtProject."""
        sql = manifest_nodes.sql_nodes(self.manifest, self.chosen)
        return {uid: manifest_nodes.code_key(self.manifest, self.prints, uid) for uid in sql}

    def compiled(self, nodes: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """See DbtProject."""
        first = self._texts(nodes, incremental=False)
        asking = [uid for uid in first if manifest_nodes.asks_incremental(self.manifest, self.prints, uid)]
        later = self._texts(asking, incremental=True)
        # Half of what an incremental model may run is not enough to know what it reads.
        whole = {uid: text for uid, text in first.items() if uid not in asking or uid in later}
        return {uid: (text, later[uid]) if uid in later else (text,) for uid, text in whole.items()}

    def _texts(self, uids: Collection[str], *, incremental: bool) -> Mapping[str, str]:
        if not uids:
            return {}
        texts = self.commands.compile(self.manifest, self._selectors(uids), incremental=incremental)
        return {uid: texts[uid] for uid in uids if uid in texts}

    def read(
        self, facts: Mapping[str, CompiledFacts], catalog: str, served: Collection[Name] = ()
    ) -> Project:
        """See DbtProject."""
        return manifest_nodes.read(self.manifest, self.prints, facts, catalog, served, self.chosen)

    def add_parents(self, parents: Mapping[str, Iterable[str]]) -> None:
        """See DbtProject."""
        manifest_nodes.declare(self.manifest, parents)

    def files(self, project: Project, folder: str) -> Parts:
        """See DbtProject."""
        return parts(self.manifest, project, folder, self.commands.session.project)

    def select(self, selectors: str) -> tuple[str, ...]:
        """See DbtProject."""
        return self.commands.select(self.manifest, selectors)

    def build(
        self,
        nodes: Iterable[str],
        tests: Iterable[str] = (),
        *,
        new_columns: Iterable[str] = (),
        on_node: OnNode | None = None,
    ) -> tuple[NodeResult, ...]:
        """See DbtProject."""
        data_tests = tuple(tests)
        chosen = (*nodes, *data_tests)
        if not chosen:
            return ()
        kinds = ("unit_test",) if data_tests else ("test", "unit_test")
        self._append_columns(new_columns)
        return self.commands.build(
            self.manifest,
            "--exclude-resource-type",
            *kinds,
            "--select",
            *self._selectors(chosen),
            on_node=on_node,
        )

    def _append_columns(self, uids: Iterable[str]) -> None:
        """Have dbt append new columns where the model says to ignore them; a model that says more is left as it is.

        Columns that the new code drops stay, and new rows have no value in them: nothing of what is there is lost.
        """
        for uid in uids:
            config: Any = self.manifest.nodes[uid].config
            if config.on_schema_change == "ignore":
                config.on_schema_change = "append_new_columns"

    def build_without_rows(self, nodes: Iterable[str], *, in_full: bool = False) -> tuple[NodeResult, ...]:
        """See DbtProject."""
        chosen = self._selectors(nodes)
        afresh = ("--full-refresh",) if in_full else ()
        return self.commands.build_empty(self.manifest, *afresh, "--select", *chosen) if chosen else ()

    def data_tests(self, tests: Collection[str]) -> tuple[DataTest, ...]:
        """See DbtProject."""
        if not tests:
            return ()
        try:
            with asked_as_dbt_does(self.manifest, whole_rows=tests):
                texts = self.commands.compile(self.manifest, self._selectors(tests))
        except DbtFailed:
            return ()
        return tuple(data_test(self.manifest, uid, texts[uid], ()) for uid in tests if uid in texts)

    def run_data_tests(self, tests: Iterable[str]) -> tuple[NodeResult, ...]:
        """See DbtProject."""
        wanted = tuple(tests)
        results = self.commands.run_data_tests(self.manifest, *self._selectors(wanted)) if wanted else ()
        return tuple(result for result in results if result.unique_id in wanted)

    def run_unit_tests(self, tests: Iterable[str]) -> tuple[NodeResult, ...]:
        """See DbtProject."""
        chosen = self._selectors(tests)
        return self.commands.run_unit_tests(self.manifest, *chosen) if chosen else ()

    def close(self) -> None:
        """See DbtProject. Here it has no process of its own, and nothing runs between two questions."""

    def _selectors(self, uids: Iterable[str]) -> tuple[str, ...]:
        nodes: list[Any] = [self.manifest.nodes.get(uid) or self.manifest.unit_tests[uid] for uid in uids]
        return tuple("fqn:" + ".".join(node.fqn) for node in nodes)


def _settings(session: Session) -> settings.Settings:
    file = session.project / "dbt_project.yml"
    own = cast("Mapping[str, Any]", read_yaml(file, "dbt project", "").get("vars") or {})
    target = session.target
    return settings.Settings(
        {**own, **session.variables},
        settings.packages(session.project),
        session.environ,
        target.name,
        target.settings,
    )
