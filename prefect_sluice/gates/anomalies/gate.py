"""The gate that compares what a refresh brings with what earlier refreshes brought."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, TypeVar

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.domain.counting import count, noun
from prefect_sluice.domain.errors import BadInput, QueryFailed
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Measure, Verdict
from prefect_sluice.gates.anomalies.measure import RelationNumbers, profile
from prefect_sluice.gates.anomalies.questions import Dated, NumberQuestion, UsualRange, answers, questions
from prefect_sluice.gates.base import CandidateView, History, ReleaseView, ToolsView
from prefect_sluice.runtime import process
from prefect_sluice.warehouse.base import Reader, quoted
from prefect_sluice.warehouse.engines import ENGINES

_Told = TypeVar("_Told")
_TOP = 12
_SHARES = (
    "select cast({name} as varchar) as v, count(*) / sum(count(*)) over () as share from {part} group by 1"
)
_FIX = "look at the source; if it is meant, let it pass once by an exception with its last day: it is usual from then on"


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""

    false_alarms: float = Field(
        default=0.005,
        gt=0,
        le=0.2,
        description="The share of refreshes that are stopped although nothing is wrong; all numbers share it.",
    )
    history: int = Field(default=60, ge=5, le=60, description="How many earlier refreshes count.")
    minimum: int = Field(
        default=8, ge=5, description="How many there must be before a number is judged at all."
    )
    time: dict[str, str] = Field(
        default_factory=dict[str, str],
        description='The column that tells the time of a row, by model or unique id; "" where there is none.',
    )
    ignore: dict[str, tuple[str, ...]] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description="Columns that are not looked at, by model or unique id.",
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    node: Node
    profile: RelationNumbers
    answers: tuple[UsualRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Anomalies:
    """Looks, on a refresh, at volume, freshness, missing values and distribution of what is new."""

    settings: Settings = field(default_factory=Settings)
    now: Callable[[], datetime] = process.now
    id: ClassVar[str] = "anomalies"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, candidate: CandidateView, tools: ToolsView) -> GateReport:
        """Return a finding per anomaly, and one for each relation that is as usual. Repeatable."""
        if not release.cause.renews:
            return GateReport(self.id, not_applicable="only what a refresh brings is looked at")
        if candidate.reader is None or tools.history is None:
            return GateReport(self.id, not_applicable="nothing was built")
        if candidate.reader.dialect not in ENGINES:
            told = f"how rows are measured in the SQL of {candidate.reader.dialect!r} is not known"
            return GateReport(self.id, not_applicable=told)
        seen, findings = self._look(release, candidate, candidate.reader)
        judged = self._answer_questions(seen, tools.history)
        for item in judged:
            findings.extend(self._node_findings(item, candidate.reader))
        measures = tuple(
            Measure(item.node.unique_id, metric, value)
            for item in seen
            for metric, value in item.profile.numbers.items()
        )
        if not findings:
            few = f"no relation here has {count(self.settings.minimum, 'earlier refresh', 'earlier refreshes')} to compare with"
            return GateReport(self.id, not_applicable=few, measures=measures)
        return GateReport(self.id, tuple(findings), measures=measures)

    def _look(
        self, release: ReleaseView, candidate: CandidateView, reader: Reader
    ) -> tuple[list[_Seen], list[Finding]]:
        seen: list[_Seen] = []
        findings: list[Finding] = []
        for uid in release.changed:
            node, live = release.nodes.get(uid), candidate.live.get(uid)
            relation = candidate.relations.get(uid)
            if node is None or live is None:
                continue  # a by-product, or new: nothing to compare with
            if relation is None:
                findings.append(_finding(node, "built", Verdict.INCONCLUSIVE, "was not built"))
                continue
            time, ignored = _of(self.settings.time, node), _of(self.settings.ignore, node) or ()
            try:
                found = profile(reader, node, relation, live, self.now(), time, ignored)
            except (QueryFailed, BadInput) as error:
                why = f"cannot be measured: {str(error).splitlines()[0]}"
                findings.append(_finding(node, "measured", Verdict.ERRORED, why))
            else:
                seen.append(_Seen(node, found))
        return seen, findings

    def _answer_questions(self, seen: Sequence[_Seen], history: History) -> list[_Seen]:
        """Ask all questions at once: how sure an alarm must be depends on how many there are."""
        asked: list[tuple[_Seen, int]] = []
        every: list[NumberQuestion] = []
        for item in seen:
            own = questions(item.profile, self._recall(history, item.node.unique_id), self.settings.minimum)
            asked.append((item, len(own)))
            every.extend(own)
        answered = iter(answers(every, self.now(), self.settings.false_alarms))
        return [
            _Seen(item.node, item.profile, tuple(next(answered) for _ in range(count)))
            for item, count in asked
        ]

    def _recall(self, history: History, uid: str) -> Callable[[str], Sequence[Dated]]:
        return lambda metric: [
            (past.value, past.at) for past in history.of(uid, metric)[: self.settings.history]
        ]

    def _node_findings(self, item: _Seen, reader: Reader) -> list[Finding]:
        found, node = item.profile, item.node
        if not found.total and found.before:
            told = f"has no rows; {found.before:,} are served"
            return [_finding(node, "empty", Verdict.FAILED, told, observed=0, limit=1, fix=_FIX)]
        unusual = [answer for answer in item.answers if answer.unusual]
        if unusual:
            return [_anomaly(item, answer, reader) for answer in unusual]
        if not item.answers:
            return []
        past = len(item.answers[0].question.past)
        if not found.rows:
            told = (
                f"brought no new rows, which is not unusual after {_refreshes(past)}; no column was looked at"
            )
            return [_finding(node, "rows", Verdict.WARNED, told, observed=0)]
        rows, numbers = f"{found.rows:,} {noun(found.rows, 'row')}", count(len(item.answers), "number")
        told = f"{rows}, {numbers}, all as in {_refreshes(past)} before"
        return [_finding(node, "usual", Verdict.PASSED, told, evidence=_table(item.answers))]


def _refreshes(number: int) -> str:
    return count(number, "refresh", "refreshes")


def _of(settings: Mapping[str, _Told], node: Node) -> _Told | None:
    return settings.get(node.unique_id, settings.get(node.short))


def _finding(
    node: Node,
    check: str,
    verdict: Verdict,
    told: str,
    *,
    observed: float | None = None,
    limit: float | None = None,
    evidence: Evidence | None = None,
    more: tuple[Evidence, ...] = (),
    fix: str = "",
) -> Finding:
    return Finding(
        Anomalies.id, check, verdict, f"{node.short}: {told}", (node.unique_id,), observed, limit, node.path,
        evidence, more, fix,
    )  # fmt: skip


def _anomaly(item: _Seen, answer: UsualRange, reader: Reader) -> Finding:
    question, (low, high) = answer.question, answer.span
    now = question.shown(question.now)
    limit = high if question.now > answer.usual.middle else low
    days = " on this weekday" if answer.usual.weekday else ""
    usually = f"{_usually(question, low, high)}{days} ({_refreshes(len(question.past))})"
    told = f"{_now(question, _plain(question.check, now))}, usually {usually}"
    more = _top(reader, item.profile, question.column) if question.check == "shape" else ()
    return _finding(
        item.node, question.check.split()[0], Verdict.FAILED, told, observed=now, limit=limit,
        evidence=_history(answer), more=more, fix=_FIX,
    )  # fmt: skip


_WORDS = {
    "rows": "{now} {rows}",
    "rows new": "{now} new {rows}",
    "rows added": "{now} {rows} more than are served",
    "age": "its newest row is {now} {hours} old",
    "missing": "{now} of column {column} is missing",
    "mean": "the mean of column {column} is {now}",
    "distinct": "column {column} has about {now} different {values}",
    "shape": "{now} of column {column} is distributed in another way",
}


def _now(question: NumberQuestion, now: str) -> str:
    number = 1 if now == "1" else 2  # of a number that was rounded
    nouns = {f"{word}s": noun(number, word) for word in ("row", "hour", "value")}
    return _WORDS[question.check].format(column=question.column, now=now, **nouns)


def _usually(question: NumberQuestion, low: float, high: float) -> str:
    if question.upward_only:
        return f"at most {_plain(question.check, high)}"
    return f"{_plain(question.check, low)} to {_plain(question.check, high)}"


def _plain(check: str, value: float) -> str:
    if check in {"missing", "shape"}:
        return f"{value:.2%}".replace("%", " %")
    if check.startswith(("rows", "distinct")):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"


def _history(answer: UsualRange) -> Evidence:
    shown = answer.question.shown
    rows = [("this one", _figure(shown(answer.question.now)))]
    rows += [(f"{at:%Y-%m-%d %H:%M}", _figure(shown(value))) for value, at in answer.question.past]
    return Evidence(("refresh", answer.question.check), tuple(rows), len(rows), title="refresh by refresh")


def _figure(value: float) -> str:
    return f"{value:.6g}" if value % 1 else f"{value:.0f}"


def _table(answered: Sequence[UsualRange]) -> Evidence:
    rows = tuple(
        (
            answer.question.check,
            answer.question.column or None,
            _figure(answer.question.shown(answer.question.now)),
            _figure(answer.question.shown(answer.usual.middle)),
            *(_figure(end) for end in answer.span),
        )
        for answer in answered
    )
    columns = ("number", "column", "now", "middle", "from", "to")
    return Evidence(columns, rows[:EVIDENCE_ROWS], len(rows), title="numbers")


def _top(reader: Reader, found: RelationNumbers, column: str) -> tuple[Evidence, ...]:
    """Return the most frequent values of a column, with their shares of what is new and of what is served."""
    name = quoted(column)
    sql = f"""
        select v, sum(now), sum(served) from (
            select v, share as now, 0 as served from ({_SHARES.format(name=name, part=found.part.sql)}) n
            union all select v, 0, share from ({_SHARES.format(name=name, part=found.part.live)}) s
        ) both_sides group by v order by greatest(sum(now), sum(served)) desc, 1 limit {_TOP}
    """
    try:
        rows = reader.query(sql).rows
    except QueryFailed:
        return ()  # the finding stands without its picture
    told = tuple(
        (None if v is None else str(v), f"{_share(new):.4f}", f"{_share(old):.4f}") for v, new, old in rows
    )
    return (
        Evidence(
            (column, "now", "served"), told, len(told), title=f"values of {column}", bars=("now", "served")
        ),
    )


def _share(value: object) -> float:
    return 0.0 if value is None else float(str(value))
