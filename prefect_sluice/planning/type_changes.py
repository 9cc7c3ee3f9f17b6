"""Which change of a column's type a reader does not notice: every value still fits, and is still the same sort of thing. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_ALIASES = {
    "int1": "tinyint", "int2": "smallint", "short": "smallint", "int": "integer", "int4": "integer",
    "signed": "integer", "int8": "bigint", "long": "bigint", "int128": "hugeint", "real": "float",
    "float4": "float", "float8": "double", "double precision": "double", "numeric": "decimal", "dec": "decimal",
    "text": "varchar", "string": "varchar", "character varying": "varchar", "char": "varchar",
    "character": "varchar", "bpchar": "varchar", "bool": "boolean", "timestamptz": "timestamp with time zone",
    "timestamp without time zone": "timestamp", "timestamp_us": "timestamp", "datetime": "timestamp",
    "bytea": "blob", "binary": "blob", "varbinary": "blob",
}  # fmt: skip
_SIGNED = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64, "hugeint": 128}
_UNSIGNED = {"utinyint": 8, "usmallint": 16, "uinteger": 32, "ubigint": 64, "uhugeint": 128}
_EXACT = {"float": 2**24, "double": 2**53}
"""Up to which whole number each is exact."""
_DIGITS = {"float": 6, "double": 15}
_TIMES = {
    "date": {"timestamp_s", "timestamp_ms", "timestamp"},
    "timestamp_s": {"timestamp_ms", "timestamp"},
    "timestamp_ms": {"timestamp"},
}
_DEFAULT_DECIMAL = (18, 3)
_TYPE = re.compile(r"([\w ]+?|\"[^\"]*\")\s*(?:\((.*)\))?((?:\[\d*\])*)", re.DOTALL)
_LIST = re.compile(r"(.*)\[\d*\]", re.DOTALL)


def widens(before: str, after: str) -> bool:
    """Say whether every value of the type `before` is one of `after`, too, and of the same sort: a number stays a number.

    A type that is not known widens to itself alone. Nothing widens to text but text and an ENUM: who adds up a column
    cannot add up texts.
    """
    return before.strip().lower() == after.strip().lower() or _widens(before.strip(), after.strip())


def narrows(before: str, after: str) -> bool:
    """Say whether `after` holds less of the same sort: some values of `before` do not fit."""
    return widens(after, before) and not widens(before, after)


def _widens(before: str, after: str) -> bool:
    if before.strip('"').lower() == "null":
        return True
    one, two = _LIST.fullmatch(before), _LIST.fullmatch(after)
    if one and two:
        # A list may take any number of elements, an array takes as many as it says.
        return after.endswith(("[]", before[len(one[1]) :])) and widens(one[1], two[1])
    (name, inside), (other, within) = _parsed(before), _parsed(after)
    if name == other == "struct":
        fields, further = dict(fields_of(inside)), dict(fields_of(within))
        return all(key in further and widens(kind, further[key]) for key, kind in fields.items())
    if name == "enum":
        return other == "varchar" or (other == name and set(_split(inside)) <= set(_split(within)))
    if name == other == "varchar":
        return not within or (bool(inside) and int(inside) <= int(within))
    return other in _TIMES.get(name, ()) or (name == other and inside == within) or _as_number(before, after)


def _as_number(before: str, after: str) -> bool:
    (name, inside), (other, within) = _parsed(before), _parsed(after)
    limits, further = _range(name), _range(other)
    if limits and further:
        return further[0] <= limits[0] and limits[1] <= further[1]
    if limits and other == "decimal":
        digits, scale = _decimal(within)
        return len(str(limits[1])) <= digits - scale
    if limits:
        return other in _EXACT and max(limits[1], -limits[0]) <= _EXACT[other]
    if name == other == "decimal":
        (digits, scale), (more, finer) = _decimal(inside), _decimal(within)
        return finer >= scale and more - finer >= digits - scale
    if name == "decimal":
        return other in _DIGITS and _decimal(inside)[0] <= _DIGITS[other]
    return (name, other) == ("float", "double")


def _range(name: str) -> tuple[int, int] | None:
    if name in _SIGNED:
        return -(2 ** (_SIGNED[name] - 1)), 2 ** (_SIGNED[name] - 1) - 1
    return (0, 2 ** _UNSIGNED[name] - 1) if name in _UNSIGNED else None


def _decimal(inside: str) -> tuple[int, int]:
    """Return precision and scale, as DuckDB takes them where they are not said."""
    numbers = [int(part) for part in inside.split(",") if part.strip().isdigit()]
    return (numbers[0], numbers[1] if len(numbers) > 1 else 0) if numbers else _DEFAULT_DECIMAL


def _parsed(text: str) -> tuple[str, str]:
    """Return a type's name in lower case, one of several names for the same, and what stands in its brackets."""
    match = _TYPE.fullmatch(text)
    if match is None or match[3]:
        return text.lower(), ""
    name = re.sub(r"\s+", " ", match[1].lower())
    return _ALIASES.get(name, name), (match[2] or "").strip()


def fields_of(inside: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a STRUCT: names in lower case, and types."""
    for part in _split(inside):
        quoted = re.match(r'"((?:[^"]|"")*)"\s*', part)
        name, rest = (quoted[1], part[quoted.end() :]) if quoted else (part.split(" ")[0], "")
        yield name.lower(), rest or part[len(name) :].strip()


def _split(text: str) -> list[str]:
    """Return the parts of `text` between its commas, those in quotes and brackets left alone."""
    parts, depth, quote = [""], 0, ""
    closing: Mapping[str, int] = {"(": 1, ")": -1}
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += closing.get(letter, 0)
        if letter == "," and not quote and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]
