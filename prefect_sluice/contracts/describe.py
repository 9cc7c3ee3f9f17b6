"""A contract as a JSON document: what it promises, in a form that a later release can be compared with.

Pandera is untyped where it is touched here, hence `Any`.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
import sys
import sysconfig
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from numbers import Integral, Number, Real
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast

from prefect_sluice.contracts.compile import builtin_of, unique_sets
from prefect_sluice.domain.digests import Json

_INSTALLED = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_CONSTANTS = (bool, Number, str, bytes, date, time, timedelta, list, tuple, set, frozenset, dict, re.Pattern)


def describe(schema: Any) -> Json:
    """Return the document of a pandera schema. The same schema gives the same document, in every process."""
    return {
        "columns": {str(name): _column(column, schema.dtype) for name, column in schema.columns.items()},
        "checks": [_check(check) for check in schema.checks],
        "unique": [list(names) for names in unique_sets(schema)],
        "strict": schema.strict is True,
        "ordered": bool(schema.ordered),
        "order": [str(name) for name in schema.columns],  # the keys of a document that was kept are sorted
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
    document: dict[str, Json] = {
        "name": builtin or str(check.name),
        "warns": bool(check.raise_warning),
        "ignores_null": bool(check.ignore_na),
    }
    if builtin:
        return {**document, "limits": {str(key): _plain(value) for key, value in check.statistics.items()}}
    given = sorted(f"{key} = {_plain(value)}" for key, value in check._check_kwargs.items())
    return {**document, "code": [*sorted(_code(check._check_fn)), *given]}


def _plain(value: Any) -> Json:
    """Return a limit as JSON: numbers as numbers, times as text in ISO order, sets in the order of their words."""
    if value is None or isinstance(value, bool | int | str):
        return cast(Json, value)
    if isinstance(value, Integral):  # of NumPy, too
        return int(cast(Any, value))
    if isinstance(value, Real | Decimal):
        return _number(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, re.Pattern):
        return cast("re.Pattern[str]", value).pattern
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, Sequence | set | frozenset):
        return sorted((_plain(entry) for entry in cast(Sequence[Any], value)), key=str)
    return str(value)


def _number(value: Any) -> Json:
    number = float(value)
    if not math.isfinite(number):
        return str(number)  # neither NaN nor an infinity is JSON
    exact = not isinstance(value, Decimal) or Decimal(str(number)) == value
    return number if exact else {"decimal": str(value)}


def _code(function: Any, seen: set[int] | None = None) -> Iterator[str]:
    """Yield the text of a check's own function (pandera wraps it), and of what it reads and calls of the project: constants,
    functions. Nothing for what has no text; nobody can tell then whether it is the same."""
    seen = set() if seen is None else seen
    inner = getattr(function, "__func__", function)
    if id(inner) in seen:
        return
    seen.add(id(inner))
    if isinstance(inner, FunctionType):
        if not inner.__module__.startswith("pandera."):
            yield _source(inner)
            yield from _values(_names(inner), seen)
        for cell in inner.__closure__ or ():
            if cell != CellType():
                yield from _code(cell.cell_contents, seen)
    elif isinstance(inner, partial):
        yield from _code(inner.func, seen)
        yield from _values(
            {**{str(n): argument for n, argument in enumerate(inner.args)}, **inner.keywords}, seen
        )
    elif type(inner).__module__.startswith("pandera."):  # CheckInfo keeps the function as an attribute
        yield from _code(getattr(inner, "check_fn", None), seen)
    elif callable(inner) and not isinstance(inner, type) and _is_of_project(type(inner).__call__):
        yield from _code(type(inner).__call__, seen)
        yield from _values(getattr(inner, "__dict__", {}), seen)


def _source(function: FunctionType) -> str:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):  # a lambda in the middle of a line
        return " ".join(
            f"{code.co_code.hex()} {code.co_names} {_literals(code)}" for code in _codes(function.__code__)
        )
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
            node.body = node.body[ast.get_docstring(node) is not None :] or [ast.Pass()]
    return ast.unparse(tree)


def _literals(code: CodeType) -> list[str]:
    return [str(constant) for constant in code.co_consts if not inspect.iscode(constant)]


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a function's code, and that of the functions and comprehensions inside of it."""
    yield code
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _codes(constant)


def _names(function: FunctionType) -> Mapping[str, Any]:
    """Return what a function's names stand for: of its module, of the function that it was made in, its own defaults, and
    of modules and classes of the project whatever bears one of the names."""
    used = sorted({name for code in _codes(function.__code__) for name in code.co_names})
    seen = {name: function.__globals__[name] for name in used if name in function.__globals__}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    seen |= {name: cell.cell_contents for name, cell in cells if cell != CellType()}
    seen |= {f"default {n}": value for n, value in enumerate(function.__defaults__ or ())}
    seen |= function.__kwdefaults__ or {}
    for holder, value in tuple(seen.items()):
        if isinstance(value, type | ModuleType) and _is_of_project(value):
            seen |= {f"{holder}.{name}": getattr(value, name) for name in used if hasattr(value, name)}
    return seen


def _values(named: Mapping[str, Any], seen: set[int]) -> Iterator[str]:
    for name, value in sorted(named.items()):
        if value is None or isinstance(value, _CONSTANTS):
            yield f"{name} = {_plain(value)}"
        elif isinstance(value, FunctionType | MethodType | partial) and _is_of_project(value):
            yield from _code(value, seen)


def _is_of_project(member: Any) -> bool:
    """Say whether something was written in the project: installed packages have versions, and are pinned."""
    inner = getattr(getattr(member, "func", member), "__func__", getattr(member, "func", member))
    module = (
        member if isinstance(member, ModuleType) else sys.modules.get(str(getattr(inner, "__module__", "")))
    )
    place = getattr(getattr(inner, "__code__", None), "co_filename", None) or getattr(
        module, "__file__", None
    )
    return place is not None and not any(Path(place).is_relative_to(root) for root in _INSTALLED)
