"""Which floating-point values are the same but for their last digits: the one definition, as SQL. Pure.

Two finite values are close where they differ by no more than `relative` times the larger of both, or by no more than `floor`.
A sum that parallel threads add up in another order is; two different whole numbers, such as ids in a data frame, never are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from math import isclose, isfinite

from prefect_sluice.planning.type_changes import fields_of
from prefect_sluice.warehouse.functions import NestedFunctions, finite

NUMBERS = "numbers, as text"
"""The type of numbers that come as their texts, since their types differ."""

RELATIVE = 1e-9
"""The tolerance where nobody sets one."""
_SINGLE = 2.0**-22
"""Two units in the last place of a FLOAT of 32 bits: a smaller tolerance would be none."""
_LAST = 2.0**-49
"""Of the largest value of a column: what is smaller is lost in a sum in which that one stands."""
_WHOLE = 9_000_000_000_000
"""Below it, a sum of fractions does not come to two whole numbers by its last digits, and a DOUBLE holds each whole number."""
_WIDTH = 1000
"""How many tolerances wide the intervals are in which rows without a key look for each other."""
_DIGITS = 16
"""So many digits has a DOUBLE whose last ones are not what somebody wrote."""
_DOUBLE = "DOUBLE PRECISION"
_LIST = re.compile(r"(.*)\[\d*\]", re.DOTALL)
_STRUCT = re.compile(r"struct\s*\((.*)\)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two floats may be apart: `relative`, unless `own` has a pattern of the relation, or of `relation.column`; 0 is
    exact. The last pattern that fits counts, one of a column before one of a relation."""

    relative: float = RELATIVE
    own: Mapping[str, float] = field(default_factory=dict[str, float])

    def of(self, names: Iterable[str], column: str) -> float:
        """Return the tolerance of a column in the relation that goes by one of these names."""
        folded_names = [name.casefold() for name in names]
        whole = [value for pattern, value in self.own.items() if _fits(pattern, folded_names)]
        named = [f"{name}.{column.casefold()}" for name in folded_names]
        exactly = [value for pattern, value in self.own.items() if _fits(pattern, named)]
        return [self.relative, *whole, *exactly][-1]


def _fits(pattern: str, names: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern.casefold()) for name in names)


@dataclass(frozen=True, slots=True)
class FloatComparison:
    """How the values of one column are held against each other. `type` is theirs, in the engine's spelling, or NUMBERS;
    `floor` is the absolute tolerance, of which the values' size decides; `nested` looks into lists and structs."""

    type: str
    relative: float
    floor: float = 0.0
    nested: NestedFunctions | None = None

    def over(self, largest: float | None) -> FloatComparison:
        """Return it for a column whose largest finite value is this: never more than what `relative` is of 1."""
        return replace(self, floor=min(self.relative, _LAST * (largest or 0.0)))

    @property
    def is_number(self) -> bool:
        """Say whether values are numbers, not lists or structs of them."""
        return self.type == NUMBERS or _is_float(self.type)

    def close(self, one: str, two: str) -> str:
        """Return the condition that two values, given as SQL expressions, are close; never NULL."""
        if self.type != NUMBERS:
            return _close(self.type, one, two, self, 0)
        parts = " OR ".join(f"{value} LIKE '%{sign}%'" for value in (one, two) for sign in ".e")
        inside = _close_numbers(f"CAST({one} AS {_DOUBLE})", f"CAST({two} AS {_DOUBLE})", self)
        return f"({one} IS NOT DISTINCT FROM {two} OR coalesce(({parts}) AND {inside}, false))"

    def coarse(self, value: str, shift: float) -> str:
        """Return a text that close values have in common, but where they stand on both sides of an interval's end; those ends
        stand elsewhere for another `shift` (0 to 1)."""
        if self.type == NUMBERS:
            return _coarse_number(f"CAST({value} AS {_DOUBLE})", self, shift)
        return _coarse(self.type, value, self, shift, 0)

    def largest(self, value: str) -> str:
        """Return the largest finite value of a column, as an aggregate."""
        number = f"CAST({value} AS {_DOUBLE})"
        return f"max(abs({number})) FILTER (WHERE {finite(number)})"


def near(
    kinds: Sequence[str], type: str, relative: float, nested: NestedFunctions | None = None
) -> FloatComparison | None:
    """Return how values of a column whose types were and are `kinds` are held against each other, None where exactly. They come
    as values of `type`, in which floats may be within lists and structs (if `nested` looks into them), or as NUMBERS."""
    if not relative:
        return None
    wide = max((_relative(kind, relative) for kind in kinds if _is_float(kind)), default=relative)
    if type == NUMBERS:
        return FloatComparison(type, wide) if any(_is_float(kind) for kind in kinds) else None
    if _is_float(type):
        return FloatComparison(type, wide)
    return FloatComparison(type, wide, nested=nested) if nested and _holds_floats(type) else None


