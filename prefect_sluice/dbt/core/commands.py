"""dbt's commands, run in this process against a side database that bears the public name."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from prefect_sluice.dbt.core.cancellation import end_threads, let_go, stoppable
from prefect_sluice.dbt.core.data_tests import asked_as_dbt_does
from prefect_sluice.dbt.core.flag_sources import named_at_once
from prefect_sluice.dbt.core.graph_as_parsed import graph_as_parsed
from prefect_sluice.dbt.core.hooks import copied_to
from prefect_sluice.dbt.core.relation_cache import ASKED_FOR_WHEN_NEEDED, one_node_for_each_schema
from prefect_sluice.dbt.core.schema_files import known_by_the_last_read
from prefect_sluice.dbt.core.seeds import take_from
from prefect_sluice.dbt.core.selection import marked
from prefect_sluice.dbt.core.side_catalogue import as_in_the_warehouse
from prefect_sluice.dbt.core.unreadable_files import file_of
from prefect_sluice.dbt.core.warehouse_session import disconnected
from prefect_sluice.dbt.core.warnings import (
    ErrorReasons,
    forget_deprecations,
    warning_listener,
    without_colour,
)
from prefect_sluice.dbt.hook_folders import make_hook_folders
from prefect_sluice.dbt.port import OnNode
from prefect_sluice.dbt.profile_paths import at_home, outputs_at
from prefect_sluice.dbt.session import Session
from prefect_sluice.domain.digests import Json, canonical
from prefect_sluice.domain.errors import BadInput, DbtFailed
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.runtime import process
from prefect_sluice.runtime.allowed_variables import is_of_the_pipeline
from prefect_sluice.runtime.cancellation import told_to_stop
from prefect_sluice.runtime.redaction import concealed
from prefect_sluice.warehouse.duckdb.database_file import LIVE

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_QUIETLY = (
    "--log-level", "none", "--log-level-file", "none", "--no-print", "--no-use-colors", "--no-write-json",
    "--no-send-anonymous-usage-stats", "--no-version-check",
)  # fmt: skip
_ONLY_WHAT_IS_ASKED = ("--indirect-selection", "empty")
"""Which tests run is said by name, whatever the project's flags say of those that look at what is selected."""


def _only_where_asked(command: str, arguments: Sequence[str]) -> Mapping[str, Any]:
    """Return the flags that neither the environment nor the project may set: the plan says what is built in full."""
    return {"full_refresh": False} if command == "build" and "--full-refresh" not in arguments else {}


