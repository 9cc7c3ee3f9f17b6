"""The gate that holds every model to its contract: a pandera schema in the data project, against the very rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from prefect_sluice import config
from prefect_sluice.contracts.ask import ContractCode, ContractQueries
from prefect_sluice.contracts.dependencies import ModuleTexts
from prefect_sluice.contracts.measure import MeasureResult, count, failing_rows
from prefect_sluice.contracts.promise import ContractInvalid, MeasureScope, SettledCheck
from prefect_sluice.domain import counting
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict, overall
from prefect_sluice.gates.base import CandidateView, ReleaseView, ToolsView
from prefect_sluice.isolation.sandbox import Rights
from prefect_sluice.warehouse.base import Column, Reader


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """Asks one query per contract, and one more for the rows if any check fails."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "contracts"
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, candidate: CandidateView, tools: ToolsView) -> GateReport:
        """Return one finding per check of each contract of a changed model, and of each contract that a model which did
        not change was never held to. Repeatable."""
        keys = _keys(release)
        nodes = [node for node in _to_ask(release, candidate, tools, keys) if node.contract]
        if not nodes:
            return GateReport(self.id, not_applicable=_nothing(release))
        found = _judge(nodes, release, candidate, ContractCode(release.project, self._rights(release, tools)))
        _remember(tools, keys, found)
        return GateReport(self.id, tuple(finding for findings in found.values() for finding in findings))

    def _rights(self, release: ReleaseView, tools: ToolsView) -> Rights:
        own = Rights((release.root, *tools.readable), tools.variables, required=tools.must_isolate)
        return own.within(self.settings.timeout)


def _nothing(release: ReleaseView) -> str:
    if any(node.contract for node in release.nodes.values()):
        return "no changed model has a contract, and no contract changed"
    return "no model has a contract"


def _to_ask(
    release: ReleaseView, candidate: CandidateView, tools: ToolsView, keys: Mapping[str, str]
) -> Iterator[Node]:
    yield from (release.nodes[uid] for uid in release.changed if uid in release.nodes)
    for uid, key in keys.items():
        known = tools.memory is not None and tools.memory.recall(key) is not None
        if uid in candidate.standing and uid not in release.changed and not known:
            yield release.nodes[uid]


def _keys(release: ReleaseView) -> Mapping[str, str]:
    """Return under what to remember that a relation was held to its contract: what it was built from, and the text."""
    if release.plan is None:
        return {}
    texts = ModuleTexts(release.project)
    return {
        step.node: digest(
            [release.environment, step.node, step.fingerprint, step.inputs, texts.digest(node.contract)]
        )
        for step in release.plan.steps
        if (node := release.nodes.get(step.node)) and node.contract
    }


def _remember(tools: ToolsView, keys: Mapping[str, str], found: Mapping[str, Sequence[Finding]]) -> None:
    for uid, findings in found.items():
        held = overall(each.verdict for each in findings) is Verdict.PASSED
        if held and uid in keys and tools.memory is not None:
            tools.memory.keep(keys[uid], len(findings))


@dataclass(frozen=True, slots=True)
class _Place:
    """One relation under one contract, with everything that a finding about it needs."""

    node: Node
    reader: Reader
    relation: str
    columns: Sequence[Column]

    def finding(self, of: SettledCheck) -> Finding:
        return Finding(
            "contracts", of.check, of.verdict, of.summary, subjects=(self.node.unique_id,), location=of.where
        )


def _judge(
    nodes: Sequence[Node], release: ReleaseView, candidate: CandidateView, code: ContractCode
) -> Mapping[str, Sequence[Finding]]:
    """Return the findings by unique id, in the order of the nodes. All contracts are loaded at once."""
    placed = {node.unique_id: _placed(node, candidate) for node in nodes}
    places = [place for place in placed.values() if isinstance(place, _Place)]
    asked = code.asked_of([(place.node.contract, place.columns) for place in places], release.dialect)
    found = {
        place.node.unique_id: _broken(place.node, each)
        if isinstance(each, ContractInvalid)
        else _findings(each, place)
        for place, each in zip(places, asked, strict=True)
    }
    return {uid: found[uid] if isinstance(place, _Place) else [place] for uid, place in placed.items()}


def _placed(node: Node, candidate: CandidateView) -> _Place | Finding:
    relation = {**candidate.standing, **candidate.relations}.get(node.unique_id)
    if candidate.reader is None or relation is None:
        return _error(node, f"{node.short} is not among the candidate's relations")
    try:
        return _Place(node, candidate.reader, relation, candidate.reader.columns(relation))
    except QueryFailed as error:
        return _error(node, f"{node.short} cannot be read: {error.why}")


def _broken(node: Node, error: ContractInvalid) -> list[Finding]:
    return [_error(node, f"{error.what}; {error.fix}" if error.fix else error.what, error.where)]


def _error(node: Node, what: str, where: str = "") -> Finding:
    named = f"{where}: {what}" if where else what
    return Finding(
        "contracts", node.contract, Verdict.ERRORED, named, subjects=(node.unique_id,), location=where
    )


def _findings(queries: ContractQueries, place: _Place) -> list[Finding]:
    findings = [place.finding(settled) for settled in queries.settled]
    findings.extend(_answered(answer, place) for answer in _answers(queries, place))
    if findings:
        return findings
    empty = SettledCheck(place.node.contract, Verdict.INCONCLUSIVE, "the contract has no column and no check")
    return [place.finding(empty)]


def _answers(queries: ContractQueries, place: _Place) -> list[MeasureResult | SettledCheck]:
    """Return the answers in the order of the contract, those that fail with the rows behind them."""
    answers = list(count(queries, place.reader, place.relation))
    return failing_rows(queries, answers, place.reader, place.relation)


def _answered(answer: MeasureResult | SettledCheck, place: _Place) -> Finding:
    if isinstance(answer, SettledCheck):
        return place.finding(answer)
    if answer.measure.shape is MeasureScope.WHOLE:
        return place.finding(_whole(answer))
    if answer.rows == 0:
        return place.finding(SettledCheck(answer.measure.check, Verdict.INCONCLUSIVE, "no rows to check"))
    if answer.holds is None:
        told = f"{counting.count(answer.rows, 'row')}: {answer.measure.check} is NULL in every one, neither true nor false"
        return place.finding(SettledCheck(answer.measure.check, Verdict.INCONCLUSIVE, told))
    if answer.failing == 0:
        return _counted(answer, place, Verdict.PASSED, counting.count(answer.rows, "row"))
    summary = f"{answer.failing} of {counting.count(answer.rows, 'row')}: {answer.measure.complaint}"
    return _counted(answer, place, answer.measure.failing, summary)


def _whole(answer: MeasureResult) -> SettledCheck:
    measure, said = answer.measure, {True: "true", False: "false", None: "NULL, neither true nor false"}
    verdict = {True: Verdict.PASSED, False: measure.failing, None: Verdict.INCONCLUSIVE}[answer.holds]
    return SettledCheck(
        measure.check,
        verdict,
        f"{counting.count(answer.rows, 'row')}: {measure.check} is {said[answer.holds]}",
    )


def _counted(answer: MeasureResult, place: _Place, verdict: Verdict, summary: str) -> Finding:
    return Finding(
        "contracts",
        answer.measure.check,
        verdict,
        summary,
        subjects=(place.node.unique_id,),
        observed=answer.failing,
        limit=0,
        evidence=answer.evidence,
    )
