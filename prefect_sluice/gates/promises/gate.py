"""The gate `promises`: what contracts say, before anything is built. Each belongs to a model, loads, fits and is no weaker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from prefect_sluice import config
from prefect_sluice.contracts.ask import losses_of
from prefect_sluice.contracts.find import UnboundContract, bind, find
from prefect_sluice.contracts.previous import CheckoutContracts, Contract, PreviousContracts
from prefect_sluice.contracts.promise import ContractInvalid
from prefect_sluice.contracts.weakened import Loss
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.declarations import Declarations, NodeDescription
from prefect_sluice.domain.node import Node, short_name
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict, WayPast
from prefect_sluice.gates.base import DeclarationsView, ReleaseView, ToolsView
from prefect_sluice.gates.build.gate import first_line
from prefect_sluice.gates.dbt_contracts import is_of_a_contract, lost_constraints, mismatches, table
from prefect_sluice.gates.unknown_declarations import undeclared
from prefect_sluice.isolation.sandbox import Rights

_ID = "promises"
_DECLARE = "keep the promise, or declare that it is given up: gates.promises.except in sluice.yml"


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""


@dataclass(frozen=True, slots=True)
class Promises:
    """Compares contracts with those of the release that serves, and has dbt hold its own ones against empty relations."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = _ID
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, declarations: DeclarationsView, tools: ToolsView) -> GateReport:
        """Return the findings: contracts of no model, those that do not load or fit, and all that is promised no longer."""
        findings = (
            *_strays(release),
            *_of_dbt(release, declarations, tools),
            *_of_pandera(release, declarations, tools),
        )
        if not findings:
            return GateReport(self.id, not_applicable="no model has a contract")
        return GateReport(self.id, findings)


def _strays(release: ReleaseView) -> Iterator[Finding]:
    bound = bind(find(release.project), release.nodes)
    for stray in bound.strays:
        yield Finding(
            _ID,
            "belongs to a model",
            Verdict.FAILED if stray.said else Verdict.WARNED,
            _unbound_text(stray),
            tuple(stray.nodes),
            location=stray.location,
            fix=stray.fix,
        )


def _unbound_text(stray: UnboundContract) -> str:
    return f"{stray.reference} is held against nothing: {stray.why}"


# --- dbt's own contracts ---


def _of_dbt(release: ReleaseView, declarations: DeclarationsView, tools: ToolsView) -> Iterator[Finding]:
    yield from _dbt_weaker(release, declarations)
    wanted = [uid for uid in release.changed if _enforced(release, declarations, uid)]
    if not wanted:
        return
    answers = {result.unique_id: result for result in tools.without_rows(wanted)}
    for uid in wanted:
        yield from _fits(uid, answers.get(uid), declarations.now.described[uid])


def _enforced(release: ReleaseView, declarations: DeclarationsView, uid: str) -> bool:
    described, node = declarations.now.described.get(uid), release.nodes.get(uid)
    return bool(described and described.enforced and node and node.language == "sql")


def _fits(uid: str, result: NodeResult | None, described: NodeDescription) -> Iterator[Finding]:
    if result is not None and result.ok:
        told = f"{count(len(described.types), 'column is', 'columns are')} as dbt's contract says"
        yield Finding(_ID, "dbt contract", Verdict.PASSED, told, (uid,), observed=0, limit=0)
        return
    message = result.message if result else "dbt did not get to it"
    found = mismatches(message)
    for each in found:
        yield Finding(
            _ID,
            f"{each.column} as declared",
            Verdict.FAILED,
            f"{short_name(uid)}: {each}",
            (uid,),
            location=result.path if result else "",
            evidence=table(found),
            fix="mend the model's SQL (cast the column), or its properties (data_type)",
        )
    if not found and is_of_a_contract(message):
        yield Finding(_ID, "dbt contract", Verdict.FAILED, first_line(message), (uid,))
    elif not found:
        # Some models cannot be built without rows; dbt holds them to their contract when they are built.
        told = f"not known before it is built: {first_line(message)}"
        yield Finding(_ID, "dbt contract", Verdict.WARNED, told, (uid,))


def _dbt_weaker(release: ReleaseView, declarations: DeclarationsView) -> Iterator[Finding]:
    yield from undeclared(
        _ID, release, declarations, "whether dbt's contracts promise less than before cannot be told"
    )
    before = declarations.before or Declarations()
    compared = 0
    for uid, former in before.described.items():
        now = declarations.now.described.get(uid)
        if now is None or not former.enforced:
            continue
        compared += 1
        for column, what in lost_constraints(former, now):
            yield _weaker(
                declarations, uid, Loss(column, what), release.nodes[uid].path if uid in release.nodes else ""
            )
    if compared:
        told = f"{count(compared, 'contract')} compared with what serves"
        yield Finding(_ID, "dbt contracts compared", Verdict.PASSED, told)


