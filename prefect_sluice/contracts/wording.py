"""What a pandera check is called in a report, how a row that fails it is described, and an error in a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

_LONGEST = 120
_LISTED = 8

_BROKEN: dict[str, Callable[[dict[str, Any]], str]] = {
    "equal_to": lambda s: f"is not {_value(s['value'])}",
    "not_equal_to": lambda s: f"is {_value(s['value'])}",
    "greater_than": lambda s: f"not above {_value(s['min_value'])}",
    "greater_than_or_equal_to": lambda s: f"below {_value(s['min_value'])}",
    "less_than": lambda s: f"not below {_value(s['max_value'])}",
    "less_than_or_equal_to": lambda s: f"above {_value(s['max_value'])}",
    "in_range": lambda s: f"not in {_interval(s)}",
    "isin": lambda s: f"not one of {_listed(s['allowed_values'])}",
    "notin": lambda s: f"one of {_listed(s['forbidden_values'])}",
    "str_matches": lambda s: f"does not match {_pattern(s['pattern'])}",
    "str_contains": lambda s: f"does not contain {_pattern(s['pattern'])}",
    "str_startswith": lambda s: f"does not start with {_value(s['string'])}",
    "str_endswith": lambda s: f"does not end with {_value(s['string'])}",
    "unique_values_eq": lambda s: f"holds other values than exactly {_listed(s['values'])}",
}


def label(check: Any, builtin: str, key: str | None) -> str:
    """Return the check's name in a finding: `share_on_time in_range(0, 1)`, `a_check_of_the_table`."""
    text = _one_line(check.error) if check.error else ""
    name = text or (str(check.name) if builtin or check.name != "<lambda>" else "check")
    return f"{key} {name}" if key else name


def complaint(check: Any, builtin: str, key: str | None) -> str:
    """Return what is wrong with a row that fails, after the colon: `share_on_time not in [0, 1]`."""
    if builtin in _BROKEN and key:
        return f"{key} {_one_line(_BROKEN[builtin](dict(check.statistics)))}"
    return f"{label(check, builtin, key)} does not hold"


def _one_line(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _value(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def _pattern(pattern: Any) -> str:
    return _value(getattr(pattern, "pattern", pattern))


def _listed(values: Iterable[object]) -> str:
    # pandera keeps some lists as sets: sorted, or the words of one failure would differ from run to run
    texts = sorted(_value(value) for value in values)
    return ", ".join(texts[:_LISTED]) + (", …" if len(texts) > _LISTED else "")


def _interval(statistics: dict[str, Any]) -> str:
    left = "[" if statistics.get("include_min", True) else "("
    right = "]" if statistics.get("include_max", True) else ")"
    return f"{left}{_value(statistics['min_value'])}, {_value(statistics['max_value'])}{right}"


def first_line(error: BaseException) -> str:
    """Return `Type: message`, the message's first line that is not empty."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
