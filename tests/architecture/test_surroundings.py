"""Below the command line nothing prints, reads environment variables or ends the process."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXEMPT = (
    "prefect_sluice/cli/",
    "prefect_sluice/cli/demo.py",
    "prefect_sluice/isolation/launch.py",
    "prefect_sluice/isolation/warm_process.py",
    "prefect_sluice/runtime/faults.py",
    "prefect_sluice/runtime/process.py",
)
MEANING = {
    "exit()": "ends the process",
    "os._exit": "ends the process",
    "os.environ": "reads the environment",
    "os.environb": "reads the environment",
    "os.getenv": "reads the environment",
    "os.putenv": "changes the environment",
    "print()": "prints",
    "quit()": "ends the process",
    "raise SystemExit": "ends the process",
    "sys.exit": "ends the process",
}


def names(node: ast.AST) -> tuple[str, ...]:
    """Return what `node` uses, in the spelling of `MEANING`."""
    match node:
        case ast.Attribute():
            return (ast.unparse(node),)
        case ast.ImportFrom(module=str(module)):
            return tuple(f"{module}.{alias.name}" for alias in node.names)
        case ast.Call(func=ast.Name(id=name)):
            return (f"{name}()",)
        case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
            return (f"raise {name}",)
        case _:
            return ()


def touches(source: str) -> Iterator[str]:
    """Yield one line for each place in `source` that deals with the process's surroundings."""
    for node in ast.walk(ast.parse(source)):
        for name in names(node):
            if name in MEANING:
                yield f"{getattr(node, 'lineno', 0)}: {MEANING[name]}: {name}"


def test_only_the_edge_touches_the_surroundings() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("prefect_sluice", "flows", "tasks", "deployments")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not path.relative_to(ROOT).as_posix().startswith(EXEMPT)
        for line in touches(path.read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import os\nhome = os.environ['HOME']",
        "import os\nos.environ.setdefault('A', 'b')",
        "import os\nos.getenv('HOME')",
        "from os import environ",
        "from os import path, getenv as g",
        "def f():\n    print('x')",
        "import sys\nsys.exit(1)",
        "from sys import exit",
        "import os\nos._exit(1)",
        "raise SystemExit(2)",
        "raise SystemExit",
        "quit()",
    ],
)
def test_a_planted_violation_is_found(source: str) -> None:
    assert len(list(touches(source))) == 1


@pytest.mark.parametrize(
    "source",
    ["import os\nos.path.join('a', 'b')", "def exit_code(): ...", "self.print('x')", "sys.path"],
)
def test_what_is_allowed_is_let_through(source: str) -> None:
    assert list(touches(source)) == []