# --- pandera's ---


def _of_pandera(release: ReleaseView, declarations: DeclarationsView, tools: ToolsView) -> Iterator[Finding]:
    rights = Rights(tools.readable, tools.variables, required=tools.must_isolate)
    repository = release.change.root if release.change else release.project.joinpath
    known = CheckoutContracts(release.project, tools.memory, rights, repository)
    now = known.contracts({uid: node.contract for uid, node in release.nodes.items() if node.contract})
    if release.plan is not None and now:
        known.remember(_kept_as(release, release.plan.release), now)
    for uid, contract in now.items():
        if contract.document is None:
            yield Finding(_ID, "loads", Verdict.ERRORED, contract.why, (uid,), location=contract.where)
    if any(contract.document is not None for contract in now.values()):
        loaded = sum(contract.document is not None for contract in now.values())
        yield Finding(_ID, "load", Verdict.PASSED, count(loaded, "contract"), observed=loaded)
    if release.plan is not None and release.plan.base_release:
        yield from _compared(release, declarations, now, _former(release, declarations, tools, known))


def _former(
    release: ReleaseView, declarations: DeclarationsView, tools: ToolsView, known: CheckoutContracts
) -> Mapping[str, Contract]:
    assert release.plan is not None
    described = declarations.before.described if declarations.before else None
    former = PreviousContracts(known, _kept_as(release, release.plan.base_release), tools.earlier)
    found = former.contracts(
        release.nodes,
        {uid: item.contract for uid, item in described.items()} if described is not None else None,
    )
    ids = release.plan.notes.new_ids
    return {ids.get(uid, uid): contract for uid, contract in found.items()}


def _kept_as(release: ReleaseView, digest: str) -> str:
    # By environment: which models there are may hang on the target.
    return f"{release.environment} {digest}"


def _compared(
    release: ReleaseView,
    declarations: DeclarationsView,
    now: Mapping[str, Contract],
    before: Mapping[str, Contract],
) -> Iterator[Finding]:
    compared = 0
    for uid, former in before.items():
        if uid not in release.nodes:
            continue  # the model went, and its promise with it: what that breaks is another gate's to say
        found = list(_one(declarations, release.nodes[uid], former, now.get(uid)))
        compared += former.document is not None and uid in now and not found
        yield from found
    if compared:
        told = count(compared, "contract promises what it did", "contracts promise what they did")
        yield Finding(_ID, "no weaker", Verdict.PASSED, told)


def _one(
    declarations: DeclarationsView, node: Node, former: Contract, now: Contract | None
) -> Iterator[Finding]:
    where = former.reference.partition(":")[0].replace(".", "/") + ".py"
    if now is None:
        gone = Loss("", f"has no contract now; it had {former.reference}")
        yield _weaker(declarations, node.unique_id, gone, where)
    elif former.key == now.key:
        return
    elif former.document is None:
        yield _not_told(node, former.why, where)
    elif now.document is not None:
        lost = losses_of(former.document, now.document)
        if isinstance(lost, ContractInvalid):
            yield _not_told(node, lost.what, where)
        else:
            yield from (_weaker(declarations, node.unique_id, loss, where) for loss in lost)


def _not_told(node: Node, why: str, where: str) -> Finding:
    told = f"whether it promises less than before cannot be told: {why}"
    return Finding(
        _ID, "no weaker", Verdict.INCONCLUSIVE, told, (node.unique_id,), location=where,
        fix="compare by hand, then let it pass once: gates.promises.except in sluice.yml",
        way_past=WayPast.NAMED,
    )  # fmt: skip


def _weaker(declarations: DeclarationsView, uid: str, loss: Loss, where: str) -> Finding:
    named = f"{short_name(uid)}.{loss.where}" if loss.where else short_name(uid)
    readers = [
        consumer.name
        for consumer in declarations.now.consumers.values()
        if uid in consumer.parents and loss.where in ("", *consumer.columns.get(uid, (loss.where,)))
    ]
    whom = f" ({', '.join(sorted(readers))})" if readers else ""
    tail = f": breaking for consumers{whom}" if loss.sure else ""
    return Finding(
        _ID,
        f"weaker {loss.where}".strip(),
        Verdict.FAILED if loss.sure else Verdict.WARNED,
        f"{named} {loss.what}{tail}",
        (uid,),
        location=where,
        fix=_DECLARE,
        way_past=WayPast.NAMED,
    )
