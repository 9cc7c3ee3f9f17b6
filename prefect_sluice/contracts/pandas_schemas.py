"""A schema that was written for pandas, as one for the warehouse: its columns, and pandera's own checks by name.

Pandera is untyped where it is touched here, hence `Any`.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from prefect_sluice.contracts.compile import NotConvertible, builtin_of

_TYPES = {"str": "string", "boolean": "boolean", "bool": "boolean", "date": "date"}
_DECIMAL = re.compile(r"decimal\((\d+), (\d+)\)")
_INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_FLOATS = {"float32", "float64"}


def is_of_pandas(schema: Any) -> bool:
    """Say whether this is a pandera schema for pandas data frames."""
    return type(schema).__module__ == "pandera.api.pandas.container"


def converted(schema: Any) -> Any:
    """Return the pandera.ibis schema that asks the same. A check of the project's own, which would run on a data frame, is
    still in it, and says so when it is asked. Raises NotConvertible for a column type or an index that a relation has not."""
    pandera: Any = importlib.import_module("pandera.ibis")
    if schema.index is not None:
        raise NotConvertible("it has an index, and a relation has none; make it a column")
    if schema.parsers or any(column.parsers for column in schema.columns.values()):
        raise NotConvertible("it has parsers, which change data; what is published is what was built")
    columns = {name: _column(pandera, name, column) for name, column in schema.columns.items()}
    return pandera.DataFrameSchema(
        columns,
        checks=[_check(pandera, check) for check in schema.checks],
        name=schema.name,
        strict=schema.strict is True,
        ordered=schema.ordered,
        unique=schema.unique,
        report_duplicates=schema.report_duplicates,
    )


def _column(pandera: Any, name: str, column: Any) -> Any:
    return pandera.Column(
        # A contract that coerces takes what can be made of that type; that it is there is all that is left of it.
        None if column.coerce else _type(name, column.dtype),
        checks=[_check(pandera, check) for check in column.checks],
        nullable=column.nullable,
        unique=column.unique,
        report_duplicates=column.report_duplicates,
        required=column.required,
        name=name,
        regex=column.regex,
    )


def _type(name: str, dtype: Any) -> Any:
    if dtype is None or str(dtype) == "object":  # which says nothing
        return None
    types: Any = importlib.import_module("ibis.expr.datatypes")
    text = str(dtype)
    lower = text.lower()
    if lower in _INTEGERS | _FLOATS:
        return types.dtype(lower)
    if lower.startswith("datetime64"):
        zone = text.partition(",")[2].strip(" ]")
        return types.Timestamp(timezone=zone or None, scale=6)
    decimal = _DECIMAL.fullmatch(lower)
    if decimal:
        return types.Decimal(int(decimal[1]), int(decimal[2]))
    if lower in _TYPES or lower.startswith("string"):
        return types.dtype(_TYPES.get(lower, "string"))
    raise NotConvertible(
        f"column {name} is {text} for pandas, which no warehouse has; derive it from pandera.ibis"
    )


def _check(pandera: Any, check: Any) -> Any:
    if builtin_of(check):
        return check
    return pandera.Check(_refused, name=check.name, error=check.error, raise_warning=check.raise_warning)


def _refused(_data: Any) -> Any:
    raise NotConvertible("it is written for pandas; write it in a pandera.ibis model, over `data.table`")
