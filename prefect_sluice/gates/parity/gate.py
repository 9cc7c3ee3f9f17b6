"""The gate `parity`: an environment that differs from the one a release was proven in proves less."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.domain.build_conditions import (
    ABSENT,
    GROUPS,
    ConditionDifference,
    ConditionsBefore,
    differences,
)
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict, WayPast
from prefect_sluice.gates.base import ReleaseView, ToolsView
from prefect_sluice.warehouse.engines import LIBRARIES

_ID = "parity"
_ONE_BY_ONE = 20
"""So many differences of a group have a finding each; the rest are told together."""


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""

    known: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict[str, str],
        description="Differences that are meant, by their name (* and ? stand for any), each with its reason.",
    )
    strict: bool = Field(
        default=False, description="Whether a difference that is not known holds the release."
    )


@dataclass(frozen=True, slots=True)
class Parity:
    """Lists what differs between the environment that a release served in before and the one it goes to.

    Grants are no part of it: DuckDB has none.
    """

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = _ID
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, tools: ToolsView) -> GateReport:
        """Return a finding per difference, and one per group of facts in which there is none. Repeatable."""
        proven = tools.conditions()
        if isinstance(proven, str):
            return GateReport(_ID, not_applicable=proven)
        return GateReport(_ID, tuple(self._findings(release, proven)))

    def _findings(self, release: ReleaseView, proven: ConditionsBefore) -> Iterator[Finding]:
        found = list(differences(proven.before, proven.here))
        for group, words in GROUPS.items():
            where = _where_unknown(group, release, proven)
            if where:
                yield _unknown(group, words, *where)
                continue
            of_group = [item for item in found if item.group == group]
            for item in of_group[:_ONE_BY_ONE]:
                yield self._difference_finding(item, release, proven)
            if of_group[_ONE_BY_ONE:]:
                yield self._together(group, of_group[_ONE_BY_ONE:], release, proven)
            facts = proven.here.facts.get(group, {})
            if not of_group and facts:
                summary = f"{words}: the same as in {proven.environment}"
                yield Finding(_ID, group, Verdict.PASSED, summary, observed=len(facts))
        for note in proven.notes:
            yield Finding(_ID, "as of then", Verdict.WARNED, note)

    def _difference_finding(
        self, item: ConditionDifference, release: ReleaseView, proven: ConditionsBefore
    ) -> Finding:
        verdict, reason = self._verdict(item)
        summary = f"{item.key} {_sides(item, proven.environment, release.environment)}"
        return Finding(
            _ID,
            item.key,
            verdict,
            f"{summary} (known: {reason})" if reason else summary,
            tuple(_readers(item, release, proven)),
            fix="" if reason else _fix(item),
            way_past=WayPast.UNSAID if reason else WayPast.NAMED,
        )

    def _together(
        self, group: str, items: Sequence[ConditionDifference], release: ReleaseView, proven: ConditionsBefore
    ) -> Finding:
        worst = max(self._verdict(item)[0] for item in items)
        rows = tuple((item.name, item.before, item.here) for item in items[:EVIDENCE_ROWS])
        return Finding(
            _ID,
            group,
            worst,
            f"{count(len(items), 'more difference')} in {GROUPS[group]}",
            observed=len(items),
            evidence=Evidence(("what", proven.environment, release.environment), rows, len(items)),
        )

    def _verdict(self, item: ConditionDifference) -> tuple[Verdict, str]:
        """Return what a difference means, and the reason for which it is known."""
        known = self.settings.known.items()
        reason = next((reason for pattern, reason in known if fnmatchcase(item.key, pattern)), "")
        if reason:
            return Verdict.PASSED, reason
        return Verdict.FAILED if self.settings.strict or _is_fatal(item) else Verdict.WARNED, ""


def _is_fatal(item: ConditionDifference) -> bool:
    """Say whether a release cannot be good here as it was there: another generation of the engine, a source that is not here."""
    if item.group == "tools":
        return item.name in LIBRARIES and _major(item.before) != _major(item.here)
    return item.group == "sources" and item.before == "there" and item.here == ABSENT


def _major(version: str) -> str:
    return re.split(r"[.+-]", version)[0]


def _sides(item: ConditionDifference, before: str, here: str) -> str:
    if item.here == ABSENT:
        return f"is not in {here}, and is {item.before} in {before}"
    if item.before == ABSENT:
        return f"is {item.here} in {here}, and is not in {before}"
    return f"is {item.here} in {here}, and {item.before} in {before}"


def _fix(item: ConditionDifference) -> str:
    what = "load it here as it is there" if item.group == "sources" else "make both the same"
    return f"{what}, or say that it is meant: gates.parity.known: {{{item.key}: why}}"


def _readers(item: ConditionDifference, release: ReleaseView, proven: ConditionsBefore) -> list[str]:
    """Return the nodes that read the source that differs."""
    if item.group != "sources":
        return []
    relations = proven.here.relations
    name = relations.get(item.name) or relations.get(item.name.rpartition(".")[0]) or ""
    return [
        uid
        for uid, node in release.nodes.items()
        if any(str(source).lower() == name.lower() for source in node.sources)
    ]


def _where_unknown(group: str, release: ReleaseView, proven: ConditionsBefore) -> tuple[str, str] | None:
    sides = ((proven.environment, proven.before), (release.environment, proven.here))
    return next(((name, side.unknown[group]) for name, side in sides if group in side.unknown), None)


def _unknown(group: str, words: str, environment: str, why: str) -> Finding:
    return Finding(
        _ID,
        group,
        Verdict.INCONCLUSIVE,
        f"{words} in {environment} are not known: {why}",
        fix="run it again when that is mended (what was not recorded is with the next release or refresh there), "
        "or let it pass this once: gates: {parity: {on: warn}}",
        way_past=WayPast.LINES,
    )
