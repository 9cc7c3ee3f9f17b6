"""The gate that holds a model to what it cost before: seconds, rows and bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated, ClassVar, Literal, cast

from pydantic import AfterValidator, Field

from prefect_sluice import config
from prefect_sluice.domain.counting import count, noun
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Measure, Verdict, WayPast
from prefect_sluice.gates.base import CandidateView, History, PastMeasure, ReleaseView, ToolsView
from prefect_sluice.gates.budget import measure
from prefect_sluice.gates.statistics import scale
from prefect_sluice.warehouse.engines import ENGINES

_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SPREADS = 6
"""So many times its own spread, a number that scatters may leave its median."""


def parse_bytes(value: float | str) -> float:
    """Read `5GB`, `1.5 MB` or a number of bytes. Raises ValueError for a text that is neither."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?B)?\s*", value.upper())
    if not match:
        raise ValueError(f"{value!r} is no size: write it as 500MB, 5GB or a number of bytes")
    return float(match[1]) * _BYTES[match[2] or "B"]


def _limits(told: Mapping[str, float | str]) -> Mapping[str, float]:
    read = {
        word: parse_bytes(value) if word == "bytes" else _number(word, value) for word, value in told.items()
    }
    if any(not value >= 0 for value in read.values()):
        raise ValueError("a limit is not negative")
    return read


def _number(word: str, value: float | str) -> float:
    if isinstance(value, str):
        raise ValueError(f"{word}: {value!r} is no number")
    return value


