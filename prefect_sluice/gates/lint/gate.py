"""The gate `lint`: the SQL that was edited, against the project's own sqlfluff rules."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, cast

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.node import Node, NodeKind
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import Needs, Subject
from prefect_sluice.gates.inherited import folded
from prefect_sluice.gates.lint import sqlfluff
from prefect_sluice.gates.lint.project_files import known
from prefect_sluice.gates.lint.sqlfluff import FileToLint, LintedFile, LintRules, LintWorkspace, Violation

_ID = "lint"
# What sqlfluff finds before any rule is asked has a code and no name.
_WORTH_TWO = 50_000
"""From so many bytes of SQL on a second process saves more than its start takes (docs/decisions/0021)."""
_FAULT = "Unexpected exception: "
"""How sqlfluff begins what it says of a rule of its own that failed."""
_NOT_RULES = {"TMP": "templating", "LXR": "lexing", "PRS": "parsing"}


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""

    processes: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="How many files are linted at a time. By default one, and two from 50 KB of SQL on.",
    )


@dataclass(frozen=True, slots=True)
class Lint:
    """Lints edited SQL models and snapshots, each file alone, under the settings found in the project.

    Answers are remembered by content, settings, macros and versions: what was linted once is not linted again. Settings
    in a home folder are not read.
    """

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "lint"
    needs: ClassVar[Needs] = Needs.SOURCES
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, subject: Subject) -> GateReport:
        """Return one finding per violation, and a PASSED one per file that has none; what was there before a first release
        is one finding that warns."""
        files = _edited_sql(subject)
        if not files:
            return GateReport(_ID, not_applicable="no SQL model was edited")
        report = self._report(files, subject)
        if not subject.inherited:
            return report
        old = frozenset(node.path for node in files.values() if _path(subject, node) in subject.inherited)
        all_old = subject.inherited.issuperset(subject.touched)
        findings = map(_untried, report.findings) if all_old else report.findings
        return replace(report, findings=folded(findings, old, "finding"))

    def _report(self, files: Mapping[Path, Node], subject: Subject) -> GateReport:
        project = subject.project.resolve()
        linted = LintWorkspace(project, known(project, subject.vars, subject.dialect))
        try:
            if not linted.has_settings(files):
                return GateReport(_ID, not_applicable="the project has no .sqlfluff")
        except OSError as error:
            return _cannot(
                f"the project's sqlfluff settings cannot be read: {error.strerror}: {error.filename}"
            )
        if find_spec("sqlfluff") is None:
            return _cannot("sqlfluff is not installed; install prefect-sluice[lint]")
        with sqlfluff.quiet():
            return self._lint(files, linted, subject.memory)

    def _lint(self, files: Mapping[Path, Node], linted: LintWorkspace, memory: Memory | None) -> GateReport:
        present = [file for file in files if file.is_file()]
        findings = [_missing(node) for file, node in files.items() if file not in present]
        try:
            rules = _rules(present, linted)
        except Exception as error:
            # sqlfluff and its plugins raise what they like for settings that they cannot use.
            return _cannot(f"sqlfluff cannot use the project's settings: {sqlfluff.first_line(error)}")
        read = {file: sqlfluff.read(file, own) for file, own in rules.items()}
        answers = self._answers([one for one in read.values() if isinstance(one, FileToLint)], memory)
        for file, one in read.items():
            answer = answers[one.key] if isinstance(one, FileToLint) else one
            findings += _findings(files[file], answer)
        if not findings:
            return GateReport(_ID, not_applicable="the project excludes each edited SQL model from sqlfluff")
        return GateReport(_ID, tuple(findings))

    def _answers(self, sources: Sequence[FileToLint], memory: Memory | None) -> dict[str, LintedFile]:
        """Return an answer per key: kept ones, and new ones, which are kept from now on."""
        answers = {s.key: answer for s in sources if (answer := _recall(memory, s.key)) is not None}
        todo = {s.key: s for s in sources if s.key not in answers}
        for key, answer in zip(todo, self._ask(list(todo.values())), strict=True):
            answers[key] = answer
            if not answer.broken:
                _keep(memory, key, answer)
        return answers

    def _ask(self, sources: Sequence[FileToLint]) -> list[LintedFile]:
        workers = min(self._wanted(sources), len(sources))
        if workers > 1:
            # Not forked: the caller may have threads, and a lock that one of them held would stay locked.
            context = multiprocessing.get_context("spawn")
            try:
                with ProcessPoolExecutor(workers, mp_context=context) as pool:
                    return list(pool.map(sqlfluff.lint, sources))
            except BrokenExecutor:
                # A script without `if __name__ == "__main__"` cannot be started twice, and memory may be short.
                pass
        return [sqlfluff.lint(source) for source in sources]

    def _wanted(self, sources: Sequence[FileToLint]) -> int:
        if self.settings.processes is not None:
            return self.settings.processes
        return 2 if sum(len(one.text) for one in sources) >= _WORTH_TWO and (os.cpu_count() or 1) > 1 else 1


def _edited_sql(subject: Subject) -> dict[Path, Node]:
    """Return a node for each edited SQL file, in order of path; a file may hold several snapshots."""
    found: dict[Path, Node] = {}
    nodes = (subject.nodes[one] for one in sorted(subject.rewritten) if one in subject.nodes)
    for node in sorted(nodes, key=lambda node: node.path):
        # A snapshot may be written in YAML, and then has no SQL of its own.
        if node.language == "sql" and node.kind is not NodeKind.SEED and node.path.endswith(".sql"):
            found.setdefault(subject.project.resolve() / node.path, node)
    return found


def _untried(finding: Finding) -> Finding:
    """Return what kept all from being linted as a warning: where nothing is new, that was so before the first release, too."""
    if finding.location or finding.verdict.lets_through:
        return finding
    return replace(finding, verdict=Verdict.WARNED, summary=f"not linted, because {finding.summary}")


def _path(subject: Subject, node: Node) -> str:
    """Return the path of a node's file in the repository."""
    return str(PurePosixPath(subject.change.project if subject.change else ".") / node.path)


