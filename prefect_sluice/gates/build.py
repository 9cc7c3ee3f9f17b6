"""Gate `build`: every relation of the plan was built, and none is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect_sluice.gates.base import Needs, Subject
from prefect_sluice.results import NodeResult
from prefect_sluice.verdict import Finding, GateReport, Verdict


class Build:
    """Reads dbt's answers. `notes` are things done in another way than asked, by unique id: they warn."""

    id = "build"
    needs = Needs.CANDIDATE

    def __init__(
        self,
        results: Sequence[NodeResult],
        notes: Mapping[str, str],
        *,
        made: Sequence[str],
        reused: int,
        taken: int = 0,
    ) -> None:
        """Judge these results; `made` are the nodes that were to be built, `reused` counts those that were there already.

        `taken` of those made were built by an earlier attempt.
        """
        self._taken = taken
        self._made = made
        self._results = {result.unique_id: result for result in results if result.kind != "test"}
        self._notes = notes
        self._reused = reused

    def check(self, subject: Subject) -> GateReport:
        """Return a finding per relation that failed or was left out, and one for the rest."""
        findings = [self._bad(uid) for uid in self._made if not self._is_ok(uid)]
        findings += [
            self._operation(result)
            for result in self._results.values()
            if result.kind == "operation" and not result.ok
        ]
        findings += [
            Finding(self.id, "as asked", Verdict.WARNED, note, uid) for uid, note in self._notes.items()
        ]
        good = sum(self._is_ok(uid) for uid in self._made)
        if good or not self._made:
            seconds = sum(self._results[uid].seconds for uid in self._made if uid in self._results)
            before = f"{self._taken} taken from an earlier attempt, " if self._taken else ""
            told = (
                f"{good - self._taken} built in {seconds:.1f} s, {before}{self._reused} reused"
                if good
                else f"nothing to build, {self._reused} reused"
            )
            findings.append(
                Finding(self.id, "built", Verdict.PASSED, told, observed=good, limit=len(self._made))
            )
        return GateReport(self.id, tuple(findings))

    def _is_ok(self, uid: str) -> bool:
        return uid in self._results and self._results[uid].ok

    def _bad(self, uid: str) -> Finding:
        result = self._results.get(uid)
        if result is None or result.status == "skipped":
            return Finding(
                self.id, "built", Verdict.INCONCLUSIVE, "left out, because something it reads failed", uid
            )
        return Finding(
            self.id, "built", Verdict.FAILED, first_line(result.message), uid, location=result.path
        )

    def _operation(self, result: NodeResult) -> Finding:
        return Finding(self.id, "hook", Verdict.FAILED, first_line(result.message), result.unique_id)


def first_line(message: str) -> str:
    """Return the line of dbt's message that says what is wrong; its first line only names the node."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(lines[1:3] if len(lines) > 1 else lines) or "no message"