Limits = Annotated[dict[Literal["seconds", "rows", "bytes"], float | str], AfterValidator(_limits)]


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""

    max_seconds_ratio: float = Field(
        default=5, gt=1, description="How many times its usual seconds a model may take."
    )
    max_rows_ratio: float = Field(
        default=5,
        gt=1,
        description="How many times its usual rows a model may have, or how many times fewer.",
    )
    max_bytes_ratio: float = Field(
        default=5, gt=1, description="How many times its usual bytes a model may take."
    )
    slow: Literal["warn", "fail"] = Field(
        default="warn", description="What too many seconds are, where everything else is good."
    )
    history: int = Field(default=20, ge=1, le=60, description="How many of the last served builds count.")
    minimum: int = Field(default=3, ge=1, description="How many there must be before a model is judged.")
    models: dict[str, Limits] = Field(
        default_factory=dict[str, Limits],
        description="Limits of single models, by name or unique id: seconds, rows, bytes (500MB); each stands in place "
        "of the ratio.",
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """One number of a model beside those before. `least` is None where only too much can be wrong."""

    metric: str
    now: float
    most: float
    least: float | None
    past: tuple[float, ...] = ()

    @property
    def over(self) -> bool:
        return self.now > self.most or (self.least is not None and self.now < self.least)


_FLOORS = {"seconds": 5.0, "rows": 1000.0, "bytes": 16e6}
"""A number below this is never too much: 0.05 s that become 0.5 s are nobody's trouble."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Compares what each changed relation costs with what it cost before, and with limits of its own."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "budget"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, candidate: CandidateView, tools: ToolsView) -> GateReport:
        """Return a finding for each number over its budget, and one for each other model that has one. Repeatable."""
        relations = {
            uid: candidate.relations[uid]
            for uid in release.changed
            if uid in release.nodes and uid in candidate.relations
        }
        if candidate.reader is None or not relations:
            return GateReport(self.id, not_applicable="nothing was built")
        counted, broken = measure.rows(candidate.reader, relations)
        numbers: dict[tuple[str, str], float] = {(uid, "rows"): rows for uid, rows in counted.items()}
        engine = ENGINES.get(candidate.reader.dialect)
        sizes = engine.sizes(candidate.reader, relations) if engine else {}
        numbers |= {(uid, "bytes"): size for uid, size in sizes.items()}
        numbers |= measure.seconds(release, candidate, relations)
        findings = [
            *self._unknown(release.nodes),
            *(_unread(release.nodes[uid], why) for uid, why in broken.items()),
            *self._emptied(release, candidate, tools, counted),
            *self._all(release, tools, numbers),
        ]
        measures = tuple(Measure(uid, metric, value) for (uid, metric), value in numbers.items())
        if not findings:
            few = f"no model here has {count(self.settings.minimum, 'earlier build')} to compare with"
            return GateReport(self.id, not_applicable=few, measures=measures)
        return GateReport(self.id, tuple(findings), measures=measures)

    def _unknown(self, nodes: Mapping[str, Node]) -> Iterable[Finding]:
        names = {*nodes, *(node.short for node in nodes.values())}
        for name in self.settings.models:
            if name not in names:
                summary = f"there is no model {name!r} to hold to its limits"
                fix = f"mend gates.budget.models.{name} in {config.FILE}"
                yield Finding(
                    self.id, "limits", Verdict.INCONCLUSIVE, summary, fix=fix, way_past=WayPast.NAMED
                )

    def _emptied(
        self, release: ReleaseView, candidate: CandidateView, tools: ToolsView, counted: Mapping[str, int]
    ) -> Iterable[Finding]:
        empty = {uid for uid, count in counted.items() if not count}
        served = {uid: candidate.live[uid] for uid in empty if uid in candidate.live}
        assert candidate.reader is not None
        before = measure.rows(candidate.reader, served)[0] if served else {}
        for uid in (uid for uid in counted if uid in empty):
            usual = median(self._past(tools.history, uid, "rows") or [0])
            had = before.get(uid) or (usual if uid not in before else 0)
            if had:
                node = release.nodes[uid]
                yield Finding(
                    self.id, "empty", Verdict.FAILED, f"{node.short} has no rows; it had {_whole(had)}", (uid,),
                    location=node.path, observed=0, limit=1, fix=f"look at what {node.short} reads, and at its filters",
                )  # fmt: skip

    def _all(
        self, release: ReleaseView, tools: ToolsView, numbers: Mapping[tuple[str, str], float]
    ) -> Iterable[Finding]:
        by_node: dict[str, list[_Judged]] = {}
        for (uid, metric), now in numbers.items():
            judged = self._compare_metric(release, tools, uid, metric, now)
            if judged is not None:
                by_node.setdefault(uid, []).append(judged)
        for uid in (uid for uid in release.changed if uid in by_node):
            over = [item for item in by_node[uid] if item.over]
            node = release.nodes[uid]
            if over:
                yield from (self._over(node, item, by_node[uid]) for item in over)
            else:
                told = ", ".join(_metric_text(item.metric, item.now) for item in by_node[uid])
                yield Finding(
                    self.id, "within", Verdict.PASSED, f"{node.short}: {told}, within its budget", (uid,),
                    evidence=_table(by_node[uid]),
                )  # fmt: skip

    def _compare_metric(
        self, release: ReleaseView, tools: ToolsView, uid: str, metric: str, now: float
    ) -> _Judged | None:
        word = metric.split()[0]
        if word == "rows" and not now:
            return None  # an empty relation is a question of its own
        past = self._past(tools.history, uid, metric)
        own = self._limits(release.nodes[uid]).get(word)
        if own is not None:
            return _Judged(metric, now, own, None, past)
        if len(past) < self.settings.minimum:
            return None
        ratio: float = getattr(self.settings, f"max_{word}_ratio")
        middle, room = median(past), _SPREADS * scale(past)
        most = max(middle * ratio, middle + room, _FLOORS[word])
        shrinks = word == "rows" and middle >= _FLOORS[word]
        return _Judged(metric, now, most, min(middle / ratio, middle - room) if shrinks else None, past)

    def _limits(self, node: Node) -> Mapping[str, float]:
        models = self.settings.models
        # Read as numbers by then, which the type of what may be written does not say.
        return cast(Mapping[str, float], models.get(node.unique_id) or models.get(node.short) or {})

    def _past(self, history: History | None, uid: str, metric: str) -> tuple[float, ...]:
        found: Sequence[PastMeasure] = history.of(uid, metric) if history else ()
        return tuple(item.value for item in found[: self.settings.history])

    def _over(self, node: Node, item: _Judged, numbers: Sequence[_Judged]) -> Finding:
        word = item.metric.split()[0]
        less = item.least is not None and item.now < item.least
        limit = item.least if less else item.most
        assert limit is not None
        before = f", usually {_metric_text(item.metric, median(item.past))}" if item.past else ""
        bound = f"{'at least' if less else 'at most'} {_metric_text(item.metric, limit)}"
        slow = word == "seconds" and self.settings.slow == "warn"
        return Finding(
            self.id, word, Verdict.WARNED if slow else Verdict.FAILED,
            f"{node.short}: {_metric_text(item.metric, item.now)}{before} ({bound})",
            (node.unique_id,), observed=item.now, limit=limit, location=node.path, evidence=_table(numbers),
            fix=f"if it is meant: gates.budget.models: {{{node.short}: {{{word}: …}}}}, or an exception with its last day",
            way_past=WayPast.NAMED,
        )  # fmt: skip


def _unread(node: Node, why: str) -> Finding:
    return Finding(
        Budget.id, "rows", Verdict.ERRORED, f"{node.short} cannot be counted: {why}", (node.unique_id,)
    )


def _table(numbers: Sequence[_Judged]) -> Evidence:
    rows = tuple(
        (
            item.metric,
            _plain(item.now),
            *((_plain(median(item.past)), _plain(min(item.past)), _plain(max(item.past))) if item.past else (None,) * 3),
            _plain(item.most),
            str(len(item.past)),
        )
        for item in numbers
    )  # fmt: skip
    return Evidence(("number", "now", "median", "lowest", "highest", "limit", "builds"), rows, len(rows))


def _plain(value: float) -> str:
    return f"{value:.2f}" if value < 1000 and value % 1 else _whole(value)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _metric_text(metric: str, value: float) -> str:
    word = metric.split()[0]
    if word == "seconds":
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    if word == "rows":
        return f"{_whole(value)} {noun(round(value), 'row')}"
    for unit in ("TB", "GB", "MB", "KB"):
        if value >= _BYTES[unit]:
            return f"{value / _BYTES[unit]:.1f} {unit}"
    return f"{value:.0f} B"
