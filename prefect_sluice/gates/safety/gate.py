"""The gate that looks at what runs beside the models' queries: hooks, operations, macros and Python that write elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, cast

from prefect_sluice import config
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.declarations import CodeText
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict
from prefect_sluice.gates.base import DeclarationsView, ReleaseView, ToolsView
from prefect_sluice.gates.safety.rules import (
    PUT_ASIDE,
    ProjectRelations,
    StatementEffect,
    judge_statement,
    put_aside,
)
from prefect_sluice.sql.side_effects import StatementWrite

_FORM = "writes.1"
"""With the number of its form: what an older Sluice remembered is not read."""
_UNREADABLE = "cannot be taken apart, so that nobody can say what it does"


class Settings(config.GateSettings):
    """What sluice.yml may say of it: the keys of every gate."""


@dataclass(frozen=True, slots=True)
class SideEffect:
    """Something that code does beside a query. `key` is the same as long as the same code does the same."""

    key: str
    subject: str
    place: str
    said: str
    judgement: StatementEffect
    package: str = ""
    put_aside: bool = False


@dataclass(frozen=True, slots=True)
class Safety:
    """Fails for what a change adds that writes outside the candidate. What was there before is listed."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "safety"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, declarations: DeclarationsView, tools: ToolsView) -> GateReport:
        """Return one finding for each statement that is new and not harmless. Repeatable."""
        code = [item for item in declarations.now.code if item.runs]
        models = [node for node in release.nodes.values() if node.language == "python"]
        if not code and not models:
            none = "the project has no hooks, operations or Python models, and no macro that one calls"
            return GateReport(self.id, not_applicable=none)
        found = {deed.key: deed for deed in (*_in_code(code, release), *_in_python(models, release))}
        before = _before(release, tools)
        _remember(release, tools, found)
        new = [deed for deed in found.values() if deed.key not in (before or ())]
        findings = [
            *self._of_packages(new),
            *(self._effect_finding(deed, before) for deed in new if not deed.package),
        ]
        old = [deed for deed in found.values() if deed.key in (before or ())]
        return GateReport(
            self.id, (*findings, self._summary_finding(len(code) + len(models), old, bool(new)))
        )

    def _effect_finding(self, deed: SideEffect, before: frozenset[str] | None) -> Finding:
        # Nothing is known of what came before: all of it is new to us, and was there before we came.
        judgement = PUT_ASIDE if before is None and deed.put_aside else deed.judgement
        verdict = judgement.verdict
        if before is None and not judgement.leaves:
            verdict = min(verdict, Verdict.WARNED)
        return Finding(
            self.id,
            judgement.check,
            verdict,
            f"{deed.said}: {judgement.why}",
            subjects=(deed.subject,),
            location=deed.place,
            fix=judgement.fix,
        )

    def _of_packages(self, new: Iterable[SideEffect]) -> Iterator[Finding]:
        """Yield one finding for each package: its code is somebody else's, and may be long."""
        by_package: dict[str, list[SideEffect]] = {}
        for deed in new:
            if deed.package:
                by_package.setdefault(deed.package, []).append(deed)
        for package, deeds in sorted(by_package.items()):
            leaving = any(deed.judgement.leaves for deed in deeds)
            yield Finding(
                self.id,
                "package",
                Verdict.WARNED,
                f"package {package} does {count(len(deeds), 'thing')} beside the models' queries"
                + (", some of it outside the warehouse" if leaving else ""),
                subjects=tuple(sorted({deed.subject for deed in deeds})[:3]),
                evidence=_evidence(deeds),
                fix="look at what it does; switch off with its variables what you do not need",
            )

    def _summary_finding(self, looked: int, old: list[SideEffect], is_new: bool) -> Finding:
        what = count(
            looked, "hook, operation, macro or Python model", "hooks, operations, macros and Python models"
        )
        what += " looked at"
        told = "" if is_new else ", and nothing new in them leads outside the candidate"
        known = f"; {len(old)} known from before" if old else ""
        return Finding(
            self.id,
            "looked-at",
            Verdict.PASSED,
            what + told + known,
            evidence=_evidence(old) if old else None,
        )


def _in_code(code: Iterable[CodeText], release: ReleaseView) -> Iterator[SideEffect]:
    from prefect_sluice.dbt.texts.template_text import pieces

    home = ProjectRelations(release.nodes, release.catalog)
    for item in code:
        texts = pieces(item.text)
        if texts is None:
            yield _unreadable(item, release)
            continue
        for text in texts:
            yield from _of_text(text, item, home, release)


def _of_text(text: str, item: CodeText, home: ProjectRelations, release: ReleaseView) -> Iterator[SideEffect]:
    from prefect_sluice.sql.side_effects import writes

    found = writes(text, release.dialect)
    if found is None and item.runs == "beside":
        yield _unreadable(item, release)
    for write in found or ():
        judgement = judge_statement(write, home, item.node, in_query=item.runs == "query")
        if judgement is not None:
            place = _place(release.project, item, write)
            key = _key(item.unique_id, write)
            aside = put_aside(write, release.working_directory or release.project, release.root)
            yield SideEffect(
                key, item.node or item.unique_id, place, write.said, judgement, item.package, aside
            )


