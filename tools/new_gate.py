"""`make new-gate NAME=owners`: a gate's folder, test and page, and its lines in the three lists. It cannot tell yet."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

MODULE = '''"""Gate `{name}`: say in one line what it holds a release to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from prefect_sluice import config
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import ReleaseView


class Settings(config.Gate):
    """What sluice.yml may say of it."""


@dataclass(frozen=True, slots=True)
class {kind}:
    """Say what it looks at, and what it leaves alone."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "{name}"
    Settings: ClassVar[type[config.Gate]] = Settings

    def check(self, release: ReleaseView) -> GateReport:
        """Return one finding per node that changed."""
        changed = [release.nodes[uid] for uid in release.changed if uid in release.nodes]
        if not changed:
            return GateReport(self.id, not_applicable="nothing changed")
        return GateReport(self.id, tuple(_finding(node) for node in changed))


def _finding(node: Node) -> Finding:
    told = "not looked at yet"
    return Finding({kind}.id, node.short, Verdict.INCONCLUSIVE, told, (node.unique_id,))
'''
PACKAGE = '"""The gate `{name}`."""\n'
TEST = '''"""The gate `{name}`."""

from __future__ import annotations

from pathlib import Path

from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.gates.base import ReleaseView
from prefect_sluice.gates.{name}.gate import {kind}

NODE = Node("model.shop.x", NodeKind.TABLE, Name("shop", "x"), "models/x.sql", "sql", ("shop", "x"), "0" * 8)


def test_what_changed_is_looked_at() -> None:
    report = {kind}().check(ReleaseView(Path(), {{NODE.unique_id: NODE}}, (NODE.unique_id,)))
    assert report.verdict is Verdict.INCONCLUSIVE


def test_without_a_change_there_is_nothing_to_look_at() -> None:
    assert {kind}().check(ReleaseView(Path(), {{}}, ())).not_applicable == "nothing changed"
'''
PAGE = """# {name}

Say in one line what it holds a release to.

| | |
|---|---|
| asked in | Test; it needs no data |
| looks at | the nodes that changed |
| does not apply | nothing changed |
| needs | nothing |

## What it checks

| | verdict |
|---|---|
| it is not written yet | INCONCLUSIVE |

## Why it matters

## An example of it saying no

## How to fix it

## How to tune it

```yaml
gates:
  {name}:
    on: block       # block (default), warn, off
```
"""


def main(arguments: list[str]) -> int:
    """Write the files; return the exit code: 2 for a name that cannot be, and nothing is written."""
    parser = argparse.ArgumentParser(prog="make new-gate", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    asked = parser.parse_args(arguments)
    root: Path = asked.root
    name: str = asked.name
    wrong = problem(root, name)
    if wrong:
        print(f"new-gate: {wrong}", file=sys.stderr)
        return 2
    for path, text in files(root, name).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(name=name, kind=_kind(name)), encoding="utf-8")
        print(path.relative_to(root))
    _listed(
        root / "prefect_sluice/gates/catalog.py",
        r"(_OURS = \{\n(?:    .*\n)*)",
        f'    "{name}": "{name}.gate:{_kind(name)}",\n',
    )
    _listed(
        root / "pyproject.toml",
        r"(packages = \[\n(?:    .*\n)*)",
        f'    "prefect_sluice.gates.{name}",\n',
    )
    row = f"| [{name}]({name}.md) | Test | say when |\n"
    _listed(root / "docs/gates/README.md", r"((?:\| \[\w+\]\(\w+\.md\).*\n)+)", row)
    print("then: write the check, its test and its page, and `make check test`")
    return 0


def problem(root: Path, name: str) -> str:
    """Return what is wrong with a name, "" if nothing is."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return f"{name!r} is no name for a gate: small letters, digits and _ (make new-gate NAME=owners)"
    there = [path for path in files(root, name) if path.exists()]
    return f"{there[0].relative_to(root)} is there already; choose another name" if there else ""


def files(root: Path, name: str) -> dict[Path, str]:
    """Return the templates by the path that each is for."""
    return {
        root / "prefect_sluice" / "gates" / name / "gate.py": MODULE,
        root / "prefect_sluice" / "gates" / name / "__init__.py": PACKAGE,
        root / "tests" / "gates" / f"test_{name}.py": TEST,
        root / "docs" / "gates" / f"{name}.md": PAGE,
    }


def _kind(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _listed(path: Path, block: str, line: str) -> None:
    """Add a line at the end of the first block of lines that matches."""
    text = path.read_text(encoding="utf-8")
    added = re.sub(block, lambda found: found[1] + line, text, count=1)
    if added == text:
        raise SystemExit(
            f"new-gate: {path} does not list the gates as it used to; add this line: {line.strip()}"
        )
    path.write_text(added, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
