"""Faults that are planted into the engine, to see whether the oracle finds them: one that finds nothing proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from prefect_sluice.domain.node import Name
from prefect_sluice.domain.verdict import GateReport


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


def _no_failed_test(self: object, subject: object) -> GateReport:
    """What plain dbt would have stopped is published."""
    return GateReport("data_tests", not_applicable="none")


FAULTS = {
    "parents": ("prefect_sluice.dbt.fingerprints.columns", "Print.of", _no_parents),
    "columns": ("prefect_sluice.dbt.fingerprints.nodes", "columns_read", _no_columns),
    "sources": ("prefect_sluice.warehouse.row_digest", "content", _no_new_rows),
    "views": ("prefect_sluice.planning.plan", "_moved", _no_new_address),
    "tests": ("prefect_sluice.gates.data_tests.gate", "DataTests.check", _no_failed_test),
}


def plant(fault: str) -> None:
    """Have this process make the mistake."""
    module, name, wrong = FAULTS[fault]
    place: Any = import_module(module)
    *classes, last = name.split(".")
    for each in classes:
        place = getattr(place, each)
    assert hasattr(place, last), f"{module}.{name} is no more"
    setattr(place, last, wrong)