@dataclass(frozen=True, slots=True)
class Commands:
    """dbt's commands on one project. Each leaves the process as it was: its folder, its modules, its connections."""

    session: Session

    def parse(self) -> Manifest:
        """Return the manifest. Raises DbtFailed when the project does not parse."""
        with known_by_the_last_read():
            manifest = cast("Manifest", self._invoke("parse").result)
        take_from(manifest, self.session.project)
        return manifest

    def compile(
        self, manifest: Manifest, fqns: Sequence[str], *, incremental: bool | None = None
    ) -> Mapping[str, str]:
        """Return compiled code by unique id for the selected nodes; those that need data which is not there yet are left out.

        `incremental` is what `is_incremental()` answers, whatever is there; None: what dbt finds.
        Raises DbtFailed when a node's Jinja is wrong.
        """
        with _answering(manifest, incremental):
            return self._compile(manifest, fqns)

    def _compile(self, manifest: Manifest, fqns: Sequence[str]) -> Mapping[str, str]:
        answer = self._compiled(manifest, fqns)
        if answer is not None:
            nodes = [node_result.node for node_result in _results(answer)]
            return {node.unique_id: node.compiled_code for node in nodes if node.compiled_code}
        # One node's question to the database fails the whole command: find it by halves, and do without it.
        half = len(fqns) // 2
        return (
            {**self._compile(manifest, fqns[:half]), **self._compile(manifest, fqns[half:])} if half else {}
        )

    def _compiled(self, manifest: Manifest, fqns: Sequence[str]) -> Any:
        """Return dbt's answer, or None where a node wants data. The error ends here: its frames hold connections."""
        selection = (ASKED_FOR_WHEN_NEEDED, *_ONLY_WHAT_IS_ASKED, "--select", *fqns)
        try:
            return self._invoke("compile", *selection, manifest=manifest, tolerant=True)
        except DbtFailed as error:
            if not _wants_data(error.__cause__):
                raise
            return None

    def select(self, manifest: Manifest, selectors: str) -> tuple[str, ...]:
        """Return the unique ids of models, seeds and snapshots that dbt's selectors (parted by blanks) match, sorted; none
        is an answer.

        Raises BadInput for a selector that dbt cannot read.
        """
        kinds = [word for kind in ("model", "seed", "snapshot") for word in ("--resource-type", kind)]
        try:
            return self._listed(manifest, *kinds, "--select", *selectors.split())
        except DbtFailed as error:
            raise BadInput(
                f"dbt cannot read the selector {selectors!r}: {error.what}", fix="mend it: --select"
            ) from error

    def selected_by_default(self, manifest: Manifest) -> frozenset[str] | None:
        """Return the unique ids of what a plain `dbt build` takes, tests among them, by the selector in `selectors.yml` with
        `default: true`; None where there is none, and that is everything.

        Raises DbtFailed for a selector that dbt cannot follow, or that matches nothing.
        """
        place = self.session.project / "selectors.yml"
        if not place.is_file() or "default" not in place.read_text(encoding="utf-8", errors="replace"):
            return None
        try:
            selected = frozenset(self._listed(manifest))
        except DbtFailed as error:
            raise DbtFailed(error.what, place.name, "mend the selector with `default: true`") from error
        if not selected & {*manifest.nodes}:
            what = "the selector with `default: true` matches nothing"
            raise DbtFailed(what, place.name, "mend it, or take `default` away")
        return selected

    def _listed(self, manifest: Manifest, *selection: str) -> tuple[str, ...]:
        output = ("--output", "json", "--output-keys", "unique_id")
        answer = self._invoke("ls", *output, *selection, manifest=manifest)
        return tuple(sorted(str(json.loads(line)["unique_id"]) for line in answer.result or ()))

    def build(
        self, manifest: Manifest, *selection: str, on_node: OnNode | None = None
    ) -> tuple[NodeResult, ...]:
        """Run `dbt build` with failing rows kept, and return what became of each node. Raises DbtFailed if dbt did not start."""
        self._make_room(manifest)
        return self._run("build", selection, manifest, on_node)

    def run_unit_tests(self, manifest: Manifest, *selection: str) -> tuple[NodeResult, ...]:
        """Run the unit tests of the selected models. Raises DbtFailed if dbt did not start."""
        return self._run("test", ("--resource-type", "unit_test", "--select", *selection), manifest, None)

    def run_data_tests(self, manifest: Manifest, *selection: str) -> tuple[NodeResult, ...]:
        """Run the selected data tests. Raises DbtFailed if dbt did not start."""
        return self._run("test", ("--resource-type", "test", "--select", *selection), manifest, None)

    def build_empty(self, manifest: Manifest, *selection: str) -> tuple[NodeResult, ...]:
        """Build the selected nodes without rows, for the columns that unit tests look up. Raises DbtFailed."""
        self._make_room(manifest)
        return self._run(
            "build", ("--empty", "--exclude-resource-type", "test", "unit_test", *selection), manifest, None
        )

    def _run(
        self, command: str, selection: Sequence[str], manifest: Manifest, on_node: OnNode | None
    ) -> tuple[NodeResult, ...]:
        with asked_as_dbt_does(manifest):
            answer = self._invoke(
                command,
                *_ONLY_WHAT_IS_ASKED,
                "--store-failures",
                *selection,
                manifest=manifest,
                on_node=on_node,
                tolerant=True,
            )
        return tuple(_result(node_result) for node_result in _results(answer))

    def _invoke(
        self,
        command: str,
        *arguments: str,
        manifest: Any = None,
        on_node: OnNode | None = None,
        tolerant: bool = False,
    ) -> Any:
        from dbt.cli.main import dbtRunner

        process.disable_telemetry()
        forget_deprecations()
        if manifest is not None:
            _forget_compiled(manifest)
        profiles, reasons = self._write_profile(), ErrorReasons()
        common = (
            "--project-dir", str(self.session.project), "--profiles-dir", str(profiles), "--target", self.session.target.name,
            "--target-path", str(self.session.work / "target"), "--log-path", str(self.session.work / "logs"), *self._vars(),
        )  # fmt: skip
        with (
            graph_as_parsed(manifest),
            process.inside(self.session.cwd),
            _own_modules(self.session.project),
            disconnected(),
            as_in_the_warehouse(),
            one_node_for_each_schema(),
            named_at_once(),
            contextlib.redirect_stdout(io.StringIO()),
            stoppable(),
            process.without_variables(is_of_the_pipeline),
            marked(manifest, arguments) as chosen,
        ):
            runner = dbtRunner(manifest=manifest, callbacks=[*_listeners(on_node), reasons.hear])
            words = [command, *_QUIETLY, *common, *chosen]
            answer = runner.invoke(words, **_only_where_asked(command, chosen))  # pyright: ignore[reportUnknownMemberType]  # its keywords
        end_threads(answer.exception)
        let_go(answer.exception)
        stop = told_to_stop(answer.exception)
        if stop is not None:
            raise stop
        if answer.exception is not None or (not answer.success and not tolerant):
            raise _failure(
                command, answer.exception, self.session.project, reasons.texts
            ) from answer.exception
        return answer

    def _vars(self) -> tuple[str, ...]:
        return (
            ("--vars", canonical(cast(Json, self.session.variables)).decode())
            if self.session.variables
            else ()
        )

    def _write_profile(self) -> Path:
        folder = self.session.work / "profiles"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "profiles.yml").write_text(
            yaml.safe_dump(self._profile(), sort_keys=False), encoding="utf-8"
        )
        return folder

    def _profile(self) -> dict[str, Any]:
        session, name = self.session, self.session.target.name
        # Unrendered: what comes from the environment (secrets, too) stays in the environment.
        settings = at_home(session.target.raw, session.target.settings, session.home)
        attached: list[Any] = list(settings.get("attach") or ())
        live = session.live or session.target.path
        if live.exists():
            # Hidden: whatever asks the catalogue sees what it would see with plain dbt.
            hidden = {"hidden": True}
            attached.append({"path": str(live), "alias": LIVE, "read_only": True, "options": hidden})
        own = cast(dict[str, Any], settings.get("config_options") or {})
        options = {"autoinstall_known_extensions": "false", **own}
        outputs = outputs_at(session.target.raw, session.target.settings, session.outputs)
        settings.update(
            path=str(session.side), config_options=options, attach=attached, external_root=outputs
        )
        return {session.target.profile: {"target": name, "outputs": {name: settings}}}

    def _make_room(self, manifest: Manifest) -> None:
        """Make the folders that `external` models and hooks write into: in a checkout there are only those that hold files."""
        shutil.rmtree(self.session.outputs, ignore_errors=True)
        root = outputs_at(self.session.target.settings, self.session.target.settings, self.session.outputs)
        if Path(root).is_relative_to(self.session.outputs):
            Path(root).mkdir(parents=True, exist_ok=True)
        for node in manifest.nodes.values():
            location = str(node.config.get("location") or "")
            if location and not re.search(r"[:{]|^/", location):
                (self.session.cwd / location).parent.mkdir(parents=True, exist_ok=True)
        make_hook_folders(copied_to(manifest), self.session.home, self.session.cwd)


