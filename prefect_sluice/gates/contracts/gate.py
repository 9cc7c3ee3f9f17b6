"""The gate that holds every model to its contract: a pandera schema in the data project, against the very rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from prefect_sluice import config
from prefect_sluice.contracts.compile import CompiledContract, MeasureScope, SettledCheck, compile_contract
from prefect_sluice.contracts.dependencies import ModuleTexts
from prefect_sluice.contracts.load import ContractInvalid, blame, load_schema, project_modules, ready
from prefect_sluice.contracts.measure import MeasureResult, count, failing_rows
from prefect_sluice.domain import counting
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict, overall
from prefect_sluice.gates.base import CandidateView, ReleaseView, ToolsView
from prefect_sluice.warehouse.base import Reader


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
        missing = ready()
        if missing:
            return GateReport(self.id, (Finding(self.id, "contracts", Verdict.ERRORED, missing),))
        own = [node.contract.partition(":")[0] for node in nodes]
        with project_modules(release.project, own), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandera warns of types that it merely does not list
            found = {node.unique_id: list(_judge(node, release, candidate)) for node in nodes}
        _remember(tools, keys, found)
        return GateReport(self.id, tuple(finding for findings in found.values() for finding in findings))


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
    release: ReleaseView
    reader: Reader
    relation: str

    def finding(self, of: SettledCheck, location: str = "") -> Finding:
        return Finding(
            "contracts", of.check, of.verdict, of.summary, subjects=(self.node.unique_id,), location=location
        )


def _judge(node: Node, release: ReleaseView, candidate: CandidateView) -> Iterable[Finding]:
    def broken(what: str, where: str = "") -> list[Finding]:
        named = f"{where}: {what}" if where else what
        return [
            Finding(
                "contracts", node.contract, Verdict.ERRORED, named, subjects=(node.unique_id,), location=where
            )
        ]

    known = {**candidate.standing, **candidate.relations}
    relation = known.get(node.unique_id)
    if candidate.reader is None or relation is None:
        return broken(f"{node.short} is not among the candidate's relations")
    try:
        schema = load_schema(release.project, node.contract)
        columns = candidate.reader.columns(relation)
        compiled = compile_contract(schema, columns, candidate.reader.dialect)
    except ContractInvalid as error:
        return broken(f"{error.what}; {error.fix}" if error.fix else error.what, error.where)
    except QueryFailed as error:
        return broken(f"{node.short} cannot be read: {error.why}")
    return _findings(compiled, _Place(node, release, candidate.reader, relation))


def _findings(compiled: CompiledContract, place: _Place) -> list[Finding]:
    found = [_settled(each, place) for each in compiled.settled]
    found.extend(_answered(each, place) for each in _answers(compiled, place))
    if found:
        return found
    empty = SettledCheck(place.node.contract, Verdict.INCONCLUSIVE, "the contract has no column and no check")
    return [place.finding(empty)]


def _settled(settled: SettledCheck, place: _Place) -> Finding:
    location = blame(settled.error, place.release.project) if settled.error else ""
    return place.finding(settled, location)


def _answers(compiled: CompiledContract, place: _Place) -> list[MeasureResult | SettledCheck]:
    """Return the answers in the order of the contract, those that fail with the rows behind them."""
    answers = list(count(compiled, place.reader, place.relation))
    wrong = [n for n, each in enumerate(answers) if isinstance(each, MeasureResult) and each.failing]
    if wrong:
        failed = [each for each in answers if isinstance(each, MeasureResult) and each.failing]
        shown = failing_rows(compiled, failed, place.reader, place.relation)
        for n, each in zip(wrong, shown, strict=True):
            answers[n] = each
    return answers


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
