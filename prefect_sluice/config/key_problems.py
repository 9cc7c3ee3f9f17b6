"""What is wrong with a key of sluice.yml, in words of YAML and not of Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefect_sluice.domain.counting import did_you_mean

_WORDS: Mapping[str, str] = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must hold keys",
    "enum": "must be {expected}",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "frozen_set_type": "must be a list",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "invalid_key": "must be text",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "set_type": "must be a list",
    "string_pattern_mismatch": "must match {pattern}",
    "string_type": "must be text",
    "too_short": "must hold at least {min_length}",
    "tuple_type": "must be a list",
}
"""By pydantic's name of a problem: what the value must be."""


def in_words(problem: Mapping[str, Any], known_keys: Sequence[str]) -> str:
    """Return what is wrong, of one of pydantic's errors; `known_keys` are those that its section has. Pure."""
    kind = str(problem["type"])
    if kind == "extra_forbidden":
        return unknown_key(str(problem["loc"][-1]), known_keys)
    if kind == "model_type":
        return f"must hold keys: {', '.join(known_keys)}"
    if kind == "string_too_short" and problem["ctx"]["min_length"] == 1:
        return "must not be empty"
    words = _WORDS.get(kind)
    if words is None:
        return str(problem["msg"]).removeprefix("Value error, ")
    return words.format_map(problem.get("ctx", {}))


def unknown_key(key: str, known_keys: Iterable[str]) -> str:
    """Return what is said of a key that there is none of. Pure."""
    return "; ".join(filter(None, ("unknown key", did_you_mean(key, known_keys))))