def _unreadable(item: CodeText, release: ReleaseView) -> SideEffect:
    kind = "macro" if item.kind == "macro" else item.kind
    fix = "write the statement so that DuckDB's and sqlglot's tokens agree, or except it"
    judgement = StatementEffect("not-known", Verdict.INCONCLUSIVE, _UNREADABLE, fix)
    said = f"{kind} {item.unique_id.split('.')[-1] if kind == 'macro' else ''}".strip()
    place = _place(release.project, item, None)
    key = digest([item.unique_id, item.text])
    return SideEffect(key, item.node or item.unique_id, place, said, judgement, item.package)


def _in_python(models: Iterable[Node], release: ReleaseView) -> Iterator[SideEffect]:
    from prefect_sluice.dbt.texts.python_models import PythonCode

    python = PythonCode(release.project)
    home = ProjectRelations(release.nodes, release.catalog)
    for node in models:
        path = release.project / node.path
        if not path.is_file():
            continue
        code = path.read_text(encoding="utf-8", errors="replace")
        for name in dict.fromkeys((node.path, *python.modules(code))):
            yield from _of_file(name, node, home, release)


def _of_file(name: str, node: Node, home: ProjectRelations, release: ReleaseView) -> Iterator[SideEffect]:
    from prefect_sluice.gates.safety.python_writes import deeds
    from prefect_sluice.sql.side_effects import writes

    text = (release.project / name).read_text(encoding="utf-8", errors="replace")
    for deed in deeds(text) or ():
        place = f"{name}:{deed.line}"
        if deed.text:
            judgement = StatementEffect(
                "python", Verdict.WARNED, "it runs whenever the model is built, released or not", _PYTHON
            )
            yield SideEffect(digest([name, deed.text]), node.unique_id, place, deed.text, judgement)
        for write in writes(deed.sql, release.dialect) or ():
            judgement = judge_statement(write, home, node.unique_id, in_query=True)
            if judgement is not None:
                yield SideEffect(_key(name, write), node.unique_id, place, write.said, judgement)


_PYTHON = "return the rows, and write files or call servers after the release"


def _key(where: str, write: StatementWrite) -> str:
    return digest([where, write.does.value, write.verb, list(write.target), write.place])


def _before(release: ReleaseView, tools: ToolsView) -> frozenset[str] | None:
    """Return the keys of what the code that serves does; None: nothing serves, or it was never looked at."""
    if tools.memory is None or release.plan is None or not release.plan.base_release:
        return None
    known = tools.memory.recall(_kept_as(release, release.plan.base_release))
    return None if known is None else frozenset(cast(list[str], known))


def _remember(release: ReleaseView, tools: ToolsView, found: Mapping[str, SideEffect]) -> None:
    if tools.memory is None or release.plan is None:
        return
    key = _kept_as(release, release.plan.release)
    keys: list[Json] = [*sorted(found)]
    if tools.memory.recall(key) != keys:
        tools.memory.keep(key, keys)


def _kept_as(release: ReleaseView, digest: str) -> str:
    # By environment: which code there is may hang on the target.
    return f"{_FORM} {release.environment} {digest}"


def _place(project: Path, item: CodeText, write: StatementWrite | None) -> str:
    """Return `file:line` of a statement: where its first words stand, or its code; the file alone where neither is found."""
    if item.package:
        return f"dbt_packages/{item.package}/{item.path}"
    own = item.path.removeprefix("./")
    for name in dict.fromkeys((own, "dbt_project.yml")):
        path = project / name
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        begin = max(text.find(item.text.strip()), 0) if item.kind == "macro" else 0
        for pattern in _patterns(item, write):
            found = re.compile(pattern, re.IGNORECASE).search(text, begin)
            if found:
                return f"{name}:{text.count(chr(10), 0, found.start()) + 1}"
    return own


def _patterns(item: CodeText, write: StatementWrite | None) -> list[str]:
    patterns = [re.escape(item.text.strip())] if item.text.strip() else []
    if write is None:
        return patterns
    words = [re.escape(word) for word in write.said.split()[:2] if word.isalpha()]
    beginning = r"\s+".join(words)
    names = [re.escape(part) for part in write.target if not part.startswith("__sluice")]
    return (
        [rf"\b{beginning}\b[^;]{{0,60}}?{names[-1]}", *patterns]
        if names
        else [rf"\b{beginning}\b", *patterns]
    )


def _evidence(deeds: list[SideEffect]) -> Evidence:
    rows = [(deed.place, deed.said, deed.judgement.why) for deed in deeds]
    return Evidence(("where", "statement", "why it matters"), tuple(rows[:EVIDENCE_ROWS]), len(rows))
