"""Gate `build`: every relation of the plan was built, and none is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from prefect_sluice import config
from prefect_sluice.gates.base import Built, Needs, Subject
from prefect_sluice.gates.dbt_contracts import mismatches, table
from prefect_sluice.results import DROPPED, NodeResult
from prefect_sluice.verdict import Finding, GateReport, Verdict


class Settings(config.Gate):
    """What sluice.yml may say of it."""


@dataclass(frozen=True, slots=True)
class Build:
    """Reads dbt's answers. What was done in another way than asked warns."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "build"
    needs: ClassVar[Needs] = Needs.CANDIDATE
    Settings: ClassVar[type[config.Gate]] = Settings

    def check(self, subject: Subject) -> GateReport:
        """Return a finding per relation that failed or was left out, and one for the rest."""
        built, made = subject.built, subject.plan.made if subject.plan else subject.changed
        results = {result.unique_id: result for result in built.results if result.kind != "test"}
        good = [uid for uid in made if uid in results and results[uid].ok]
        dropped = [uid for uid in made if uid in results and results[uid].status == DROPPED]
        findings = [_bad(uid, results.get(uid)) for uid in made if uid not in {*good, *dropped}]
        findings += [
            Finding(self.id, "as asked", Verdict.WARNED, results[uid].message, uid) for uid in dropped
        ]
        findings += [
            Finding(self.id, "hook", Verdict.FAILED, first_line(result.message), result.unique_id)
            for result in results.values()
            if result.kind == "operation" and not result.ok
        ]
        findings += [
            Finding(self.id, "as asked", Verdict.WARNED, note, uid) for uid, note in built.notes.items()
        ]
        if good or not made:
            seconds = sum(results[uid].seconds for uid in good)
            told = _told(len(good), seconds, built)
            findings.append(
                Finding(self.id, "built", Verdict.PASSED, told, observed=len(good), limit=len(made))
            )
        return GateReport(self.id, tuple(findings))


def _told(good: int, seconds: float, built: Built) -> str:
    if not good:
        return f"nothing to build, {built.reused} reused"
    before = f"{built.taken} taken from an earlier attempt, " if built.taken else ""
    return f"{good - built.taken} built in {seconds:.1f} s, {before}{built.reused} reused"


def _bad(uid: str, result: NodeResult | None) -> Finding:
    if result is None or result.status == "skipped":
        return Finding(
            Build.id, "built", Verdict.INCONCLUSIVE, "left out, because something it reads failed", uid
        )
    wrong = mismatches(result.message)
    told = f"dbt's contract: {'; '.join(map(str, wrong))}" if wrong else first_line(result.message)
    evidence = table(wrong) if wrong else None
    return Finding(Build.id, "built", Verdict.FAILED, told, uid, location=result.path, evidence=evidence)


def first_line(message: str) -> str:
    """Return the line of dbt's message that says what is wrong; its first line only names the node."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(lines[1:3] if len(lines) > 1 else lines) or "no message"