def close_texts(one: str, two: str, relative: float) -> bool:
    """Say whether two texts are floats that differ in their last digits only. Of a text nobody knows the type: one of them has as
    many digits as a DOUBLE has, and a DECIMAL seldom; two whole numbers, such as ids, are never close."""
    try:
        b, a = float(one), float(two)
    except ValueError:
        return False
    if not any(set(text) & set(".eE") for text in (one, two)):
        return False
    digits = max(len(re.sub(r"[eE].*|[^0-9]", "", text).lstrip("0")) for text in (one, two))
    return digits >= _DIGITS and isfinite(a) and isfinite(b) and isclose(b, a, rel_tol=relative)


def _relative(kind: str, relative: float) -> float:
    return max(relative, _SINGLE) if _is_single(kind) else relative


def _is_single(kind: str) -> bool:
    return kind.lower() in {"float", "real", "float4"}


def _is_float(kind: str) -> bool:
    return _is_single(kind) or kind.lower() in {"double", "double precision", "float8"}


def _holds_floats(kind: str) -> bool:
    if inside := _LIST.fullmatch(kind):
        return _holds_floats(inside[1])
    if inside := _STRUCT.fullmatch(kind):
        return any(_holds_floats(part) for _, part in fields_of(inside[1]))
    return _is_float(kind)


def _close(kind: str, one: str, two: str, how: FloatComparison, depth: int) -> str:
    nested = how.nested
    if _is_float(kind):
        own = replace(how, relative=_relative(kind, how.relative), type=kind)
        return _close_numbers(one, two, own)
    if nested and (inside := _LIST.fullmatch(kind)):
        pair = f"x{depth}"
        element = _close(inside[1], f"{pair}[1]", f"{pair}[2]", how, depth + 1)
        return _both(one, two, nested.same_lists(one, two, inside[1], pair, element))
    if nested and (inside := _STRUCT.fullmatch(kind)):
        parts = [
            _close(part, nested.part(one, name), nested.part(two, name), how, depth)
            for name, part in fields_of(inside[1])
        ]
        return _both(one, two, " AND ".join(parts))
    return f"(CAST({one} AS VARCHAR) IS NOT DISTINCT FROM CAST({two} AS VARCHAR))"


def _close_numbers(one: str, two: str, how: FloatComparison) -> str:
    """Halves are subtracted: whole values could be beyond what a DOUBLE holds. NaN and the infinities are like themselves."""
    b, a = (f"CAST({value} AS {_DOUBLE})" for value in (one, two))
    limit = f"greatest({how.relative / 2!r} * greatest(abs({b}), abs({a})), {how.floor / 2!r})"
    whole = f"{b} = trunc({b}) AND {a} = trunc({a}) AND abs({b}) < {_WHOLE}"
    exact = "" if _is_single(how.type) else f" AND NOT ({whole})"
    near = f"{finite(b)} AND {finite(a)} AND abs({b} / 2 - {a} / 2) <= {limit}{exact}"
    return f"({one} IS NOT DISTINCT FROM {two} OR coalesce({near}, false))"


def _both(one: str, two: str, inside: str) -> str:
    nothing = f"{one} IS NULL AND {two} IS NULL"
    return f"(CASE WHEN {one} IS NULL OR {two} IS NULL THEN {nothing} ELSE {inside} END)"


def _coarse(kind: str, value: str, how: FloatComparison, shift: float, depth: int) -> str:
    nested = how.nested
    if _is_float(kind):
        return _coarse_number(value, replace(how, relative=_relative(kind, how.relative)), shift)
    if nested and (inside := _LIST.fullmatch(kind)):
        element = _coarse(inside[1], f"x{depth}", how, shift, depth + 1)
        return nested.list_text(value, inside[1], f"x{depth}", element)
    if nested and (inside := _STRUCT.fullmatch(kind)):
        parts = [
            _coarse(part, nested.part(value, name), how, shift, depth) for name, part in fields_of(inside[1])
        ]
        return f"CASE WHEN {value} IS NOT NULL THEN {nested.texts(parts)} END"
    return f"CAST({value} AS VARCHAR)"


def _coarse_number(value: str, how: FloatComparison, shift: float) -> str:
    """Return the number of the interval in which the logarithm stands; all that is about zero has the one of zero."""
    x = f"CAST({value} AS {_DOUBLE})"
    zero = how.floor * (1 + shift)
    place = f"floor(ln(abs({x})) / {how.relative * _WIDTH!r} + {shift!r})"
    return (
        f"CASE WHEN {finite(x)} THEN CASE WHEN abs({x}) <= {zero!r} THEN '0' ELSE"
        f" concat(CAST(sign({x}) AS VARCHAR), ' ', CAST({place} AS VARCHAR)) END"
        f" ELSE CAST({value} AS VARCHAR) END"
    )
