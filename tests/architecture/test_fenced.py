"""What a stage records of a promotion is written under the environment's lease; each way to write says whether it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from prefect_sluice.state.reader import Reads
from prefect_sluice.state.records import RecordWrites
from prefect_sluice.state.transaction import Transaction

ROOT = Path(__file__).resolve().parents[2]

FENCED = {
    "put_aftercare",
    "put_candidate",
    "put_promotion",
    "put_relations",
    "put_reports",
    "use_approval",
}
"""Of one promotion: its holder writes them, and nobody who lost the lease."""

FREE = {
    "append": "holds, approvals and backups have entries, too",
    "prune_cache": "derived from what does not change",
    "touch_cached": "derived from what does not change",
    "drop_checks": "of checks that ended long ago",
    "drop_question": "of a run",
    "put_all_cached": "derived from what does not change",
    "put_approval": "who says yes works on nothing",
    "put_cached": "derived from what does not change",
    "put_control": "whoever wants to stop what is at work cannot wait for it",
    "put_question": "of a run",
    "put_release": "content, by its digest",
    "drop_lease": "the lease itself",
    "drop_records": "of promotions that ended long ago, and whose report goes",
    "drop_sign": "of a run",
    "drop_unserved": "of checks that ended long ago",
    "put_alert": "what people were told",
    "put_check": "through the store of who is at work, which is under the lease by itself",
    "put_conditions": "through the store of who is at work, which is under the lease by itself",
    "put_declared": "through the store of who is at work, which is under the lease by itself",
    "put_poll": "of a branch",
    "put_preview": "through the store of who is at work, which is under the lease by itself",
    "prune_measures": "numbers that nobody reads any more",
    "prune_reports": "of what has ended, and nobody works on any more",
    "drop_previews": "what has ended, and never what somebody shows anew",
    "put_refresh": "a night that was left out is recorded by who has no lease; the others through the store of who has",
    "put_sign": "of a run",
    "add_timing": "of a run",
    "renew_lease": "the lease itself",
    "stand_still": "writes nothing",
    "take_lease": "the lease itself",
}
"""Written by whoever is asked to, with the reason."""


def test_each_way_to_write_is_one_or_the_other() -> None:
    """A new one is put on a list, and thought of."""
    written = {
        name
        for kind in (Transaction, RecordWrites)
        for name in vars(kind)
        if not name.startswith("_") and name not in vars(Reads)
    }
    assert written == FENCED | FREE.keys()


def unfenced(tree: ast.AST, inside: frozenset[str] = frozenset()) -> Iterator[int]:
    """Yield the lines of fenced writes whose transaction neither `fenced` gave nor whoever called."""
    for node in ast.iter_child_nodes(tree):
        names = inside
        match node:
            case ast.FunctionDef(args=args) | ast.Lambda(args=args):
                names |= {item.arg for item in args.args}
            case ast.With(items=items):
                for item in items:
                    names = names - {ast.unparse(item.optional_vars)} if item.optional_vars else names
                    if ast.unparse(item.context_expr).startswith("fenced(") and item.optional_vars:
                        names |= {ast.unparse(item.optional_vars)}
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in FENCED:
                if ast.unparse(value) not in inside:
                    yield node.lineno
            case _:
                pass
        yield from unfenced(node, names)


def test_promotions_are_written_under_the_lease_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("prefect_sluice", "flows", "tasks", "deployments")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.parent.name != "state"
        for line in unfenced(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_a_write_beside_the_fence_is_found() -> None:
    beside = "with store.transaction() as transaction:\n    transaction.put_promotion(found)\n"
    assert list(unfenced(ast.parse(beside))) == [2]
    assert list(unfenced(ast.parse(beside.replace("store.transaction()", "fenced(workspace, name)")))) == []
