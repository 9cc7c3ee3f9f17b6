"""An engine's SQL stands in its folder: all else asks `warehouse.functions` for what engines spell differently.

`sql/` reads DuckDB's SQL by decision (docs/decisions/0013), and `dbt/` runs dbt-duckdb.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOMES = tuple(f"prefect_sluice/{home}/" for home in ("warehouse/duckdb", "warehouse/postgres", "sql", "dbt"))
ENGINES_OWN = re.compile(
    r"""
      \bu?hugeint\b | \border\ by\ all\b | \bcolumns\(\* | \bcurrent_database\(\) | \bapprox_count_distinct\b
    | \b(?:duckdb|pragma)_\w+ | ^duckdb$ | \bdbt-duckdb\b | ::\s*(?:varchar|text|double|float|(?:big)?int|date|timestamp|json)\b
    | \b(?:hash|epoch|isfinite|unnest|struct_extract|hashtextextended|trim_scale)\( | \blist_\w+\( | \bread_(?:csv|parquet|json)
    | \b(?:date_diff|strftime|try_cast|regexp_matches)\(
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Spellings that one engine has, or a few; in the texts of code, docstrings apart."""
LEAKS: Mapping[str, tuple[int, str]] = {
    "prefect_sluice/planning/type_changes.py": (
        3,
        "names of types by which one is told to hold another: a name that an engine does not have is never asked about",
    ),
    "prefect_sluice/warehouse/engines.py": (
        2,
        "the list of engines, and which one is meant where none is asked",
    ),
    "prefect_sluice/warehouse/functions.py": (
        1,
        "the list of relations, which DuckDB and PostgreSQL give to one query; one that cannot gets a function for it",
    ),
}
"""Path to how many spellings it holds, and why. An entry has the exact number, so that whoever mends one shortens the list."""


def _documentation(tree: ast.AST) -> set[int]:
    """Return the ids of the nodes that are docstrings, and notes under an attribute."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def leaks(source: str) -> Iterator[str]:
    """Yield a line for each spelling of an engine in the texts of a module."""
    tree = ast.parse(source)
    notes = _documentation(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
            yield from (f"{node.lineno}: {found[0]}" for found in ENGINES_OWN.finditer(node.value))


def modules() -> Iterator[tuple[str, str]]:
    """Yield path and text of each module that is to know no engine."""
    for folder in ("prefect_sluice", "flows", "tasks", "deployments"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(HOMES):
                yield name, path.read_text()


def test_an_engines_sql_stands_in_its_folder() -> None:
    found = {name: list(leaks(text)) for name, text in modules()}
    counts = Counter({name: len(lines) for name, lines in found.items() if lines})
    print(f"{counts.total()} spellings of an engine are left in {len(counts)} modules:")
    for name, number in sorted(counts.items()):
        print(f"  {name}: {number}, {LEAKS.get(name, (0, 'no reason'))[1]}")
    more = [
        f"{name}:{line}"
        for name in counts
        if counts[name] > LEAKS.get(name, (0, ""))[0]
        for line in found[name]
    ]
    assert not more, "\n".join(more)
    fewer = {name: counts[name] for name, (number, _) in LEAKS.items() if counts[name] < number}
    assert not fewer, f"lower the numbers of the list: {fewer}"


@pytest.mark.parametrize(
    "source",
    [
        'reader.query(f"select sum(hash(x)::hugeint) from {relation}")',
        'sql = "select * from t order by all"',
        'found = reader.query(f"select columns(*)::varchar from {source}")',
        'sql = "select 1 where c = current_database()"',
        'asked["distinct"] = f"approx_count_distinct({name})"',
        'rows = reader.query("select * from duckdb_tables()")',
        'rows = reader.query("select block_size from pragma_database_size()")',
        'if reader.dialect != "duckdb":\n    raise BadInput("no")',
        'TOOLS = ("dbt-core", "dbt-duckdb")',
        'sql = f"extract(year from {day}::date)"',
        'sql = f"len(list_filter({values}, lambda x: x > 1))"',
        'sql = f"hashtextextended({value}, 0)"',
    ],
)
def test_a_planted_spelling_is_found(source: str) -> None:
    assert list(leaks(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""DuckDB has approx_count_distinct(x)."""',
        'def f():\n    """Return what `order by all` gives."""',
        'FORM = 1\n"""As duckdb_tables() has it."""',
        'sql = f"select cast({name} as varchar) from {relation} order by 1"',
        "from prefect_sluice.warehouse.duckdb.warehouse import DuckDB",
        'told = "no target of this project is a DuckDB file"',
        'test = "tests/x.py::test_y"',
    ],
)
def test_what_is_no_engines_is_let_through(source: str) -> None:
    assert not list(leaks(source))