def _result(node_result: Any) -> NodeResult:
    node = node_result.node
    depends = getattr(getattr(node, "depends_on", None), "nodes", None) or ()
    config = getattr(node, "config", None)
    times = [(_utc(part.started_at), _utc(part.completed_at)) for part in node_result.timing or ()]
    return NodeResult(
        unique_id=str(node.unique_id),
        kind=str(node.resource_type.value),
        status=str(getattr(node_result.status, "value", node_result.status)),
        message=concealed(without_colour(str(node_result.message or ""))),
        failures=node_result.failures,
        seconds=float(node_result.execution_time or 0.0),
        relation=str(getattr(node, "relation_name", None) or "")
        if node.resource_type.value == "test"
        else "",
        parents=tuple(str(parent) for parent in depends),
        path=str(getattr(node, "original_file_path", "")),
        compiled=str(getattr(node, "compiled_code", None) or ""),
        severity=str(getattr(config, "severity", "") or "").lower(),
        started=min((start for start, _ in times if start), default=None),
        ended=max((end for _, end in times if end), default=None),
        fail_calc=str(getattr(config, "fail_calc", "") or "count(*)"),
    )


def _utc(at: datetime | None) -> datetime | None:
    # dbt's times are UTC and do not say so.
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _forget_compiled(manifest: Manifest) -> None:
    """Undo what an earlier command left in the manifest: dbt would take ephemeral models as inlined already."""
    for node in manifest.nodes.values():
        if getattr(node, "compiled", False):
            compiled: Any = node
            compiled.compiled, compiled.compiled_code, compiled.compiled_path = False, None, None
            compiled.extra_ctes_injected, compiled.extra_ctes = False, []
            compiled._pre_injected_sql = None


