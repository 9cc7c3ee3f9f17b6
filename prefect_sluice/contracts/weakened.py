"""Weakened contracts: two documents of `describe`, the former and the present, compared for promises that are gone. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from prefect_sluice.contracts.constants import (
    FORBIDDING,
    LISTS,
    OF_TEXT,
    OF_VALUES,
    Document,
    allowed,
    constants,
    is_inclusive,
    less,
    limit,
    passes,
)
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json

_TYPE = re.compile(r"(?P<name>u?int|float|decimal|timestamp)(?P<bits>\d+)?(?:\((?P<rest>.*)\))?")
_ANYTHING = {"", ".*", "^.*", "^.*$", ".*$"}


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
        other = _same(name, column, new["columns"])
        if other is None:
            yield Loss(name, "is promised no longer")
        else:
            yield from (Loss(name, what, sure) for what, sure in _column(column, other))
    for name in sorted(_present(old) - _present(new)):
        if name not in old["columns"] or _same(name, old["columns"][name], new["columns"]) is not None:
            yield Loss(name, "may be missing now")


def _same(name: str, old: Document, columns: Mapping[str, Document]) -> Document | None:
    if name in columns and columns[name]["regex"] == old["regex"]:
        return columns[name]
    if old["regex"]:
        return None
    patterns = (
        pattern for pattern, column in columns.items() if column["regex"] and re.search(pattern, name)
    )
    return columns.get(next(patterns, ""))


def _present(document: Document) -> set[str]:
    """Return the columns that must be there; of a pattern for several, the pattern: any of them will do."""
    columns = document["columns"].items()
    required = {_alone(name) if column["regex"] else name for name, column in columns if column["required"]}
    return required | {name for names in document["unique"] for name in names}


def _alone(pattern: str) -> str:
    match = re.fullmatch(r"\^(\w+)\$", pattern)
    return match[1] if match else pattern


def _column(old: Document, new: Document) -> Iterator[tuple[str, bool]]:
    if old["type"] and not narrower(old["type"], new["type"]):
        yield (f"was {old['type']}, is {new['type'] or 'of any type'}"), True
    yield from _checks(old, new)


def _table(old: Document, new: Document) -> Iterator[Loss]:
    yield from (Loss("", what, sure) for what, sure in _checks(old, new))
    if old["type"] and not old["columns"] and (new["columns"] or not narrower(old["type"], new["type"])):
        yield Loss("", f"was {old['type']} in all columns, is not now")
    kept = _unique(new)
    for names in sorted(_unique(old), key=sorted):
        if not any(other <= names for other in kept):
            yield Loss("", f"{', '.join(sorted(names))} need not be unique now")
    yield from (Loss("", what) for what in _strict(old, new))
    if old["ordered"] and not (new["ordered"] and _keeps_order(old, new)):
        yield Loss(
            "",
            f"{'has another order' if new['ordered'] else 'is not ordered'} now: columns may change places",
        )


def _strict(old: Document, new: Document) -> Iterator[str]:
    """A column more that must be there is one promise more; one that may be there is the end of `no other columns`."""
    if old["strict"] and not new["strict"]:
        yield "is not strict now: other columns may come"
    elif old["strict"] and (old["columns"] or not old["type"]):
        for name, column in new["columns"].items():
            other = old["columns"].get(name)
            may_come = column["regex"] or not column["required"]
            if (
                may_come
                and (other is None or other["regex"] != column["regex"])
                and _alone(name) not in old["columns"]
            ):
                yield f"may have another column {name} now"
        if new["type"] and not new["columns"]:
            yield "may have any other column now"


def _keeps_order(old: Document, new: Document) -> bool:
    """Say whether the columns come in the order of before. Where a pattern stands for one, nobody can tell."""
    before = [name for name in old["order"] if _same(name, old["columns"][name], new["columns"]) is not None]
    return before == [
        name for name in new["order"] if name in old["columns"] or new["columns"][name]["regex"]
    ]


def _unique(document: Document) -> set[frozenset[str]]:
    single = {
        frozenset((f"each column of {name}" if column["regex"] else name,))
        for name, column in document["columns"].items()
        if column["unique"]
    }
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


def _checks(old: Document, new: Document) -> Iterator[tuple[str, bool]]:
    """Compare checks that fail a release; one that only warns promises nothing."""
    before = [check for check in old["checks"] if not check["warns"]]
    after = [check for check in new["checks"] if not check["warns"]]
    given_up = [check for check in before if not _is_asked_again(check, after)]
    values = allowed(after)
    if values is None:
        yield from ((what, True) for what in _limits(before, after))
        undecided = [check for check in given_up if check["name"] not in OF_VALUES]
    else:
        lost, undecided = _lost(values, given_up)
        if lost:
            also = ", too," if any(check["name"] in LISTS for check in before) else ""
            yield f"may be {_listed(lost)}{also} now", True
    for check in undecided:
        yield from _other(check, after, new["checks"])
    yield from _null(old, new, before, after)


def _is_asked_again(check: Document, after: Sequence[Document]) -> bool:
    if not check.get("limits") and not check.get("code"):
        return False  # a check whose code nobody can read
    keys = ("name", "limits", "code")
    return any(all(check.get(key) == later.get(key) for key in keys) for later in after)


def _lost(values: Sequence[Any], given_up: Sequence[Document]) -> tuple[list[Any], list[Document]]:
    """Return which of all values that may come now could not before, and the checks of which that cannot be told."""
    lost = [value for value in values if any(_is_lost(value, check) for check in given_up)]
    kept = [value for value in values if value not in lost]
    undecided = [
        check
        for check in given_up
        if check["name"] not in OF_VALUES
        and (check["name"] not in OF_TEXT or any(passes(value, [check]) is None for value in kept))
    ]
    return lost, undecided


def _is_lost(value: Any, check: Document) -> bool:
    answer = passes(value, [check])
    return answer is False or (answer is None and check["name"] in OF_VALUES)


def _null(
    old: Document, new: Document, before: Sequence[Document], after: Sequence[Document]
) -> Iterator[tuple[str, bool]]:
    if not new.get("nullable", True):
        return
    if not old.get(
        "nullable", True
    ):  # NaN is refused with NULL where a column is not nullable, and by no check's ignore_na
        yield f"may be {'NaN' if any(map(_refuses_null, after)) else 'NULL'} now", True
        return
    if any(map(_refuses_null, after)):
        return
    for check in before:
        again = [later for later in after if later["name"] == check["name"]]
        refuses = _refuses_null(check) or ("code" in check and again and not check["ignores_null"])
        if refuses and all(later["ignores_null"] for later in again):
            yield f"{check['name']} lets NULL pass now", True


def _refuses_null(check: Document) -> bool:
    """Say whether a check is known to fail where there is NULL."""
    is_of_rows = "limits" in check and check["name"] != "unique_values_eq"
    return is_of_rows and not check["ignores_null"] and check["limits"].get("value", 0) is not None


def _limits(before: Sequence[Document], after: Sequence[Document]) -> Iterator[str]:
    if any(check["name"] in LISTS for check in before):
        yield f"may be something else than {_listed(allowed(before) or ()) or 'nothing'} now"
        return  # what a list allows is inside of any limit that was asked beside it
    yield from _ends(before, after)
    forbidden = [value for check in before if check["name"] in FORBIDDING for value in constants(check)]
    lost = [value for value in forbidden if passes(value, after) is not False]
    if lost:
        yield f"may be {_listed(lost)} now"


def _ends(before: Sequence[Document], after: Sequence[Document]) -> Iterator[str]:
    for word, end, is_beyond in (("below", "min_value", _is_below), ("above", "max_value", _is_above)):
        now = [
            _Bound(bound.value, bound.inclusive and passes(bound.value, after) is not False)
            for bound in _bounds(after, end)
        ]
        lost = [bound for bound in _bounds(before, end) if all(is_beyond(other, bound) for other in now)]
        old, new = _tightest(lost, is_beyond), _tightest(now, is_beyond)
        if old is not None:
            yield f"may be {word} {old} now" + (f", to {new}" if new is not None else "")
    yield from _lengths(before, after)


def _bounds(checks: Sequence[Document], end: str) -> list[_Bound]:
    return [
        _Bound(bound, is_inclusive(check, end))
        for check in checks
        if (bound := limit(check, end)) is not None
    ]


def _tightest(bounds: Sequence[_Bound], is_beyond: Any) -> _Bound | None:
    best: _Bound | None = None
    for bound in bounds:
        best = bound if best is None or is_beyond(best, bound) else best
    return best


def _is_below(one: _Bound, other: _Bound) -> bool:
    """Say whether the lower limit `one` lets more through than `other`; values that do not compare do."""
    return _is_beyond(less(one.value, other.value), one, other)


def _is_above(one: _Bound, other: _Bound) -> bool:
    return _is_beyond(less(other.value, one.value), one, other)


def _is_beyond(answer: bool | None, one: _Bound, other: _Bound) -> bool:
    if one.value == other.value:
        return one.inclusive and not other.inclusive
    return answer is not False


def _lengths(before: Sequence[Document], after: Sequence[Document]) -> Iterator[str]:
    old, new = _length(before), _length(after)
    if old[0] is not None and (new[0] is None or new[0] < old[0]):
        yield f"may be shorter than {count(old[0], 'character')} now"
    if old[1] is not None and (new[1] is None or new[1] > old[1]):
        yield f"may be longer than {count(old[1], 'character')} now"


def _length(checks: Sequence[Document]) -> tuple[int | None, int | None]:
    limits = [check["limits"] for check in checks if check["name"] == "str_length"]
    ends = [
        [limit.get("exact_value"), limit.get("exact_value")]
        for limit in limits
        if limit.get("exact_value") is not None
    ]
    ends += [
        [limit.get("min_value"), limit.get("max_value")]
        for limit in limits
        if limit.get("exact_value") is None
    ]
    least = [low for low, _ in ends if low is not None]
    most = [high for _, high in ends if high is not None]
    return max(least, default=None), min(most, default=None)


def _other(check: Document, after: Sequence[Document], new: Sequence[Document]) -> Iterator[tuple[str, bool]]:
    """Compare a check that one can only find again: a pattern, the project's own code."""
    named = [later for later in after if later["name"] == check["name"]]
    named_check = check["name"] + _limits_text(check)
    if named and not any(str(_pattern(later)) in _ANYTHING for later in named if "limits" in later):
        yield f"{named_check} was rewritten: it may ask for less now", False
    elif any(warning["name"] == check["name"] for warning in new if warning["warns"]):
        yield f"{named_check} only warns now", True
    else:
        yield f"{named_check} is not asked now", True


def _pattern(check: Document) -> Any:
    return next(iter(check["limits"].values()), None)


def _limits_text(check: Document) -> str:
    limits = check.get("limits")
    return f"({', '.join(repr(value) for value in limits.values())})" if limits else ""


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(repr(value) for value in values[:8])
    return f"{shown}, …" if len(values) > 8 else shown
