"""Faults that are planted into the engine, to see whether the oracle finds them: one that finds nothing proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prefect_sluice.dbt import implementation
from prefect_sluice.dbt.core.fingerprints import nodes
from prefect_sluice.dbt.core.fingerprints.columns import RelationFingerprint
from prefect_sluice.dbt.core.project import CoreProject
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.gates.base import CandidateView, ReleaseView
from prefect_sluice.gates.data_tests.gate import DataTests
from prefect_sluice.planning import make_plan
from prefect_sluice.warehouse import row_digest


def _no_parents(self: object, columns: object) -> list[str]:
    """What is reused when the code of what it reads changed."""
    return []


def _no_columns(shape: Any) -> Mapping[Name, frozenset[str]]:
    """What is reused when a column that it reads changed."""
    return {name.folded: frozenset() for name in shape.relations}


def _no_new_rows(relation: str, reader: object) -> str:
    """What is reused when there are new rows."""
    return "as ever"


def _no_new_address(*asked: object) -> list[str]:
    """A view goes on reading the relation that its parent served before."""
    return []


def _no_failed_test(self: object, release: ReleaseView, candidate: CandidateView) -> GateReport:
    """What plain dbt would have stopped is published."""
    return GateReport("data_tests", not_applicable="none")


FAULTS: Mapping[str, tuple[object, str, Callable[..., object]]] = {
    "parents": (RelationFingerprint, "of", _no_parents),
    "columns": (nodes, "columns_read", _no_columns),
    "sources": (row_digest, "content", _no_new_rows),
    "views": (make_plan, "_moved", _no_new_address),
    "tests": (DataTests, "check", _no_failed_test),
}
"""Each names the class or module, the function there, and what is put in its stead."""


def plant(fault: str) -> None:
    """Have this process make the mistake, and dbt, which is a process of its own otherwise, answer in it."""
    owner, name, wrong = FAULTS[fault]
    assert callable(getattr(owner, name, None)), f"{owner} has no {name} any more"
    setattr(owner, name, wrong)
    implementation.parse = CoreProject.parsed
