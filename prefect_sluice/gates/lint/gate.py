"""The gate `lint`: the SQL that was edited, against the project's own sqlfluff rules."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, cast

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.former_text import FormerText
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.node import Node, NodeKind
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict, WayPast
from prefect_sluice.gates.base import ReleaseView, ToolsView
from prefect_sluice.gates.inherited import folded, unknown_former_texts
from prefect_sluice.gates.lint import sqlfluff
from prefect_sluice.gates.lint.ask import LintProcess
from prefect_sluice.gates.lint.file_findings import ID, Linted, LintFinding, advised, said_of
from prefect_sluice.gates.lint.project_files import read_template_project
from prefect_sluice.gates.lint.sqlfluff import FileToLint, LintedFile, LintRules, LintWorkspace, Violation
from prefect_sluice.isolation.sandbox import Rights

_WORTH_TWO = 50_000
"""From so many bytes of SQL on a second process saves more than its start takes (docs/decisions/0021)."""


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
    id: ClassVar[str] = ID
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, tools: ToolsView) -> GateReport:
        """Return one finding per violation that the change brings, and a PASSED one per file that has none; what stands on
        lines that were there before is one finding that warns."""
        files = _edited_sql(release)
        if not files:
            return GateReport(ID, not_applicable="no SQL model was edited")
        report = self._report(files, release, tools)
        untried = [item for item in report.findings if not item.location and not item.verdict.lets_through]
        if not untried or not release.touched or not _are_as_they_were(release, release.touched):
            return report
        return replace(report, findings=tuple(map(_untried, report.findings)))

    def _report(self, files: Mapping[Path, Node], release: ReleaseView, tools: ToolsView) -> GateReport:
        project = release.project.resolve()
        top = release.root.resolve() if release.change else None
        linter = LintWorkspace(project, read_template_project(project, tools.vars, release.dialect), top)
        try:
            if not linter.has_settings(files):
                return GateReport(ID, not_applicable="the project has no .sqlfluff")
        except OSError as error:
            return _cannot(
                f"the project's sqlfluff settings cannot be read: {error.strerror}: {error.filename}"
            )
        if find_spec("sqlfluff") is None:
            return _cannot("sqlfluff is not installed; install prefect-sluice[lint]")
        with sqlfluff.quiet():
            return self._lint(files, linter, release, tools)

    def _lint(
        self, files: Mapping[Path, Node], linter: LintWorkspace, release: ReleaseView, tools: ToolsView
    ) -> GateReport:
        present = [file for file in files if file.is_file()]
        findings = [LintFinding(_missing(node)) for file, node in files.items() if file not in present]
        try:
            rules = _rules(present, linter)
        except Exception as error:
            # sqlfluff and its plugins raise what they like for settings that they cannot use.
            return _cannot(f"sqlfluff cannot use the project's settings: {sqlfluff.first_line(error)}")
        told = self._lint_files(rules, release, tools)
        if not findings and not told:
            return GateReport(ID, not_applicable="the project excludes each edited SQL model from sqlfluff")
        named = {file: _path(release, files[file]) for file, answer in told.items() if answer != LintedFile()}
        former = release.former([*named.values()])
        linted = {file: Linted(files[file], told[file], former.get(named.get(file, ""))) for file in told}
        old: list[Finding] = []
        for item in self._compared(linted, rules, release, tools, linter):
            own, before = item.findings()
            findings += own
            old += before
        return GateReport(
            ID,
            folded(
                (*advised(findings, release.environment), *unknown_former_texts(ID, former)), old, "finding"
            ),
        )

    def _lint_files(
        self, rules: Mapping[Path, LintRules], release: ReleaseView, tools: ToolsView
    ) -> dict[Path, LintedFile]:
        """Return what sqlfluff says of each file."""
        read = {file: sqlfluff.read(file, own) for file, own in rules.items()}
        answers = self._answers([one for one in read.values() if isinstance(one, FileToLint)], release, tools)
        return {file: answers[one.key] if isinstance(one, FileToLint) else one for file, one in read.items()}

    def _compared(
        self,
        linted: Mapping[Path, Linted],
        rules: Mapping[Path, LintRules],
        release: ReleaseView,
        tools: ToolsView,
        linter: LintWorkspace,
    ) -> list[Linted]:
        """Return the files with what sqlfluff says, by the rules of now, of what they were, where that has to be known."""
        former = {
            file: FileToLint(str(file), item.former.text, rules[file])
            for file, item in linted.items()
            if item.former is not None
            and item.asks_past
            # A limit that comes with the change says nothing of what the file was before.
            and not (item.answer.is_whole and _are_settings_new(release, linter, file))
        }
        past = self._answers([*former.values()], release, tools)
        known = {file: past[source.key] for file, source in former.items()}
        return [replace(item, past=known.get(file)) for file, item in linted.items()]

    def _answers(
        self, sources: Sequence[FileToLint], release: ReleaseView, tools: ToolsView
    ) -> dict[str, LintedFile]:
        """Return an answer per key: kept ones, and new ones, which are kept from now on."""
        memory = tools.memory
        answers = {s.key: answer for s in sources if (answer := _recall(memory, s.key)) is not None}
        todo = {s.key: s for s in sources if s.key not in answers}
        new = tuple(todo.values())
        for key, answer in zip(todo, self._process(release, tools, new).ask(new), strict=True):
            answers[key] = answer
            if not answer.broken:
                _keep(memory, key, answer)
        return answers

    def _process(self, release: ReleaseView, tools: ToolsView, sources: Sequence[FileToLint]) -> LintProcess:
        rights = Rights((release.root.resolve(), *tools.readable), required=tools.must_isolate)
        return LintProcess(
            release.project.resolve(),
            release.dialect,
            cast("Json", dict(tools.vars)),
            rights.within(self.settings.timeout),
            self._wanted(sources),
        )

    def _wanted(self, sources: Sequence[FileToLint]) -> int:
        if self.settings.processes is not None:
            return self.settings.processes
        return 2 if sum(len(one.text) for one in sources) >= _WORTH_TWO and (os.cpu_count() or 1) > 1 else 1


def _edited_sql(release: ReleaseView) -> dict[Path, Node]:
    """Return a node for each edited SQL file, in order of path; a file may hold several snapshots."""
    found: dict[Path, Node] = {}
    nodes = (release.nodes[one] for one in sorted(release.rewritten) if one in release.nodes)
    for node in sorted(nodes, key=lambda node: node.path):
        # A snapshot may be written in YAML, and then has no SQL of its own.
        if node.language == "sql" and node.kind is not NodeKind.SEED and node.path.endswith(".sql"):
            found.setdefault(release.project.resolve() / node.path, node)
    return found


def _are_settings_new(release: ReleaseView, linter: LintWorkspace, file: Path) -> bool:
    """Say whether the change adds, edits or removes a file that may hold settings for `file`, or moves `file` itself."""
    root = release.root.resolve()
    inside = [place for place in (file, *linter.settings(file)) if place.is_relative_to(root)]
    paths = [place.relative_to(root).as_posix() for place in inside]
    former = release.former(paths)
    own, *others = zip(inside, paths, strict=True)
    moved = former.get(own[1])
    if moved is not None and moved.moved_from:
        return True
    return any((place.is_file() and path not in former) or _is_edited(path, former) for place, path in others)


def _is_edited(path: str, former: Mapping[str, FormerText | None]) -> bool:
    text = former.get(path, FormerText())
    return text is None or bool(text.hunks)


def _are_as_they_were(release: ReleaseView, paths: Sequence[str]) -> bool:
    """Say whether each file is as it was, as all are on a first release."""
    former = release.former(paths)
    known = [former.get(path) for path in paths]
    return all(item is not None and not item.hunks for item in known)


def _untried(finding: Finding) -> Finding:
    """Return what kept all from being linted as a warning: where nothing is new, that was so before the first release, too."""
    if finding.location or finding.verdict.lets_through:
        return finding
    return replace(finding, verdict=Verdict.WARNED, summary=f"not linted, because {finding.summary}")


def _path(release: ReleaseView, node: Node) -> str:
    """Return the path of a node's file in the repository."""
    return str(PurePosixPath(release.change.project if release.change else ".") / node.path)


def _rules(present: Sequence[Path], linter: LintWorkspace) -> dict[Path, LintRules]:
    """Return the rules for each file that the project does not exclude."""
    sqlfluff.forget_settings()
    wanted = [file for file in present if not linter.ignores(file)]
    rules = {folder: linter.rules(folder) for folder in {file.parent for file in wanted}}
    return {file: rules[file.parent] for file in wanted}


def _missing(node: Node) -> Finding:
    return said_of(node, "sqlfluff", Verdict.ERRORED, "the file is not in the checkout")


def _cannot(why: str) -> GateReport:
    fix = f"mend that, or let it only warn: gates: {{{ID}: {{on: warn}}}}"
    return GateReport(ID, (Finding(ID, "sqlfluff", Verdict.ERRORED, why, fix=fix, way_past=WayPast.LINES),))


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
