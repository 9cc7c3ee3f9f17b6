"""Gate `build`: every relation of the plan was built, and none is missing."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import ClassVar

from prefect_sluice import config
from prefect_sluice.domain.counting import noun
from prefect_sluice.domain.results import DROPPED, NodeResult
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import BuildOutcome, CandidateView, ReleaseView
from prefect_sluice.gates.dbt_contracts import mismatches, table
from prefect_sluice.source.relative_paths import folder_above

_MISSED = re.compile(r"(?:No files found that match the pattern|Cannot open file) \"([^\"/][^\"]*)\"")
"""How DuckDB says that a file is not there."""
_MOST = 3
"""How many names stand in one sentence."""


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""


@dataclass(frozen=True, slots=True)
class Build:
    """Reads dbt's answers. What was done in another way than asked warns."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "build"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, candidate: CandidateView) -> GateReport:
        """Return a finding per relation that failed or was left out, and one for the rest."""
        built, made = candidate.built, release.plan.made if release.plan else release.changed
        results = {result.unique_id: result for result in built.results if result.kind != "test"}
        good = [uid for uid in made if uid in results and results[uid].ok]
        dropped = [uid for uid in made if uid in results and results[uid].status == DROPPED]
        findings = [
            _left_out(uid, release, candidate, results)
            if _is_left_out(results.get(uid))
            else _failed(uid, results[uid], release)
            for uid in made
            if uid not in {*good, *dropped}
        ]
        findings += [
            Finding(self.id, "as asked", Verdict.WARNED, results[uid].message, (uid,)) for uid in dropped
        ]
        findings += [
            Finding(
                self.id,
                "hook",
                Verdict.FAILED,
                first_line(result.message),
                (result.unique_id,),
                fix=_misplaced(result.message, release),
            )
            for result in results.values()
            if result.kind == "operation" and not result.ok
        ]
        findings += [
            Finding(self.id, "as asked", Verdict.WARNED, note, (uid,)) for uid, note in built.notes.items()
        ]
        if good or not made:
            seconds = sum(results[uid].seconds for uid in good)
            told = _build_summary(len(good), seconds, built)
            findings.append(
                Finding(self.id, "built", Verdict.PASSED, told, observed=len(good), limit=len(made))
            )
        return GateReport(self.id, tuple(findings))


def _build_summary(good: int, seconds: float, built: BuildOutcome) -> str:
    if not good:
        return f"nothing to build, {built.reused} reused"
    before = f"{built.taken} taken from an earlier attempt, " if built.taken else ""
    return f"{good - built.taken} built in {seconds:.1f} s, {before}{built.reused} reused"


def _is_left_out(result: NodeResult | None) -> bool:
    return result is None or result.status == "skipped"


def _left_out(
    uid: str, release: ReleaseView, candidate: CandidateView, results: Mapping[str, NodeResult]
) -> Finding:
    result = results.get(uid)
    parents = {
        *(release.nodes[uid].parents if uid in release.nodes else ()),
        *(result.parents if result else ()),
    }
    location = release.nodes[uid].path if uid in release.nodes else ""
    told = f"left out, because {_reason(result, parents, release, candidate, results)}"
    return Finding(Build.id, "built", Verdict.INCONCLUSIVE, told, (uid,), location=location)


def _reason(
    result: NodeResult | None,
    parents: Set[str],
    release: ReleaseView,
    candidate: CandidateView,
    results: Mapping[str, NodeResult],
) -> str:
    """Return why dbt did not build a node: what failed of that which it reads, or dbt's own word."""
    made = set(release.plan.made if release.plan else release.changed)
    bad = [uid for uid in sorted(parents) if (not results[uid].ok if uid in results else uid in made)]
    if bad:
        return f"{_names(bad)} {noun(len(bad), 'was', 'were')} not built"
    tests = [item for item in candidate.built.results if item.kind == "test" and not item.ok]
    asked = [item.short for item in tests if parents & {*item.parents}]
    if asked:
        return f"a data test on what it reads did not hold: {_names(asked)}"
    hooks = [item.short for item in results.values() if item.kind == "operation" and not item.ok]
    if hooks:
        return f"a hook that runs before all failed: {_names(hooks)}"
    if result is not None and result.message:
        return f"dbt says: {first_line(result.message)}"
    return (
        "dbt did not select it, and says no reason"
        if result is None
        else "dbt skipped it, and says no reason"
    )


def _names(names: Sequence[str]) -> str:
    short = [name.split(".", 2)[-1] for name in names]
    return ", ".join(short[:_MOST]) + (f" and {len(short) - _MOST} more" if len(short) > _MOST else "")


def _failed(uid: str, result: NodeResult, release: ReleaseView) -> Finding:
    wrong = mismatches(result.message)
    told = f"dbt's contract: {'; '.join(map(str, wrong))}" if wrong else first_line(result.message)
    evidence = table(wrong) if wrong else None
    fix = _misplaced(result.message, release)
    return Finding(
        Build.id, "built", Verdict.FAILED, told, (uid,), location=result.path, evidence=evidence, fix=fix
    )


def _misplaced(message: str, release: ReleaseView) -> str:
    """Return what helps where a file is missed that is there, seen from a folder above the project: dbt was called there."""
    found = _MISSED.search(message)
    if found is None or release.change is None or release.working_directory not in {None, release.project}:
        return ""
    above = folder_above([str(found[1])], release.project, release.root)
    if above is None:
        return ""
    folder, name = above
    up = os.path.relpath(folder, release.project)
    return f"{name} is there from {up} on: name the folder in which dbt is called in sluice.yml, working_directory"


def first_line(message: str) -> str:
    """Return the line of dbt's message that says what is wrong; its first line only names the node."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(lines[1:3] if len(lines) > 1 else lines) or "no message"
