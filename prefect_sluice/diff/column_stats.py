"""What a column's values are like before and after: NULLs, distinct values, the smallest, the largest, the mean."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Annotated

from pydantic import Field

from prefect_sluice.diff.values import format_value
from prefect_sluice.domain.digests import Json


@dataclass(frozen=True, slots=True)
class ColumnStats:
    """One column of one relation. `about`: the engine estimated `distinct`. `least` and `most` are text, cut where it is
    long, and None where there is no value or no order; `mean` only of numbers."""

    nulls: int
    distinct: int
    about: Annotated[bool, Field(alias="distinct_is_estimated")] = False
    least: Annotated[str | None, Field(alias="min")] = None
    most: Annotated[str | None, Field(alias="max")] = None
    mean: float | None = None


@dataclass(frozen=True, slots=True)
class ColumnStatsPair:
    """A column on both sides; None where it is on one side only. `type` is the one after, or where it is gone, before."""

    name: str
    type: str
    before: ColumnStats | None
    after: ColumnStats | None

    def shown(self) -> tuple[str, ...]:
        """Return nulls, distinct, min, max and mean as people read them: `3 -> 5`, or one value where both are the same."""
        old, new = (_texts(side) for side in (self.before, self.after))
        if old is None or new is None:
            return new or old or ("",) * len(MEASURES)
        return tuple(a if a == b else f"{a or 'none'} → {b or 'none'}" for a, b in zip(old, new, strict=True))

    def as_json(self) -> Json:
        """Return it as plain JSON values."""
        return {
            "name": self.name,
            "type": self.type,
            "before": _document(self.before),
            "after": _document(self.after),
        }


MEASURES = ("nulls", "distinct", "min", "max", "mean")
"""What `ColumnStatsPair.shown` returns, in its order."""


def _texts(side: ColumnStats | None) -> tuple[str, ...] | None:
    if side is None:
        return None
    # Two digits are more than a sketch knows.
    distinct = f"≈ {int(float(f'{side.distinct:.2g}'))}" if side.about else str(side.distinct)
    ends = [end if side.mean is None else format_value(end) for end in (side.least or "", side.most or "")]
    return (str(side.nulls), distinct, *ends, readable(side.mean))


def readable(value: float | None) -> str:
    """Return a mean with six digits that count, "" for none."""
    if value is None:
        return ""
    if not isfinite(value) or not 1e-4 <= abs(value) < 1e15:
        return f"{value:.6g}"
    digits = max(0, 5 - len(str(int(abs(value)))) + 1)
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _document(side: ColumnStats | None) -> Json:
    if side is None:
        return None
    mean = side.mean
    return {
        "nulls": side.nulls,
        "distinct": side.distinct,
        "distinct_is_estimated": side.about,
        "min": side.least,
        "max": side.most,
        # JSON has no word for NaN and the infinities.
        "mean": mean if mean is None or isfinite(mean) else str(mean),
    }
