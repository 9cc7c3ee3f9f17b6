"""The gate that compares what a release would serve with what is served now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.diff.compare import compare
from prefect_sluice.diff.relation import RelationDiff, percent
from prefect_sluice.errors import BadInput, QueryFailed
from prefect_sluice.gates.base import Needs, Subject
from prefect_sluice.node import Kind, Node
from prefect_sluice.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict


class Settings(config.Gate):
    """What sluice.yml may say of it. A share is of the rows served now, 0 to 1; without one there is no limit."""

    max_changed_share: float | None = Field(
        default=None, ge=0, le=1, description="The largest share of rows that a release may change."
    )
    max_removed_share: float | None = Field(
        default=None, ge=0, le=1, description="The largest share of rows that a release may remove."
    )
    keys: dict[str, str | tuple[str, ...]] = Field(
        default_factory=dict[str, "str | tuple[str, ...]"],
        description="The columns that tell rows apart, by unique id. Default: the unique_key, or a column tested as unique.",
    )


@dataclass(frozen=True, slots=True)
class Diff:
    """Says what changes in the rows of each changed relation."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "diff"
    needs: ClassVar[Needs] = Needs.CANDIDATE_AND_LIVE
    Settings: ClassVar[type[config.Gate]] = Settings

    def check(self, subject: Subject) -> GateReport:
        """Return one finding per changed relation that is served now. Repeatable."""
        known = [subject.nodes[each] for each in subject.changed if each in subject.nodes]
        served = [node for node in known if node.unique_id in subject.live_relations]
        if not served:
            return GateReport(self.id, not_applicable="nothing is served yet to compare with")
        return GateReport(self.id, tuple(self._compare(node, subject) for node in served))

    def _compare(self, node: Node, subject: Subject) -> Finding:
        after = subject.candidate_relations.get(node.unique_id)
        if subject.candidate is None or after is None:
            return self._broken(node, "not among the candidate's relations")
        before = subject.live_relations[node.unique_id]
        try:
            return self._judge(node, compare(subject.candidate, before, after, self._key(node), node.short))
        except (QueryFailed, BadInput) as error:
            return self._broken(node, f"cannot be compared: {error}")

    def _key(self, node: Node) -> tuple[str, ...]:
        told = self.settings.keys.get(node.unique_id)
        if told is not None:
            return (told,) if isinstance(told, str) else tuple(told)
        if node.kind is Kind.SNAPSHOT and node.unique_key:
            return (*node.unique_key, "dbt_valid_from")  # a snapshot holds every version of a row
        return node.unique_key

    def _broken(self, node: Node, why: str) -> Finding:
        return Finding(self.id, node.short, Verdict.ERRORED, f"{node.short} {why}", subject=node.unique_id)

    def _judge(self, node: Node, diff: RelationDiff) -> Finding:
        verdict, reasons = self._verdict(diff)
        over = (
            self.settings.max_removed_share is not None
            and diff.removed_share > self.settings.max_removed_share
        )
        # where both limits are broken, the changed rows speak
        removed = over and not self._changed_too_much(diff)
        return Finding(
            self.id,
            node.short,
            verdict,
            "; ".join([f"{node.short}: {diff.headline}", *reasons]),
            subject=node.unique_id,
            observed=diff.removed_share if removed else diff.changed_share,
            limit=self.settings.max_removed_share if removed else self.settings.max_changed_share,
            evidence=_evidence(diff),
        )

    def _verdict(self, diff: RelationDiff) -> tuple[Verdict, list[str]]:
        failed, warned = self._too_much(diff), _doubts(diff)
        verdict = Verdict.FAILED if failed else Verdict.WARNED if warned else Verdict.PASSED
        return verdict, failed + warned

    def _changed_too_much(self, diff: RelationDiff) -> bool:
        return (
            self.settings.max_changed_share is not None
            and diff.changed_share > self.settings.max_changed_share
        )

    def _too_much(self, diff: RelationDiff) -> list[str]:
        said: list[str] = []
        if diff.rows_before and not diff.rows_after:
            said.append(f"all {diff.rows_before} rows gone")
        if self._changed_too_much(diff):
            said.append(f"more than {percent(self.settings.max_changed_share or 0)} of the rows changed")
        if (
            self.settings.max_removed_share is not None
            and diff.removed_share > self.settings.max_removed_share
        ):
            said.append(f"more than {percent(self.settings.max_removed_share)} of the rows removed")
        return said


def _doubts(diff: RelationDiff) -> list[str]:
    said: list[str] = []
    if diff.breaking:
        said.append(f"breaking for readers: {', '.join(diff.breaking)}")
    if diff.key_problem:
        said.append(f"{diff.key_problem}, so compared without a key")
    if not (diff.rows_before or diff.rows_after):
        said.append("no rows on either side to compare")
    return said


def _evidence(diff: RelationDiff) -> Evidence | None:
    """Return the changed values, one per row of evidence; where none changed, rows removed, else added."""
    if not diff.changed:
        return diff.removed or diff.added
    rows = [(*row.key, cell.column, cell.before, cell.after) for row in diff.changed for cell in row.cells]
    total = sum(column.rows or 0 for column in diff.columns_changed)
    return Evidence((*diff.key, "column", "before", "after"), tuple(rows[:EVIDENCE_ROWS]), total)
