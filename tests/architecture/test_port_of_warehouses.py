"""Where the product knows which engine serves, outside of that engine's folder: a list that may only become shorter.

`python -m pytest tests/architecture/test_port_of_warehouses.py -rP` prints it, with its number.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

import pytest

from prefect_sluice.warehouse.engines import ADAPTERS
from tests.architecture.test_layers import imports, modules, under

PORT = "prefect_sluice.warehouse.base"
FOLDERS = tuple(f"prefect_sluice.warehouse.{name}" for name in ADAPTERS)

_PROFILE = "dbt's profile and session are dbt-duckdb's: they become the engine's own with a second one"
_SQL = (
    "our reading of SQL knows DuckDB's words only: for another engine, less is understood and more is built"
)
LEAKS: Mapping[tuple[str, str], str] = {
    ("prefect_sluice.warehouse.engines", "an engine is imported"): "the catalogue: a row per engine",
    ("prefect_sluice.dbt.core.commands", "a target is a file"): _PROFILE,
    ("prefect_sluice.dbt.core.commands", "an engine is imported"): _PROFILE,
    ("prefect_sluice.dbt.core.side_catalogue", "an engine is imported"): _PROFILE,
    ("prefect_sluice.dbt.core.warehouse_session", "an engine is imported"): _PROFILE,
    **{
        (f"prefect_sluice.{module}", "an engine's SQL is imported"): _SQL
        for module in (
            "dbt.core.fingerprints.ingredients", "dbt.settings", "dbt.texts.template_reads",
            "sql.canonical", "sql.clock_and_chance",
            "sql.countable_tests", "sql.columns.shape", "sql.columns.clauses", "sql.columns.expressions",
            "sql.columns.from_clause", "sql.columns.understood", "sql.duckdb_functions", "sql.side_effects", "sql.only_computes",
        )
    },
}  # fmt: skip
"""Module and leak, with the reason why it is still there. What is no leak any more must go from here."""


def leaks(module: str, source: str) -> Iterator[str]:
    """Yield what a module, by its text, knows of the engine."""
    if under(module, FOLDERS):
        return
    tree = ast.parse(source)
    for found in imports(tree):
        parts = found.target.split(".")
        adapter = parts[:2] == ["dbt", "adapters"] and parts[2:3] != ["base"]  # the base is that of all
        if under(found.target, FOLDERS) or parts[0] in ADAPTERS or adapter:
            yield "an engine is imported"
        if parts[:2] == ["prefect_sluice", "sql"] and any(
            parts[2].startswith(f"{name}_") for name in ADAPTERS
        ):
            yield "an engine's SQL is imported"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "path" and _is_target(node.value):
            yield "a target is a file"
        if module == PORT and isinstance(node, ast.Name) and node.id == "Path":
            yield "a Path"


def _is_target(node: ast.expr) -> bool:
    return ast.unparse(node).rpartition(".")[2] == "target"


def test_the_list_of_leaks_is_what_there_is() -> None:
    found = {(module, leak) for module, path in modules().items() for leak in leaks(module, path.read_text())}
    for (module, leak), why in sorted(LEAKS.items()):
        print(f"{module}: {leak} ({why})")
    print(f"{len(LEAKS)} leaks of the port of warehouses")
    assert found - LEAKS.keys() == set(), "ask the port instead, or say here why that cannot be yet"
    assert LEAKS.keys() - found == set(), "it is no leak any more: take its row away"


@pytest.mark.parametrize(
    ("module", "source", "leak"),
    [
        ("prefect_sluice.stages.deploy", "import duckdb", "an engine is imported"),
        (
            "prefect_sluice.stages.deploy",
            "def f():\n    from prefect_sluice.warehouse.duckdb.warehouse import DuckDB\n",
            "an engine is imported",
        ),
        ("prefect_sluice.dbt.core.nodes", "import dbt.adapters.duckdb.impl", "an engine is imported"),
        (
            "prefect_sluice.gates.parity.gate",
            "from prefect_sluice.sql.duckdb_keywords import listed",
            "an engine's SQL is imported",
        ),
        ("prefect_sluice.stages.deploy", "environment.target.path.exists()", "a target is a file"),
        ("prefect_sluice.dbt.core.nodes", "def f(target):\n    return target.path\n", "a target is a file"),
        (PORT, "def seal(side: Path) -> None: ...", "a Path"),
    ],
)
def test_a_planted_leak_is_found(module: str, source: str, leak: str) -> None:
    assert list(leaks(module, source)) == [leak]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "prefect_sluice.warehouse.duckdb.reader",
            "import duckdb\nfrom prefect_sluice.warehouse import base",
        ),
        ("prefect_sluice.stages.deploy", "environment.database.exists()\ncontrol.target\nself.path"),
        ("prefect_sluice.stages.deploy", "from pathlib import Path\nfolder: Path"),
    ],
)
def test_what_is_no_leak_is_let_through(module: str, source: str) -> None:
    assert list(leaks(module, source)) == []
