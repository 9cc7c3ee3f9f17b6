"""The gate that holds every changed model to its contract: a pandera.ibis schema in the data project."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from prefect_sluice import config
from prefect_sluice.contracts.compile import Compiled, Settled, Shape, compile_contract
from prefect_sluice.contracts.load import ContractInvalid, blame, first_line, load_schema, project_modules
from prefect_sluice.contracts.measure import Counted, all_duplicates, count, failing_rows
from prefect_sluice.errors import QueryFailed
from prefect_sluice.gates.base import Needs, Subject
from prefect_sluice.node import Node
from prefect_sluice.verdict import Evidence, Finding, GateReport, Verdict
from prefect_sluice.warehouse.base import Reader


class Settings(config.Gate):
    """What sluice.yml may say of it."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """Asks one query per contract, and one more for each check that fails."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "contracts"
    needs: ClassVar[Needs] = Needs.CANDIDATE
    Settings: ClassVar[type[config.Gate]] = Settings

    def check(self, subject: Subject) -> GateReport:
        """Return one finding per check of each contract of a changed model. Repeatable."""
        changed = (subject.nodes[each] for each in subject.changed if each in subject.nodes)
        nodes = [node for node in changed if node.contract]
        if not nodes:
            return GateReport(self.id, not_applicable="no changed model has a contract")
        missing = _missing_extra()
        if missing:
            return GateReport(self.id, (Finding(self.id, "contracts", Verdict.ERRORED, missing),))
        own = [node.contract.partition(":")[0] for node in nodes]
        with project_modules(subject.project, own), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandera warns of types that it merely does not list
            return GateReport(self.id, tuple(each for node in nodes for each in _judge(node, subject)))


def _missing_extra() -> str:
    try:
        importlib.import_module("pandera.ibis")
        # Until the backends are registered, built-in checks do not know Ibis.
        importlib.import_module("pandera.backends.ibis.register").register_ibis_backends()
    except ImportError as error:
        return (
            f"contracts need pandera and Ibis ({first_line(error)}): pip install 'prefect-sluice[contracts]'"
        )
    return ""


@dataclass(frozen=True, slots=True)
class _Place:
    """One relation under one contract, with everything that a finding about it needs."""

    node: Node
    subject: Subject
    reader: Reader
    relation: str

    def finding(self, of: Settled, location: str = "") -> Finding:
        return Finding(
            "contracts", of.check, of.verdict, of.summary, subject=self.node.unique_id, location=location
        )


def _judge(node: Node, subject: Subject) -> Iterable[Finding]:
    def broken(what: str, where: str = "") -> list[Finding]:
        named = f"{where}: {what}" if where else what
        return [
            Finding(
                "contracts", node.contract, Verdict.ERRORED, named, subject=node.unique_id, location=where
            )
        ]

    relation = subject.candidate_relations.get(node.unique_id)
    if subject.candidate is None or relation is None:
        return broken(f"{node.short} is not among the candidate's relations")
    try:
        schema = load_schema(subject.project, node.contract)
        columns = subject.candidate.columns(relation)
        compiled = compile_contract(schema, columns, subject.candidate.dialect)
    except ContractInvalid as error:
        return broken(f"{error.what}; {error.fix}" if error.fix else error.what, error.where)
    except QueryFailed as error:
        return broken(f"{node.short} cannot be read: {error.why}")
    return _findings(compiled, _Place(node, subject, subject.candidate, relation))


def _findings(compiled: Compiled, place: _Place) -> list[Finding]:
    found = [_settled(each, place) for each in compiled.settled]
    found.extend(_answered(compiled, place))
    if found:
        return found
    empty = Settled(place.node.contract, Verdict.INCONCLUSIVE, "the contract has no column and no check")
    return [place.finding(empty)]


def _settled(settled: Settled, place: _Place) -> Finding:
    location = blame(settled.error, place.subject.project) if settled.error else ""
    return place.finding(settled, location)


def _answered(compiled: Compiled, place: _Place) -> Iterator[Finding]:
    for answer in count(compiled, place.reader, place.relation):
        if isinstance(answer, Settled):
            yield place.finding(answer)
        elif answer.measure.shape is Shape.WHOLE:
            yield place.finding(_whole(answer))
        elif answer.rows == 0:
            yield place.finding(Settled(answer.measure.check, Verdict.INCONCLUSIVE, "no rows to check"))
        elif answer.failing == 0:
            yield _counted(answer, place, Verdict.PASSED, f"{answer.rows} rows")
        else:
            yield _failed(compiled, answer, place)


def _whole(answer: Counted) -> Settled:
    measure, said = answer.measure, {True: "true", False: "false", None: "NULL, neither true nor false"}
    verdict = {True: Verdict.PASSED, False: measure.failing, None: Verdict.INCONCLUSIVE}[answer.holds]
    return Settled(measure.check, verdict, f"{answer.rows} rows: {measure.check} is {said[answer.holds]}")


def _failed(compiled: Compiled, answer: Counted, place: _Place) -> Finding:
    """Fetch the rows behind a failure. If they cannot be had, the failure stands without them."""
    measure = answer.measure
    try:
        if measure.shape is Shape.DUPLICATES and not measure.surplus_only:
            all_of_them = all_duplicates(compiled, measure, place.reader, place.relation)
            answer = Counted(measure, answer.rows, all_of_them, holds=False)
        evidence = failing_rows(compiled, answer, place.reader, place.relation)
    except QueryFailed:
        evidence = None
    summary = f"{answer.failing} of {answer.rows} rows: {measure.complaint}"
    return _counted(answer, place, measure.failing, summary, evidence)


def _counted(
    answer: Counted, place: _Place, verdict: Verdict, summary: str, evidence: Evidence | None = None
) -> Finding:
    return Finding(
        "contracts",
        answer.measure.check,
        verdict,
        summary,
        subject=place.node.unique_id,
        observed=answer.failing,
        limit=0,
        evidence=evidence,
    )
