"""The texts that a template may send to the warehouse, without running it: in pieces, with words for its expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from jinja2 import TemplateError, nodes

from prefect_sluice.dbt.texts.template_reads import environment
from prefect_sluice.sql.side_effects import ANY, REF, SCHEMA, SOURCE, THIS

_WORD = re.compile(r"\w+")
_SCHEMAS = frozenset({("target", "schema"), ("this", "schema")})
_TEXTS = (nodes.Const, nodes.Concat, nodes.Add, nodes.Mod)
_QUIET = frozenset({"log", "print", "debug", "return", "config", "ref", "source", "var", "env_var"})
"""What is called with texts that are no SQL."""


def pieces(template: str) -> tuple[str, ...] | None:
    """Return the texts that a template may give or send, one for each branch and each string in it; None where it cannot
    be read. Pure.

    `{{ this }}`, `ref`, `source` and the target's schema stand as the words of `sql.writes`, as does whatever else is
    computed.
    """
    if "{" not in template:
        return (template,)
    flat = _Flat()
    try:
        flat.take(environment().parse(template).body)
    except (TemplateError, RecursionError):
        return None
    return flat.all()


class _Flat:
    """Collects the text of a tree: a piece ends where a branch, a loop or a block begins or ends."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._open: list[str] = []

    def all(self) -> tuple[str, ...]:
        self._cut()
        return tuple(self._done)

    def take(self, items: Iterable[nodes.Node]) -> None:
        for node in items:
            match node:
                case nodes.Output():
                    self._output(node)
                case nodes.Expr():
                    self._apart(node)
                case _:
                    self._cut()
                    # A field is a branch, a body, a condition: what stands in two is never one text.
                    for _, value in node.iter_fields():
                        self._branch(value)

    def _branch(self, value: object) -> None:
        group = cast(list[object], value) if isinstance(value, list) else [value]
        self.take(one for one in group if isinstance(one, nodes.Node))
        self._cut()

    def _output(self, output: nodes.Output) -> None:
        for part in output.nodes:
            if isinstance(part, nodes.TemplateData):
                self._open.append(part.data)
            else:
                self._open.append(word_of(part))
                if not isinstance(part, _TEXTS):
                    self._apart(part)

    def _apart(self, expression: nodes.Node) -> None:
        """Keep each text within an expression as a piece of its own: `run_query("…")`."""
        match expression:
            case nodes.Call(node=nodes.Name(name=name)) if name in _QUIET:
                return
            case nodes.Call(node=nodes.Getattr(node=nodes.Name(name="exceptions"))):
                return
            case nodes.Const(value=str()) | nodes.Concat() | nodes.Add() | nodes.Mod():
                self._done.append(word_of(expression))
            case _:
                for child in expression.iter_child_nodes():
                    self._apart(child)

    def _cut(self) -> None:
        text = "".join(self._open)
        if text.strip():
            self._done.append(text)
        self._open.clear()


def word_of(expression: nodes.Node) -> str:
    """Return what stands for an expression in a text."""
    match expression:
        case nodes.Const(value=value):
            return str(value)
        case nodes.Concat(nodes=parts):
            return "".join(word_of(part) for part in parts)
        case nodes.Add(left=left, right=right):
            return word_of(left) + word_of(right)
        case nodes.Mod(left=left):
            return re.sub(r"%[sd]", ANY, word_of(left))
        case nodes.Name(name="this"):
            return THIS
        case nodes.Getattr(node=nodes.Name(name=name), attr=part) if (name, part) in _SCHEMAS:
            return SCHEMA
        case nodes.Call(node=nodes.Name(name="ref" | "source" as kind), args=args):
            last = args[-1] if args else None
            named = last.value if isinstance(last, nodes.Const) else ""
            mark = REF if kind == "ref" else SOURCE
            return f"{mark}{named}" if _WORD.fullmatch(str(named)) else ANY
        case nodes.TemplateData(data=data):
            return data
        case _:
            return ANY
