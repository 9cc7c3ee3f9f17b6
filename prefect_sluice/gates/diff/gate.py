"""The gate that compares what a release would serve with what is served now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.diff import expected_part
from prefect_sluice.diff.relation import RelationDiff, percent
from prefect_sluice.diff.tables import evidence, tables
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.errors import BadInput, QueryFailed
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.verdict import Finding, GateReport, Likeness, Verdict, WayPast
from prefect_sluice.gates.base import CandidateView, DeclarationsView, ReleaseView, ToolsView
from prefect_sluice.gates.diff.comparison import ComparisonSettings, above, compared, expect_name, names
from prefect_sluice.gates.diff.expectations import judge_expectations
from prefect_sluice.planning.expectations import CommitDeclarations
from prefect_sluice.planning.reasons import some


class Settings(ComparisonSettings):
    """What sluice.yml may say of it. A share is of the rows served now, 0 to 1; without one there is no limit."""

    max_changed_share: float | None = Field(
        default=None, ge=0, le=1, description="The largest share of rows that a release may change."
    )
    max_removed_share: float | None = Field(
        default=None, ge=0, le=1, description="The largest share of rows that a release may remove."
    )
    max_unexplained_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="The largest share of rows in which a release may change a column, or add or remove rows, without a word "
        "in its commits. Default: none may once a commit declares what it changes, and no limit where none does.",
    )


_LINES_NAMED = 3
"""How many `Expect:` lines a remedy writes out; more columns are told by one pattern."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one asking of the gate compares: the release, its candidate, what its commits declare. `diffs` are the differences
    that were found so far, by unique id."""

    release: ReleaseView
    candidate: CandidateView
    tools: ToolsView
    said: CommitDeclarations
    diffs: dict[str, RelationDiff] = field(default_factory=dict[str, RelationDiff])


@dataclass(frozen=True, slots=True)
class Diff:
    """Says what changes in the rows of each changed relation, and whether the commit said so."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "diff"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(
        self, release: ReleaseView, candidate: CandidateView, declarations: DeclarationsView, tools: ToolsView
    ) -> GateReport:
        """Return one finding per changed relation that is served now, and one per expectation that did not come true or
        cannot be read. Repeatable."""
        known = [release.nodes[each] for each in release.changed if each in release.nodes]
        served = [node for node in known if node.unique_id in candidate.live]
        if not served:
            return GateReport(self.id, not_applicable="nothing is served yet to compare with")
        asked = _Asked(release, candidate, tools, declarations.expected())
        findings = [self._compare(asked, node) for node in served]
        expected = judge_expectations(self.id, release, candidate, asked.said, asked.diffs)
        return GateReport(self.id, (*findings, *expected))

    def _compare(self, asked: _Asked, node: Node) -> Finding:
        candidate = asked.candidate
        after = candidate.relations.get(node.unique_id)
        if candidate.reader is None or after is None:
            return self._broken(node, "not among the candidate's relations")
        before = candidate.live[node.unique_id]
        try:
            found = compared(candidate, asked.tools, node, before, after, self.settings)
        except (QueryFailed, BadInput) as error:
            return self._broken(node, f"cannot be compared: {error}")
        asked.diffs[node.unique_id] = candidate.compared[node.unique_id] = found
        # That a refresh brings new data, everybody knows.
        unsaid = found.same_rows or asked.release.cause.renews
        moved = () if unsaid else candidate.moved.get(node.unique_id, ())
        same_code = node.unique_id in candidate.same_code
        finding = self._judge(node, found, moved, same_code=same_code)
        if same_code:
            # A commit declares what its code changes; what the same code made of new data is no part of that.
            return finding
        baseline = candidate.baseline.get(node.unique_id) if moved else None
        if baseline is None:
            return self._explained(asked, finding, node, found, moved)
        try:
            rule = compared(candidate, asked.tools, node, baseline, after, self.settings)
        except (QueryFailed, BadInput) as error:
            return self._broken(node, f"cannot be compared with its baseline: {error}")
        asked.diffs[node.unique_id] = rule
        return self._explained(asked, _by_rule(finding, found, rule), node, rule, ())

    def _broken(self, node: Node, why: str) -> Finding:
        return Finding(
            self.id, node.short, Verdict.ERRORED, f"{node.short} {why}", subjects=(node.unique_id,)
        )

    def _judge(self, node: Node, diff: RelationDiff, moved: tuple[str, ...], *, same_code: bool) -> Finding:
        verdict, reasons = self._verdict(diff)
        over = (
            self.settings.max_removed_share is not None
            and diff.removed_share > self.settings.max_removed_share
        )
        # where both limits are broken, the changed rows speak
        removed = over and not self._changed_too_much(diff)
        if moved:
            holds = "new data, by the same code" if same_code else "it holds new data as well"
            reasons = [*reasons, f"{some(moved)} moved since what serves was built: {holds}"]
        return Finding(
            self.id,
            node.short,
            verdict,
            "; ".join([f"{node.short}: {diff.headline}", *reasons]),
            subjects=(node.unique_id,),
            observed=diff.removed_share if removed else diff.changed_share,
            limit=self.settings.max_removed_share if removed else self.settings.max_changed_share,
            location=node.path,
            evidence=evidence(diff),
            more=tables(diff),
            likeness=_likeness(diff),
        )

    def _explained(
        self, asked: _Asked, finding: Finding, node: Node, diff: RelationDiff, moved: tuple[str, ...]
    ) -> Finding:
        """Return the finding with what the commit said beside what changed; what it did not say may be too much."""
        release, said, limit = asked.release, asked.said, self._limit(asked.said)
        if release.cause.renews or limit is None:
            return finding
        parts = expected_part.parts(diff, [each for each in said.expected if each.is_of(names(node))])
        finding = replace(finding, more=(*finding.more, expected_part.table(parts))) if parts else finding
        over = expected_part.unexplained(parts)
        if over <= limit:
            return finding
        words = "; ".join(part.words for part in parts if not part.is_explained and part.share > limit)
        # With other data under it, nobody knows how much of it is the new rule's doing.
        verdict = Verdict.INCONCLUSIVE if moved else Verdict.FAILED
        if verdict < finding.verdict:
            return replace(finding, summary=f"{finding.summary}; not declared: {words}")
        return replace(
            finding,
            verdict=verdict,
            summary=f"{finding.summary}; not declared: {words}",
            observed=over,
            limit=limit,
            fix=_same_inputs(release, asked.candidate) if moved else _declare(node, parts, limit),
            way_past=WayPast.UNSAID if moved else WayPast.NAMED,
        )

    def _limit(self, said: CommitDeclarations) -> float | None:
        if self.settings.max_unexplained_share is not None:
            return self.settings.max_unexplained_share
        return 0.0 if said.expected else None

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
            many = diff.rows_before
            said.append("its only row gone" if many == 1 else f"all {count(many, 'row')} gone")
        if self._changed_too_much(diff):
            said.append(f"more than {percent(self.settings.max_changed_share or 0)} of the rows changed")
        if (
            self.settings.max_removed_share is not None
            and diff.removed_share > self.settings.max_removed_share
        ):
            said.append(f"more than {percent(self.settings.max_removed_share)} of the rows removed")
        return said


