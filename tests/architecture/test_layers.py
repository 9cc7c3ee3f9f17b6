"""The ladder: a room imports rooms below it, never one above. Which library is whose.

Every rule is a row of `RULES`, and every row is shown to bite on a planted violation in `BITES`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LADDER = (
    "domain",
    "runtime",
    "isolation",
    "sql",
    "config",
    "warehouse",
    "planning",
    "diff",
    "contracts",
    "source",
    "state",
    "dbt",
    "workspace",
    "audit",
    "gates",
    "promotions",
    "approvals",
    "strategies",
    "stages",
    "monitoring",
    "maintenance",
    "reporting",
    "pipeline",
    "orchestration",
    "tasks",
    "flows",
    "deployments",
    "local_server",
    "cli",
)
"""Every room, from the one that knows nothing of the others to the command line. What a room needs stands before it."""

PUBLIC = {"errors", "verdict"}
"""Modules of the root that hand on what people import of the domain: they are in nobody's way."""

DOMAIN = "prefect_sluice.domain"
COMMAND_LINE = "prefect_sluice.cli"
WITH_PREFECT = tuple(
    f"prefect_sluice.{room}" for room in ("orchestration", "tasks", "flows", "deployments", "local_server")
)

IN_THE_BOUNDARY = tuple(
    f"prefect_sluice.contracts.{name}"
    for name in ("child", "compile", "describe", "load", "pandas_schemas", "questions")
)
"""What runs in a process that is shut in: `isolation.warm` is told its name, and nobody imports it."""


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


def _ladder() -> Iterator[Rule]:
    """Yield one rule per room: what it must not import, for type checkers or in a function neither."""
    for number, room in enumerate(LADDER):
        above = tuple(f"prefect_sluice.{name}" for name in LADDER[number + 1 :])
        if above:
            yield Rule(f"{room} stands below", (f"prefect_sluice.{room}",), above)


