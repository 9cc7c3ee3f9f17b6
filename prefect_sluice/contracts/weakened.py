"""What a contract no longer promises: two documents of `describe`, the former and the present, compared. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from prefect_sluice.domain.digests import Json

Document = Mapping[str, Any]
_TYPE = re.compile(r"(?P<name>u?int|float|decimal|timestamp)(?P<bits>\d+)?(?:\((?P<rest>.*)\))?")
_ANYTHING = {"", ".*", "^.*", "^.*$", ".*$"}
_LOWER = {"greater_than": False, "greater_than_or_equal_to": True, "in_range": True, "equal_to": True}
_UPPER = {"less_than": False, "less_than_or_equal_to": True, "in_range": True, "equal_to": True}
_ALLOWING, _FORBIDDING = {"isin", "equal_to"}, {"notin", "not_equal_to"}
_UNDERSTOOD = {*_LOWER, *_UPPER, *_ALLOWING, *_FORBIDDING, "str_length"}


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that is promised no longer. `where` is the column, "" for the table; `sure` is False where it may be that
    the promise was only written in another way."""

    where: str
    what: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class _Bound:
    value: Any
    inclusive: bool

    def __str__(self) -> str:
        return str(self.value) if self.inclusive else f"{self.value} (excluded)"


def losses(before: Json, now: Json) -> tuple[Loss, ...]:
    """Return what `before` promises and `now` does not, in the order in which it was promised. More promises are no loss."""
    old, new = cast(Document, before), cast(Document, now)
    return (*_columns(old, new), *_table(old, new))


def _columns(old: Document, new: Document) -> Iterator[Loss]:
    for name, column in old["columns"].items():
        other = _same(name, new["columns"])
        if other is None:
            yield Loss(name, "is promised no longer")
        else:
            yield from (Loss(name, what, sure) for what, sure in _column(column, other))


def _same(name: str, columns: Mapping[str, Document]) -> Document | None:
    if name in columns:
        return columns[name]
    patterns = (
        pattern for pattern, column in columns.items() if column["regex"] and re.search(pattern, name)
    )
    return columns.get(next(patterns, ""))


def _column(old: Document, new: Document) -> Iterator[tuple[str, bool]]:
    if old["required"] and not new["required"]:
        yield "may be missing now", True
    if old["type"] and not narrower(old["type"], new["type"]):
        yield (f"was {old['type']}, is {new['type'] or 'of any type'}"), True
    if not old["nullable"] and new["nullable"]:
        yield "may be NULL now", True
    yield from _checks(old["checks"], new["checks"])


def _table(old: Document, new: Document) -> Iterator[Loss]:
    yield from (Loss("", what, sure) for what, sure in _checks(old["checks"], new["checks"]))
    kept = _unique(new)
    for names in sorted(_unique(old), key=sorted):
        if not any(other <= names for other in kept):
            yield Loss("", f"{', '.join(sorted(names))} need not be unique now")
    if old["strict"] and not new["strict"]:
        yield Loss("", "is not strict now: other columns may come")
    if old["ordered"] and not new["ordered"]:
        yield Loss("", "is not ordered now: columns may change places")


def _unique(document: Document) -> set[frozenset[str]]:
    single = {frozenset((name,)) for name, column in document["columns"].items() if column["unique"]}
    return {frozenset(names) for names in document["unique"]} | single


def narrower(old: str, new: str) -> bool:
    """Say whether whatever is of the type `new` is of the type `old`, too. Types that nothing is known of must be the same."""
    if old == new:
        return True
    before, after = _TYPE.fullmatch(old), _TYPE.fullmatch(new)
    if not before or not after or before["name"] != after["name"]:
        return False
    if before["bits"]:
        return after["bits"] is not None and int(after["bits"]) <= int(before["bits"])
    first, second = _numbers(before["rest"]), _numbers(after["rest"])
    if before["name"] == "decimal" and len(first) == len(second) == 2:
        return second[1] <= first[1] and second[0] - second[1] <= first[0] - first[1]
    return False


def _numbers(text: str | None) -> list[int]:
    parts = [part.strip() for part in (text or "").split(",")]
    return [int(part) for part in parts if part.isdigit()]


def _checks(old: Sequence[Document], new: Sequence[Document]) -> Iterator[tuple[str, bool]]:
    """Compare checks that fail a release; one that only warns promises nothing."""
    before = [check for check in old if not check["warns"]]
    after = [check for check in new if not check["warns"]]
    yield from ((what, True) for what in _limits(before, after))
    for check in before:
        if check["name"] not in _UNDERSTOOD:
            yield from _other(check, after, new)
    for check in before:
        again = [each for each in after if each["name"] == check["name"]]
        if again and not check["ignores_null"] and all(each["ignores_null"] for each in again):
            yield f"{check['name']} lets NULL pass now", True


