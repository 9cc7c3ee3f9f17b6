"""The gate `lint`: the SQL that was edited, against the project's own sqlfluff rules."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, cast

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.canonical import Json
from prefect_sluice.gates import lint_engine
from prefect_sluice.gates.base import Memory, Needs, Subject
from prefect_sluice.gates.lint_engine import Answer, Source, Violation, Workspace
from prefect_sluice.node import Kind, Node
from prefect_sluice.verdict import Finding, GateReport, Verdict

_ID = "lint"
# What sqlfluff finds before any rule is asked has a code and no name.
_NOT_RULES = {"TMP": "templating", "LXR": "lexing", "PRS": "parsing"}


class Settings(config.Gate):
    """What sluice.yml may say of it."""

    processes: int = Field(default=1, ge=1, le=64, description="How many files are linted at a time.")


@dataclass(frozen=True, slots=True)
class Lint:
    """Lints edited SQL models and snapshots, each file alone, under the settings found in the project.

    Answers are remembered by content, settings, macros and versions: what was linted once is not linted again. Settings
    in a home folder are not read.
    """

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "lint"
    needs: ClassVar[Needs] = Needs.SOURCES
    Settings: ClassVar[type[config.Gate]] = Settings

    def check(self, subject: Subject) -> GateReport:
        """Return one finding per violation, and a PASSED one per file that has none."""
        files = _edited_sql(subject)
        if not files:
            return GateReport(_ID, not_applicable="no SQL model was edited")
        workspace = Workspace(subject.project.resolve())
        if not workspace.has_settings(files):
            return GateReport(_ID, not_applicable="the project has no .sqlfluff")
        if find_spec("sqlfluff") is None:
            return _cannot("sqlfluff is not installed; install prefect-sluice[lint]")
        with lint_engine.quiet():
            return self._lint(files, workspace, subject.memory)

    def _lint(self, files: Mapping[Path, Node], workspace: Workspace, memory: Memory | None) -> GateReport:
        present = [file for file in files if file.is_file()]
        findings = [_missing(node) for file, node in files.items() if file not in present]
        try:
            sources = _sources(present, files, workspace)
        except Exception as error:
            # sqlfluff and its plugins raise what they like for settings that they cannot use.
            return _cannot(f"sqlfluff cannot use the project's settings: {lint_engine.first_line(error)}")
        answers = self._answers(list(sources.values()), memory)
        for file, source in sources.items():
            findings += _findings(files[file], answers[source.key])
        if not findings:
            return GateReport(_ID, not_applicable="the project excludes each edited SQL model from sqlfluff")
        return GateReport(_ID, tuple(findings))

    def _answers(self, sources: Sequence[Source], memory: Memory | None) -> dict[str, Answer]:
        """Return an answer per key: kept ones, and new ones, which are kept from now on."""
        answers = {s.key: answer for s in sources if (answer := _recall(memory, s.key)) is not None}
        todo = {s.key: s for s in sources if s.key not in answers}
        for key, answer in zip(todo, self._ask(list(todo.values())), strict=True):
            answers[key] = answer
            if not answer.broken:
                _keep(memory, key, answer)
        return answers

    def _ask(self, sources: Sequence[Source]) -> list[Answer]:
        workers = min(self.settings.processes, len(sources))
        if workers <= 1:
            return [lint_engine.lint(source) for source in sources]
        # Not forked: the caller may have threads, and a lock that one of them held would stay locked.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            return list(pool.map(lint_engine.lint, sources))


def _edited_sql(subject: Subject) -> dict[Path, Node]:
    """Return a node for each edited SQL file, in order of path; a file may hold several snapshots."""
    found: dict[Path, Node] = {}
    nodes = (subject.nodes[one] for one in sorted(subject.edited) if one in subject.nodes)
    for node in sorted(nodes, key=lambda node: node.path):
        # A snapshot may be written in YAML, and then has no SQL of its own.
        if node.language == "sql" and node.kind is not Kind.SEED and node.path.endswith(".sql"):
            found.setdefault(subject.project.resolve() / node.path, node)
    return found


def _sources(present: Sequence[Path], files: Mapping[Path, Node], workspace: Workspace) -> dict[Path, Source]:
    lint_engine.forget_settings()
    wanted = [file for file in present if not workspace.ignores(file)]
    rules = {folder: workspace.rules(folder) for folder in {file.parent for file in wanted}}
    return {
        file: lint_engine.read(file, rules[file.parent], snapshot=files[file].kind is Kind.SNAPSHOT)
        for file in wanted
    }


def _findings(node: Node, answer: Answer) -> list[Finding]:
    if answer.broken:
        return [_said(node, "sqlfluff", Verdict.ERRORED, f"sqlfluff broke on this file: {answer.broken}")]
    if answer.skipped:
        return [_said(node, "sqlfluff", Verdict.INCONCLUSIVE, answer.skipped)]
    unrendered = next((v for v in answer.violations if v.code == "TMP"), None)
    if unrendered:
        # What the rules say of half a rendered file is not true of the file, so it is left out.
        why = f"the file could not be rendered outside dbt: {unrendered.description}"
        return [_said(node, _rule(unrendered), Verdict.INCONCLUSIVE, why, unrendered.line)]
    if not answer.violations:
        return [_said(node, "sqlfluff", Verdict.PASSED, "no violations")]
    return [
        _said(node, _rule(v), Verdict.WARNED if v.warning else Verdict.FAILED, v.description, v.line)
        for v in answer.violations
    ]


def _rule(violation: Violation) -> str:
    return f"{violation.code} {_NOT_RULES.get(violation.code, violation.name)}"


def _said(node: Node, check: str, verdict: Verdict, summary: str, line: int = 0) -> Finding:
    location = f"{node.path}:{line}" if line else node.path
    return Finding(_ID, check, verdict, summary, subject=node.unique_id, location=location)


def _missing(node: Node) -> Finding:
    return _said(node, "sqlfluff", Verdict.ERRORED, "the file is not in the checkout")


def _cannot(why: str) -> GateReport:
    return GateReport(_ID, (Finding(_ID, "sqlfluff", Verdict.ERRORED, why),))


def _recall(memory: Memory | None, key: str) -> Answer | None:
    """Return the answer kept under `key`; one that cannot be read is as good as none."""
    kept = cast(Any, memory.recall(key) if memory else None)
    if kept is None:
        return None
    try:
        return Answer(tuple(Violation(**violation) for violation in kept["violations"]), kept["skipped"])
    except (TypeError, KeyError):
        return None


def _keep(memory: Memory | None, key: str, answer: Answer) -> None:
    if memory is not None:
        violations: list[Json] = [asdict(violation) for violation in answer.violations]
        memory.keep(key, {"violations": violations, "skipped": answer.skipped})
