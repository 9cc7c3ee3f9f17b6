"""A policy as if it had been released: for tests of what comes after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prefect_sluice import config
from prefect_sluice.config.policy import Governance, policy_in_file
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.state.store import Transaction
from prefect_sluice.workspace.workspace import Workspace


def judge_by(folder: Path, settings: str, environment: str = "prod") -> None:
    """Have what waits for a yes judged by the policy of a sluice.yml: as if that were the one that serves."""
    policy = _policy(folder, settings, environment)
    with Workspace.at(folder).store as store, store.transaction() as transaction:
        for item in transaction.promotions(environment=environment, states=(State.STAGED,)):
            _record(transaction, replace(item, policy=policy))


def put_in_force(folder: Path, settings: str, environment: str = "prod") -> None:
    """Have what serves bring the policy of a sluice.yml, which is written, too."""
    (folder / "sluice.yml").write_text(settings, encoding="utf-8")
    policy = _policy(folder, settings, environment)
    with Workspace.at(folder).store as store, store.transaction() as transaction:
        serving = transaction.served_last(environment, with_policy=True)
        assert serving is not None
        _record(transaction, replace(serving, policy=policy))


def forget_policies(folder: Path) -> None:
    """Have every promotion be as an older Sluice recorded it."""
    with Workspace.at(folder).store as store, store.transaction() as transaction:
        for item in transaction.promotions():
            _record(transaction, replace(item, policy=""))


def _record(transaction: Transaction, promotion: Promotion) -> None:
    """Record a promotion with another policy, and say in the ledger again what was said of it last."""
    transaction.put_promotion(promotion)
    about = [item for item in transaction.entries() if item.facts.get("promotion") == promotion.id]
    last = about[-1:]
    facts = {key: value for key, value in last[-1].facts.items() if key != "policy_digest"} if last else {}
    told: dict[str, Json] = {**facts, **({"policy_digest": promotion.policy} if promotion.policy else {})}
    if last:
        event, environment = last[-1].event, promotion.environment
        transaction.append(event, environment=environment, actor="Ada", facts=told, at=last[-1].at)


def _policy(folder: Path, settings: str, environment: str) -> str:
    rules = policy_in_file(config.parse(settings, "sluice.yml"), environment)
    assert rules is not None
    return Workspace.at(folder).bundles.put_document(Governance(Cause.RELEASE, rules, rules).document())
