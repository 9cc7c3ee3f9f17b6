"""A policy as if it had been released: for tests of what comes after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prefect_sluice import config
from prefect_sluice.generation import Cause
from prefect_sluice.promotion import State
from prefect_sluice.rules import Governance, written
from prefect_sluice.workshop import Workshop


def judge_by(folder: Path, settings: str, environment: str = "prod") -> None:
    """Have what waits for a yes judged by the policy of a sluice.yml: as if that were the one that serves."""
    with Workshop.at(folder).store as store, store.transaction() as transaction:
        policy = _policy(folder, settings, environment)
        for item in store.promotions(environment=environment, states=(State.STAGED,)):
            transaction.put_promotion(replace(item, policy=policy))


def put_in_force(folder: Path, settings: str, environment: str = "prod") -> None:
    """Have what serves bring the policy of a sluice.yml, which is written, too."""
    (folder / "sluice.yml").write_text(settings, encoding="utf-8")
    with Workshop.at(folder).store as store:
        serving = store.served_last(environment, with_policy=True)
        assert serving is not None
        with store.transaction() as transaction:
            transaction.put_promotion(replace(serving, policy=_policy(folder, settings, environment)))


def _policy(folder: Path, settings: str, environment: str) -> str:
    rules = written(config.parse(settings, "sluice.yml"), environment)
    assert rules is not None
    return Workshop.at(folder).bundles.put_document(Governance(Cause.RELEASE, rules, rules).document())