def _rules(present: Sequence[Path], linted: LintWorkspace) -> dict[Path, LintRules]:
    """Return the rules for each file that the project does not exclude."""
    sqlfluff.forget_settings()
    wanted = [file for file in present if not linted.ignores(file)]
    rules = {folder: linted.rules(folder) for folder in {file.parent for file in wanted}}
    return {file: rules[file.parent] for file in wanted}


def _findings(node: Node, answer: LintedFile) -> list[Finding]:
    if answer.broken:
        return [_said(node, "sqlfluff", Verdict.ERRORED, answer.broken)]
    if answer.skipped:
        fix = "set large_file_skip_byte_limit in .sqlfluff (0: no limit), or list the file in .sqlfluffignore"
        return [replace(_said(node, "sqlfluff", Verdict.INCONCLUSIVE, answer.skipped), fix=fix)]
    if answer.unrendered:
        return [_said(node, "rendering", Verdict.WARNED, f"not linted, because {answer.unrendered}")]
    if not answer.violations:
        return [_said(node, "sqlfluff", Verdict.PASSED, "no violations")]
    return [_judged(node, violation) for violation in answer.violations]


def _judged(node: Node, found: Violation) -> Finding:
    if found.description.startswith(_FAULT):
        # What the linter cannot do is no fault of the file's.
        words = " ".join(found.description.removeprefix(_FAULT).split())
        why = words.partition("; Could you open an issue")[0]
        told = f"not asked, because sqlfluff failed at this rule: {why}"
        return _said(node, _rule(found), Verdict.WARNED, told, found.line)
    verdict = Verdict.WARNED if found.warning else Verdict.FAILED
    return _said(node, _rule(found), verdict, found.description, found.line)


def _rule(violation: Violation) -> str:
    return f"{violation.code} {_NOT_RULES.get(violation.code, violation.name)}"


def _said(node: Node, check: str, verdict: Verdict, summary: str, line: int = 0) -> Finding:
    location = f"{node.path}:{line}" if line else node.path
    return Finding(_ID, check, verdict, summary, subject=node.unique_id, location=location)


def _missing(node: Node) -> Finding:
    return _said(node, "sqlfluff", Verdict.ERRORED, "the file is not in the checkout")


def _cannot(why: str) -> GateReport:
    fix = f"mend that, or let it only warn: gates: {{{_ID}: {{on: warn}}}}"
    return GateReport(_ID, (Finding(_ID, "sqlfluff", Verdict.ERRORED, why, fix=fix),))


def _recall(memory: Memory | None, key: str) -> LintedFile | None:
    """Return the answer kept under `key`; one that cannot be read is as good as none."""
    kept = cast(Any, memory.recall(key) if memory is not None else None)
    if kept is None:
        return None
    try:
        return LintedFile(
            tuple(Violation(**violation) for violation in kept["violations"]),
            kept["skipped"],
            unrendered=kept["unrendered"],
        )
    except (TypeError, KeyError):
        return None


def _keep(memory: Memory | None, key: str, answer: LintedFile) -> None:
    if memory is not None:
        violations: list[Json] = [asdict(violation) for violation in answer.violations]
        kept: Json = {"violations": violations, "skipped": answer.skipped, "unrendered": answer.unrendered}
        memory.keep(key, kept)