def _limits(before: Sequence[Document], after: Sequence[Document]) -> Iterator[str]:
    old, new = _allowed(before), _allowed(after)
    if old is not None:
        more = None if new is None else [value for value in new if value not in old]
        if more is None:
            yield f"may be something else than {_listed(old)} now"
        elif more:
            yield f"may be {_listed(more)}, too, now"
        return  # what a list allows is inside of any limit that was asked beside it
    yield from _ends(before, after, new)
    lost = [value for value in _forbidden(before) if value not in _forbidden(after)]
    lost = [value for value in lost if new is None or value in new]
    if lost:
        yield f"may be {_listed(lost)} now"


def _ends(before: Sequence[Document], after: Sequence[Document], allowed: list[Any] | None) -> Iterator[str]:
    for word, read, beyond in (("below", _lowest, _is_below), ("above", _highest, _is_above)):
        old = read(before)
        if old is None:
            continue
        new = read(after)
        if new is None and allowed is not None:
            outside = [value for value in allowed if beyond(_Bound(value, True), old)]
            if outside:
                yield f"may be {_listed(outside)} now"
        elif new is None:
            yield f"may be {word} {old} now"
        elif beyond(new, old):
            yield f"may be {word} {old} now, to {new}"
    yield from _lengths(before, after)


def _lowest(checks: Sequence[Document]) -> _Bound | None:
    found = [
        _Bound(limit, _LOWER[check["name"]] and check["limits"].get("include_min", True))
        for check in checks
        if check["name"] in _LOWER
        and (limit := check["limits"].get("min_value", check["limits"].get("value"))) is not None
    ]
    return _tightest(found, _is_below)


def _highest(checks: Sequence[Document]) -> _Bound | None:
    found = [
        _Bound(limit, _UPPER[check["name"]] and check["limits"].get("include_max", True))
        for check in checks
        if check["name"] in _UPPER
        and (limit := check["limits"].get("max_value", check["limits"].get("value"))) is not None
    ]
    return _tightest(found, _is_above)


def _tightest(found: Sequence[_Bound], is_beyond: Any) -> _Bound | None:
    best: _Bound | None = None
    for each in found:
        best = each if best is None or is_beyond(best, each) else best
    return best


def _is_below(one: _Bound, other: _Bound) -> bool:
    """Say whether the lower limit `one` lets more through than `other`; values that do not compare do."""
    return _less(one.value, other.value) or (
        one.value == other.value and one.inclusive and not other.inclusive
    )


def _is_above(one: _Bound, other: _Bound) -> bool:
    return _less(other.value, one.value) or (
        one.value == other.value and one.inclusive and not other.inclusive
    )


def _less(one: Any, other: Any) -> bool:
    try:
        return bool(one < other)
    except TypeError:
        return True


def _lengths(before: Sequence[Document], after: Sequence[Document]) -> Iterator[str]:
    old, new = _length(before), _length(after)
    if old[0] is not None and (new[0] is None or new[0] < old[0]):
        yield f"may be shorter than {old[0]} characters now"
    if old[1] is not None and (new[1] is None or new[1] > old[1]):
        yield f"may be longer than {old[1]} characters now"


def _length(checks: Sequence[Document]) -> tuple[int | None, int | None]:
    limits = [check["limits"] for check in checks if check["name"] == "str_length"]
    exact = [each["exact_value"] for each in limits if each.get("exact_value") is not None]
    least = [each["min_value"] for each in limits if each.get("min_value") is not None]
    most = [each["max_value"] for each in limits if each.get("max_value") is not None]
    return max((*exact, *least), default=None), min((*exact, *most), default=None)


def _allowed(checks: Sequence[Document]) -> list[Any] | None:
    """Return the values that all lists of allowed ones have in common, None if there is no list."""
    lists = [_values(check) for check in checks if check["name"] in _ALLOWING]
    if not lists:
        return None
    return [value for value in lists[0] if all(value in each for each in lists[1:])]


def _forbidden(checks: Sequence[Document]) -> list[Any]:
    return [value for check in checks if check["name"] in _FORBIDDING for value in _values(check)]


def _values(check: Document) -> list[Any]:
    limits = check["limits"]
    if "value" in limits:
        return [limits["value"]]
    return list(limits.get("allowed_values", limits.get("forbidden_values", ())))


def _other(check: Document, after: Sequence[Document], new: Sequence[Document]) -> Iterator[tuple[str, bool]]:
    """Compare a check that one can only find again: a pattern, the project's own code."""
    named = [each for each in after if each["name"] == check["name"]]
    asks = {key: check.get(key) for key in ("limits", "code")}
    if any({key: each.get(key) for key in ("limits", "code")} == asks for each in named):
        return
    told = check["name"] + _told(check)
    if named and not any(str(_pattern(each)) in _ANYTHING for each in named if "limits" in each):
        yield f"{told} was rewritten: it may ask for less now", False
    elif any(each["name"] == check["name"] for each in new if each["warns"]):
        yield f"{told} only warns now", True
    else:
        yield f"{told} is not asked now", True


def _pattern(check: Document) -> Any:
    return next(iter(check["limits"].values()), None)


def _told(check: Document) -> str:
    limits = check.get("limits")
    return f"({', '.join(repr(value) for value in limits.values())})" if limits else ""


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(repr(value) for value in values[:8])
    return f"{shown}, …" if len(values) > 8 else shown
