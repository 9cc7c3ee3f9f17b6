"""The ladder: values < ports < adapters and gates < stages < tasks < flows < deployments < command line.

Every rule is a row of `RULES`, and every row is shown to bite on a planted violation in `BITES`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VALUES = tuple(
    f"prefect_sluice.{name}"
    for name in (
        "adoption",
        "canonical",
        "conditions",
        "controls",
        "coverage",
        "cut",
        "dashboards",
        "declared",
        "errors",
        "generation",
        "history",
        "holder",
        "impact",
        "ledger",
        "node",
        "notes",
        "old_names",
        "outside",
        "plan",
        "promotion",
        "relation",
        "release",
        "stopping",
        "verdict",
        "why",
        "widening",
    )
)
COMMAND_LINE = ("prefect_sluice.cli", "prefect_sluice.demo")
FLOWS, TASKS = "prefect_sluice.flows", "prefect_sluice.tasks"
DEPLOYMENTS = "prefect_sluice.deployments"


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name. `lazy`: not as the module loads, but inside a function or for type checkers only."""

    target: str
    line: int
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Modules under `inside`, but not under `exempt`, do not import what is under `forbidden`.

    `allowed` are exceptions among the forbidden; modules under `lazily` may import, within functions, what is
    under `lazily_allowed`. A pattern is a module with all below it, or holds a `*`.
    """

    name: str
    inside: tuple[str, ...]
    forbidden: tuple[str, ...]
    exempt: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    lazily: tuple[str, ...] = ()
    lazily_allowed: tuple[str, ...] = ()


def only(*modules: str, may: tuple[str, ...], beyond: tuple[str, ...] = ("prefect_sluice",)) -> Rule:
    """Return the rule that of all modules `beyond` only `modules` import the libraries `may`."""
    return Rule(f"only {', '.join(modules)} may import {may[0]}", beyond, may, exempt=modules)


RULES = (
    Rule(
        "the core runs without Prefect",
        ("prefect_sluice",),
        ("prefect", FLOWS, TASKS, DEPLOYMENTS),
        exempt=(FLOWS, TASKS, DEPLOYMENTS),
        lazily=COMMAND_LINE,
        lazily_allowed=(FLOWS, DEPLOYMENTS),
    ),
    only("prefect_sluice.dbt", may=("dbt", "dbt_common")),
    only("prefect_sluice.warehouse.duckdb*", may=("duckdb",)),
    only("prefect_sluice.state", may=("sqlalchemy", "alembic")),
    only("prefect_sluice.contracts", "prefect_sluice.gates.contracts", may=("pandera", "ibis")),
    only("prefect_sluice.gates.lint*", may=("sqlfluff",)),
    only("prefect_sluice.gates.secrets*", may=("detect_secrets",)),
    only("prefect_sluice.sql", may=("sqlglot",)),
    only(*COMMAND_LINE, may=("click",)),
    Rule("tasks know no flows", (TASKS,), (FLOWS, DEPLOYMENTS, "prefect_sluice.cli")),
    Rule("flows know no deployments", (FLOWS,), (DEPLOYMENTS,)),
    Rule(
        "flows show the order and nothing else",
        (FLOWS,),
        ("duckdb", "dbt", "prefect_sluice.warehouse", "prefect_sluice.dbt", "prefect_sluice.cli"),
    ),
    Rule(
        "reading SQL is pure",
        ("prefect_sluice.sql",),
        ("*",),
        allowed=("prefect_sluice.sql", "sqlglot", *VALUES, *sorted(sys.stdlib_module_names)),
    ),
    Rule("values import values", VALUES, ("*",), allowed=(*VALUES, *sorted(sys.stdlib_module_names))),
    Rule(
        "ports, adapters and gates do not look up",
        ("prefect_sluice.gates", "prefect_sluice.warehouse", "prefect_sluice.state"),
        ("prefect_sluice.stages", "prefect_sluice.cli", "prefect_sluice.render"),
    ),
    Rule("stages do not know the command line", ("prefect_sluice.stages",), ("prefect_sluice.cli",)),
    only(
        *COMMAND_LINE, "prefect_sluice.stages", TASKS, "prefect_sluice.render", may=("prefect_sluice.render",)
    ),
    Rule(
        "`flows`, `tasks` and `deployments` exist in a checkout only",
        ("prefect_sluice",),
        ("flows", "tasks", "deployments"),
    ),
)


def under(module: str, patterns: tuple[str, ...]) -> bool:
    """Say whether `module` is one of `patterns` or lies below one."""
    return any(fnmatchcase(module, pattern) or fnmatchcase(module, f"{pattern}.*") for pattern in patterns)


def imports(tree: ast.AST, *, lazy: bool = False) -> Iterator[Import]:
    """Yield every import of a syntax tree, those by name (`import_module("x")`) included."""
    for node in ast.iter_child_nodes(tree):
        inner = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, inner) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (Import(f"{module}.{alias.name}", node.lineno, inner) for alias in node.names)
        elif isinstance(node, ast.Call) and (target := _imported_by_name(node)):
            yield Import(target, node.lineno, inner)
        yield from imports(node, lazy=inner or (isinstance(node, ast.If) and _is_type_checking(node.test)))


def _imported_by_name(call: ast.Call) -> str:
    """Return what `import_module("x")` or `__import__("x")` imports, "" for any other call."""
    if (
        ast.unparse(call.func) not in {"importlib.import_module", "import_module", "__import__"}
        or not call.args
    ):
        return ""
    name = call.args[0]
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def breaks(rule: Rule, module: str, found: Import) -> bool:
    """Say whether this import in `module` breaks `rule`."""
    if not under(module, rule.inside) or under(module, rule.exempt):
        return False
    if not under(found.target, rule.forbidden) or under(found.target, rule.allowed):
        return False
    return not (found.lazy and under(module, rule.lazily) and under(found.target, rule.lazily_allowed))


def violations(module: str, source: str) -> list[str]:
    """Return one line for each import of `source`, taken as the text of `module`, that breaks a rule."""
    found = list(imports(ast.parse(source)))
    relative = [
        f"{module}:{one.line}: relative import {one.target}" for one in found if one.target.startswith(".")
    ]
    return relative + [
        f"{module}:{one.line}: imports {one.target}, but {rule.name}"
        for one in found
        for rule in RULES
        if not one.target.startswith(".") and breaks(rule, module, one)
    ]


def modules() -> dict[str, Path]:
    """Return every module of the product by its installed name."""
    homes = {"prefect_sluice": "prefect_sluice", "flows": FLOWS, "tasks": TASKS, "deployments": DEPLOYMENTS}
    found: dict[str, Path] = {}
    for folder, package in homes.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *(part for part in parts if part != "__init__")))] = path
    return found


def test_the_product_keeps_the_ladder() -> None:
    broken = [line for module, path in modules().items() for line in violations(module, path.read_text())]
    assert not broken, "\n".join(broken)


def test_every_module_that_a_rule_names_exists() -> None:
    """A rule about a module that was renamed would hold for ever and mean nothing."""
    known = tuple(modules())
    named = {name for rule in RULES for name in (*rule.inside, *rule.exempt, *rule.lazily)} | set(VALUES)
    missing = sorted(name for name in named if not any(under(module, (name,)) for module in known))
    assert missing == []


LAZY_FLOW = "def run():\n    from prefect_sluice.flows import release\n"
BITES = (
    ("prefect_sluice.plan", "import prefect", "without Prefect"),
    ("prefect_sluice.stages.build", "def f():\n    from prefect import flow\n", "without Prefect"),
    ("prefect_sluice.stages.build", LAZY_FLOW, "without Prefect"),
    ("prefect_sluice.cli.release", "from prefect_sluice.flows.release import release", "without Prefect"),
    ("prefect_sluice.cli.release", "def f():\n    import prefect\n", "without Prefect"),
    ("prefect_sluice.demo", "def f():\n    import prefect_sluice.tasks.build\n", "without Prefect"),
    (
        "prefect_sluice.stages.build",
        "import importlib\nimportlib.import_module('prefect')",
        "without Prefect",
    ),
    ("prefect_sluice.stages.build", "from dbt.cli.main import dbtRunner", "may import dbt"),
    ("prefect_sluice.tasks.build", "import dbt.version", "may import dbt"),
    ("prefect_sluice.warehouse.postgres", "import duckdb", "may import duckdb"),
    ("prefect_sluice.ledger", "from sqlalchemy import select", "may import sqlalchemy"),
    ("prefect_sluice.stages.deploy", "import alembic.command", "may import sqlalchemy"),
    ("prefect_sluice.gates.lint", "import pandera.ibis", "may import pandera"),
    ("prefect_sluice.diff.rows", "import ibis", "may import pandera"),
    ("prefect_sluice.gates.contracts", "import sqlfluff", "may import sqlfluff"),
    ("prefect_sluice.gates.parity", "from detect_secrets.core import scan", "may import detect_secrets"),
    ("prefect_sluice.stages.source", "import click", "may import click"),
    ("prefect_sluice.dbt.nodes", "def f():\n    import sqlglot\n", "may import sqlglot"),
    ("prefect_sluice.sql.shape", "from prefect_sluice.warehouse import base", "reading SQL is pure"),
    ("prefect_sluice.tasks.build", "from prefect_sluice import flows", "tasks know no flows"),
    ("prefect_sluice.tasks.build", "from prefect_sluice.cli import main", "tasks know no flows"),
    (
        "prefect_sluice.flows.release",
        "from prefect_sluice.deployments import up",
        "flows know no deployments",
    ),
    ("prefect_sluice.flows.release", "import duckdb", "the order"),
    ("prefect_sluice.flows.release", "from prefect_sluice.warehouse.base import Reader", "the order"),
    ("prefect_sluice.flows.release", "from prefect_sluice import dbt", "the order"),
    ("prefect_sluice.verdict", "from prefect_sluice.gates.base import Gate", "values import values"),
    ("prefect_sluice.node", "import pydantic", "values import values"),
    ("prefect_sluice.gates.parity", "from prefect_sluice.stages import stage", "do not look up"),
    ("prefect_sluice.warehouse.duckdb", "from prefect_sluice.cli import main", "do not look up"),
    ("prefect_sluice.state.store", "import prefect_sluice.render.text", "do not look up"),
    ("prefect_sluice.stages.build", "import prefect_sluice.cli", "do not know the command line"),
    (
        "prefect_sluice.flows.release",
        "from prefect_sluice.render import text",
        "may import prefect_sluice.render",
    ),
    ("prefect_sluice.cli.release", "def f():\n    import flows.release\n", "in a checkout only"),
    ("prefect_sluice.gates.lint", "from . import base", "relative import"),
    ("prefect_sluice.gates.lint", "from ..verdict import Verdict", "relative import"),
)


@pytest.mark.parametrize(("module", "source", "reason"), BITES)
def test_a_planted_violation_is_found(module: str, source: str, reason: str) -> None:
    found = violations(module, source)
    assert any(reason in line for line in found), found


def test_every_rule_is_shown_to_bite() -> None:
    lines = [line for module, source, _ in BITES for line in violations(module, source)]
    assert [rule.name for rule in RULES if not any(line.endswith(f"but {rule.name}") for line in lines)] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("prefect_sluice.cli.release", LAZY_FLOW),
        ("prefect_sluice.demo", LAZY_FLOW),
        (
            "prefect_sluice.flows.release",
            "from prefect import flow\nfrom prefect_sluice.tasks.build import build",
        ),
        ("prefect_sluice.tasks.build", "from prefect import task\nfrom prefect_sluice.stages import build"),
        (
            "prefect_sluice.warehouse.duckdb_publish",
            "import duckdb\nfrom prefect_sluice.warehouse import base",
        ),
        ("prefect_sluice.dbt.run", "from dbt.cli.main import dbtRunner"),
        ("prefect_sluice.state.migrations.versions.first", "import sqlalchemy as sa\nfrom alembic import op"),
        ("prefect_sluice.plan", "import json\nfrom prefect_sluice.node import Node"),
        (
            "prefect_sluice.stages.build",
            "from prefect_sluice.dbt import run\nfrom prefect_sluice.render import text",
        ),
        ("prefect_sluice.stages.build", "import prefect_sluicegate_of_another_name"),
    ],
)
def test_what_is_allowed_is_let_through(module: str, source: str) -> None:
    assert violations(module, source) == []