@contextlib.contextmanager
def _answering(manifest: Manifest, incremental: bool | None) -> Generator[None]:
    """Have dbt's `is_incremental()` answer so: what a model may run must not depend on what is there today."""
    macro = manifest.macros.get("macro.dbt.is_incremental")
    if macro is None or incremental is None:
        yield
        return
    before = macro.macro_sql
    answer = "true" if incremental else "false"
    macro.macro_sql = "{% macro is_incremental() %}{{ return(" + answer + ") }}{% endmacro %}"
    try:
        yield
    finally:
        macro.macro_sql = before


def _results(answer: Any) -> Sequence[Any]:
    return getattr(answer.result, "results", None) or ()


def _listeners(on_node: OnNode | None) -> list[Callable[[Any], None]]:
    listeners = [warned] if (warned := warning_listener()) else []
    if on_node is None:
        return listeners

    def listen(event: Any) -> None:
        if event.info.name == "NodeFinished":
            node, result = event.data.node_info, event.data.run_result
            message = without_colour(str(result.message))
            on_node(str(node.unique_id), str(result.status), float(result.execution_time), message)

    return [*listeners, listen]


def _wants_data(error: BaseException | None) -> bool:
    from dbt_common.exceptions import CompilationError, DbtRuntimeError

    return isinstance(error, DbtRuntimeError) and not isinstance(error, CompilationError)


def _failure(
    command: str, error: BaseException | None, project: Path, reasons: Sequence[str] = ()
) -> DbtFailed:
    text = without_colour(str(error or f"dbt {command} failed"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    summary = " ".join([*lines[:3], *reasons[:3]]).replace(str(project) + os.sep, "")
    where = file_of(error, project)
    return DbtFailed(
        f"dbt {command}: {concealed(summary)}",
        where,
        "mend it and commit" if where else "mend the project and commit",
    )


@contextlib.contextmanager
def _own_modules(folder: Path) -> Generator[None]:
    """Forget the project's modules afterwards: Python would give the next release those of this one."""
    importlib.invalidate_caches()  # `module_paths` are relative, and the folder is another
    try:
        yield
    finally:
        inside = f"{folder}{os.sep}"
        for name, module in tuple(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(inside):
                del sys.modules[name]