RULES = (
    Rule(
        "the core runs without Prefect",
        ("prefect_sluice",),
        ("prefect", *WITH_PREFECT),
        exempt=WITH_PREFECT,
        lazily=(COMMAND_LINE,),
        lazily_allowed=WITH_PREFECT,
    ),
    # Jinja's reader with dbt's own tags is the one thing of dbt's that texts are read with (docs/decisions/0063-port-of-dbt.md).
    only("prefect_sluice.dbt.core", "prefect_sluice.dbt.texts", may=("dbt", "dbt_common")),
    only("prefect_sluice.dbt.implementation", "prefect_sluice.dbt.core", may=("prefect_sluice.dbt.core",)),
    only("prefect_sluice.warehouse.duckdb", may=("duckdb",)),
    only("prefect_sluice.state", may=("sqlalchemy", "alembic")),
    only(*IN_THE_BOUNDARY, may=("pandera", "ibis")),
    Rule(
        "what imports the project's modules runs inside of the boundary only",
        ("prefect_sluice",),
        IN_THE_BOUNDARY,
        exempt=IN_THE_BOUNDARY,
    ),
    only("prefect_sluice.gates.lint", may=("sqlfluff",)),
    only("prefect_sluice.gates.secrets", may=("detect_secrets",)),
    only("prefect_sluice.sql", may=("sqlglot",)),
    only("prefect_sluice.runtime.running", "prefect_sluice.local_server.processes", may=("psutil",)),
    only("prefect_sluice.reporting.forges", *WITH_PREFECT, may=("httpx",)),
    only(COMMAND_LINE, may=("click",)),
    Rule(
        "flows show the order and nothing else",
        ("prefect_sluice.flows",),
        ("duckdb", "dbt", "prefect_sluice.warehouse", "prefect_sluice.dbt", "prefect_sluice.reporting"),
    ),
    Rule(
        "reading SQL is pure",
        ("prefect_sluice.sql",),
        ("*",),
        allowed=("prefect_sluice.sql", "sqlglot", DOMAIN, *sorted(sys.stdlib_module_names)),
    ),
    Rule("values import values", (DOMAIN,), ("*",), allowed=(DOMAIN, *sorted(sys.stdlib_module_names))),
    Rule(
        "`flows`, `tasks` and `deployments` exist in a checkout only",
        ("prefect_sluice",),
        ("flows", "tasks", "deployments"),
    ),
    *_ladder(),
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
    homes = {"prefect_sluice": "prefect_sluice"}
    homes |= {name: f"prefect_sluice.{name}" for name in ("flows", "tasks", "deployments")}
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
    named = {name for rule in RULES for name in (*rule.inside, *rule.exempt, *rule.lazily)}
    missing = sorted(name for name in named if not any(under(module, (name,)) for module in known))
    assert missing == []


def test_every_room_has_its_place_on_the_ladder() -> None:
    rooms = {module.split(".")[1] for module in modules() if "." in module}
    assert rooms - set(LADDER) == PUBLIC


LAZY_FLOW = "def run():\n    from prefect_sluice.flows import release\n"
BITES = (
    ("prefect_sluice.planning.plan", "import prefect", "without Prefect"),
    ("prefect_sluice.stages.build", "def f():\n    from prefect import flow\n", "without Prefect"),
    ("prefect_sluice.stages.build", LAZY_FLOW, "without Prefect"),
    (
        "prefect_sluice.cli.commands.release",
        "from prefect_sluice.flows.release import release",
        "without Prefect",
    ),
    ("prefect_sluice.cli.commands.release", "def f():\n    import prefect\n", "without Prefect"),
    (
        "prefect_sluice.stages.build",
        "import importlib\nimportlib.import_module('prefect')",
        "without Prefect",
    ),
    ("prefect_sluice.stages.build", "from dbt.cli.main import dbtRunner", "may import dbt"),
    ("prefect_sluice.tasks.build", "import dbt.version", "may import dbt"),
    ("prefect_sluice.dbt.session", "def f():\n    import dbt.version\n", "may import dbt"),
    (
        "prefect_sluice.stages.build",
        "def f():\n    from prefect_sluice.dbt.core import nodes\n",
        "may import prefect_sluice.dbt.core",
    ),
    ("prefect_sluice.warehouse.postgres", "import duckdb", "may import duckdb"),
    ("prefect_sluice.domain.ledger", "from sqlalchemy import select", "may import sqlalchemy"),
    ("prefect_sluice.stages.deploy", "import alembic.command", "may import sqlalchemy"),
    ("prefect_sluice.gates.lint.gate", "import pandera.ibis", "may import pandera"),
    ("prefect_sluice.diff.compare", "import ibis", "may import pandera"),
    (
        "prefect_sluice.gates.contracts.gate",
        "from prefect_sluice.contracts.load import load_schema",
        "inside of the boundary only",
    ),
    ("prefect_sluice.gates.contracts.gate", "import sqlfluff", "may import sqlfluff"),
    ("prefect_sluice.gates.parity.gate", "from detect_secrets.core import scan", "may import detect_secrets"),
    ("prefect_sluice.stages.source", "import click", "may import click"),
    ("prefect_sluice.dbt.core.nodes", "def f():\n    import sqlglot\n", "may import sqlglot"),
    ("prefect_sluice.state.lease", "def f():\n    import psutil\n", "may import psutil"),
    ("prefect_sluice.source.git", "import httpx", "may import httpx"),
    ("prefect_sluice.sql.canonical", "from prefect_sluice.warehouse import base", "reading SQL is pure"),
    ("prefect_sluice.flows.release", "import duckdb", "the order"),
    ("prefect_sluice.flows.release", "from prefect_sluice.warehouse.base import Reader", "the order"),
    ("prefect_sluice.flows.release", "from prefect_sluice.reporting import table", "the order"),
    ("prefect_sluice.domain.node", "import pydantic", "values import values"),
    ("prefect_sluice.cli.commands.release", "def f():\n    import flows.release\n", "in a checkout only"),
    ("prefect_sluice.gates.lint.gate", "from . import base", "relative import"),
    ("prefect_sluice.gates.lint.gate", "from ..verdict import Verdict", "relative import"),
    *(
        (
            f"prefect_sluice.{room}.some",
            f"def f():\n    import prefect_sluice.{above}.some\n",
            f"{room} stands below",
        )
        for room, above in pairwise(LADDER)
    ),
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
        ("prefect_sluice.cli.commands.release", LAZY_FLOW),
        (
            "prefect_sluice.flows.release",
            "from prefect import flow\nfrom prefect_sluice.tasks.build import build",
        ),
        ("prefect_sluice.tasks.build", "from prefect import task\nfrom prefect_sluice.stages import build"),
        (
            "prefect_sluice.warehouse.duckdb.publish",
            "import duckdb\nfrom prefect_sluice.warehouse import base",
        ),
        ("prefect_sluice.dbt.core.commands", "from dbt.cli.main import dbtRunner"),
        ("prefect_sluice.state.migrations.versions.first", "import sqlalchemy as sa\nfrom alembic import op"),
        ("prefect_sluice.planning.plan", "import json\nfrom prefect_sluice.domain.node import Node"),
        ("prefect_sluice.stages.build", "from prefect_sluice.dbt import port"),
        ("prefect_sluice.stages.build", "import prefect_sluicegate_of_another_name"),
    ],
)
def test_what_is_allowed_is_let_through(module: str, source: str) -> None:
    assert violations(module, source) == []
