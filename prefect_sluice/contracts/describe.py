"""A contract as a JSON document: what it promises, in a form that a later release can be compared with.

Pandera is untyped where it is touched here, hence `Any`.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from types import CellType, CodeType, FunctionType
from typing import Any, cast

from prefect_sluice.contracts.compile import builtin_of, unique_sets
from prefect_sluice.domain.digests import Json


def describe(schema: Any) -> Json:
    """Return the document of a pandera schema. The same schema gives the same document, in every process."""
    return {
        "columns": {str(name): _column(column, schema.dtype) for name, column in schema.columns.items()},
        "checks": [_check(check) for check in schema.checks],
        "unique": [list(names) for names in unique_sets(schema)],
        "strict": schema.strict is True,
        "ordered": bool(schema.ordered),
        "type": "" if schema.dtype is None else str(schema.dtype),
    }


def _column(column: Any, of_all: Any) -> Json:
    expected = column.dtype if of_all is None else of_all
    return {
        "type": "" if expected is None else str(expected),
        "nullable": bool(column.nullable),
        "required": bool(column.required),
        "regex": bool(column.regex),
        "unique": bool(column.unique),
        "checks": [_check(check) for check in column.checks],
    }


def _check(check: Any) -> Json:
    builtin = builtin_of(check)
    told: dict[str, Json] = {
        "name": builtin or str(check.name),
        "warns": bool(check.raise_warning),
        "ignores_null": bool(check.ignore_na),
    }
    if builtin:
        return {**told, "limits": {str(key): _plain(value) for key, value in check.statistics.items()}}
    return {**told, "code": sorted(_code(check._check_fn))}


def _plain(value: Any) -> Json:
    """Return a limit as JSON: numbers as numbers, times as text in ISO order, sets in the order of their words."""
    if value is None or isinstance(value, bool | int | float | str):
        return cast(Json, value if value == value else "nan")  # NaN is no JSON
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, re.Pattern):
        return cast("re.Pattern[str]", value).pattern
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, Sequence | set | frozenset):
        return sorted((_plain(item) for item in cast(Sequence[Any], value)), key=str)
    return str(value)


def _code(function: Any, seen: set[int] | None = None) -> Iterator[str]:
    """Yield the text of a check's own function (pandera wraps it), and the constants that it reads."""
    seen = set() if seen is None else seen
    inner = getattr(function, "__func__", function)
    if id(inner) in seen:
        return
    seen.add(id(inner))
    if isinstance(inner, FunctionType):
        if not inner.__module__.startswith("pandera."):
            yield _source(inner)
            yield from (f"{name} = {value}" for name, value in _constants(inner))
        for cell in inner.__closure__ or ():
            yield from _code(cell.cell_contents, seen)
    elif type(inner).__module__.startswith("pandera."):  # CheckInfo keeps the function as an attribute
        yield from _code(getattr(inner, "check_fn", None), seen)


def _source(function: FunctionType) -> str:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):  # a lambda in the middle of a line
        code: CodeType = function.__code__
        return f"{code.co_code.hex()} {code.co_names} {[str(each) for each in code.co_consts if not inspect.iscode(each)]}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
            node.body = node.body[ast.get_docstring(node) is not None :] or [ast.Pass()]
    return ast.unparse(tree)


def _constants(function: FunctionType) -> Iterator[tuple[str, str]]:
    """Yield the constants of its module, of the function that it was made in, and of its own defaults."""
    seen = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    seen |= {name: cell.cell_contents for name, cell in cells if cell != CellType()}
    seen |= {f"default {n}": value for n, value in enumerate(function.__defaults__ or ())}
    seen |= function.__kwdefaults__ or {}
    for name, value in sorted(seen.items()):
        if isinstance(value, bool | int | float | str | list | tuple | set | frozenset | dict | re.Pattern):
            yield name, str(_plain(value))