def _by_rule(finding: Finding, found: RelationDiff, rule: RelationDiff) -> Finding:
    """Return the finding with what the new code changes on the same data; that is what was declared, or not."""
    alone = "the same" if rule.headline == found.headline else rule.headline
    return replace(finding, summary=f"{finding.summary}; by the new code alone: {alone}")


def _likeness(diff: RelationDiff) -> Likeness:
    if not diff.identical:
        return Likeness.UNSAID
    return Likeness.CLOSE if diff.rows_close else Likeness.SAME


def _doubts(diff: RelationDiff) -> list[str]:
    said: list[str] = []
    if diff.is_breaking:
        said.append(": ".join(["breaking for readers", *filter(None, [", ".join(diff.other_columns)])]))
    if diff.key_problem:
        said.append(f"{diff.key_problem}, so compared without a key")
    if not (diff.rows_before or diff.rows_after):
        said.append("no rows on either side to compare")
    return said


def _same_inputs(release: ReleaseView, candidate: CandidateView) -> str:
    where = f" --env {release.environment}" if release.environment else ""
    why = f"{candidate.no_baseline}; " if candidate.no_baseline else ""
    return f"{why}serve the new data with the old code first (sluice refresh{where}), then release again"


def _declare(node: Node, parts: tuple[expected_part.ExpectedPart, ...], limit: float) -> str:
    """Return what a commit would have to say, a line for each part that is too much; of many columns, one line for all."""
    open_parts = [part for part in parts if not part.is_explained and part.share > limit]
    if len(open_parts) > _LINES_NAMED:
        widest = max(part.share for part in open_parts)
        columns = [expected_part.ExpectedPart("*", widest, None)] if any(p.column for p in open_parts) else []
        open_parts = [*columns, *(part for part in open_parts if not part.column)]
    lines = [f"Expect: {_expected_name(node, part.column)} up to {above(part.share)}%" for part in open_parts]
    each = ", a line each" if len(lines) > 1 else ""
    return f"if it is meant, say so in the commit message{each}: {'; '.join(lines)}"


def _expected_name(node: Node, column: str) -> str:
    if not column:
        return f"{expect_name(node.short)} rows"
    return f"{expect_name(node.short)}.{column if column == '*' else expect_name(column)}"
