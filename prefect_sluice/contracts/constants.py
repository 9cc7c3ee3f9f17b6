"""Whether single constants pass pandera's built-in checks, as `describe` writes them. Pure.

True: passes; False: fails; None where it cannot be told here, and then neither may be taken for granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
LOWER = {"greater_than": False, "greater_than_or_equal_to": True, "in_range": True}
UPPER = {"less_than": False, "less_than_or_equal_to": True, "in_range": True}
LISTS = {"isin", "equal_to"}
_WHOLE_LIST = "unique_values_eq"
FORBIDDING = {"notin", "not_equal_to"}
OF_VALUES = {*LOWER, *UPPER, *LISTS, *FORBIDDING, "str_length"}
"""Checks whose promises can be compared whatever they are written as."""
OF_TEXT = {"str_startswith", "str_endswith", "str_matches", "str_contains"}
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:([T ])[\d:.]+(.*))?")
_OF_ONE_DIALECT = re.compile(r"\[\[|\[:|\{,|\\[^dDsSwWbBA.\\^$*+?()\[\]{}|/\-]|\(\?(?!:)")
"""What Python's regular expressions and the warehouse's may read in two ways."""


def allowed(checks: Iterable[Document]) -> list[Any] | None:
    """Return the values of the lists among `checks` that may pass all of them, None if there is no list."""
    checks = list(checks)
    lists = [constants(check) for check in checks if check["name"] in {*LISTS, _WHOLE_LIST}]
    if not lists:
        return None
    return [value for value in lists[0] if passes(value, checks) is not False]


def constants(check: Document) -> list[Any]:
    """Return the values of a list, of allowed or of forbidden ones. NULL is none: whether it passes is asked elsewhere."""
    limits = check["limits"]
    listed = [limits["value"]] if "value" in limits else next(iter(limits.values()), ())
    return [value for value in listed if value is not None]


def passes(value: Any, checks: Iterable[Document]) -> bool | None:
    """Say whether `value` passes all of `checks`."""
    return _all(_passes(value, check) for check in checks)


def less(one: Any, other: Any) -> bool | None:
    """Say whether a constant is less than another one, as the warehouse orders them."""
    kind = _kind(one)
    return bool(one < other) if kind and kind == _kind(other) else None


def limit(check: Document, end: str) -> Any:
    """Return the bound that a check sets at one end, `min_value` or `max_value`; None if it sets none."""
    sides = LOWER if end == "min_value" else UPPER
    return check["limits"].get(end) if check["name"] in sides else None


def is_inclusive(check: Document, end: str) -> bool:
    """Say whether the bound itself passes."""
    sides, key = (LOWER, "include_min") if end == "min_value" else (UPPER, "include_max")
    return bool(sides[check["name"]] and check["limits"].get(key, True))


def _passes(value: Any, check: Document) -> bool | None:
    name, limits = check["name"], check.get("limits")
    if limits is None:
        return None
    if name in {*LISTS, _WHOLE_LIST}:
        return _any(_same(value, constant) for constant in constants(check))
    if name in FORBIDDING:
        return _not(_any(_same(value, constant) for constant in constants(check)))
    if name in LOWER or name in UPPER:
        return _all(_within(value, check, end) for end in ("min_value", "max_value"))
    return _text_passes(value, name, limits) if isinstance(value, str) else None


def _within(value: Any, check: Document, end: str) -> bool | None:
    bound = limit(check, end)
    if bound is None:
        return True
    beyond = less(value, bound) if end == "min_value" else less(bound, value)
    return _not(beyond if is_inclusive(check, end) else _any((beyond, _same(value, bound))))


def _text_passes(value: str, name: str, limits: Document) -> bool | None:
    match name:
        case "str_length":
            exact = limits.get("exact_value")
            least, most = (
                (exact, exact) if exact is not None else (limits.get("min_value"), limits.get("max_value"))
            )
            return (least is None or len(value) >= least) and (most is None or len(value) <= most)
        case "str_startswith":
            return value.startswith(limits["string"])
        case "str_endswith":
            return value.endswith(limits["string"])
        case "str_matches":
            return _pattern_matches("^" * (not limits["pattern"].startswith("^")) + limits["pattern"], value)
        case "str_contains":
            return _pattern_matches(limits["pattern"], value)
        case _:
            return None


def _pattern_matches(pattern: str, value: str) -> bool | None:
    if _OF_ONE_DIALECT.search(pattern) or not (pattern + value).isascii() or not value.isprintable():
        return None
    try:
        return re.search(pattern, value, re.ASCII) is not None
    except re.error:
        return None


def _same(one: Any, other: Any) -> bool | None:
    if one == other:
        return True
    kind = _kind(one)
    return False if kind and kind == _kind(other) else None


def _kind(value: Any) -> Sequence[str | None]:
    """Return what a constant can be compared with: those of its kind. Times are texts here, each way of writing one a kind."""
    if isinstance(value, int | float):
        return ("number",)
    if not isinstance(value, str):
        return ()
    time = _TIME.fullmatch(value)
    return ("time", *time.groups()) if time else ("text",)


def _all(answers: Iterable[bool | None]) -> bool | None:
    distinct = set(answers)
    return False if False in distinct else None if None in distinct else True


def _any(answers: Iterable[bool | None]) -> bool | None:
    return _not(_all(map(_not, answers)))


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer
