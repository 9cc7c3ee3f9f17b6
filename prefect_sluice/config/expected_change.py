"""One entry of `expect:` in sluice.yml."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def parse_share(value: object) -> object:
    """Read `3%` as 0.03; a number stays what it is. Raises ValueError for any other text."""
    if not isinstance(value, str):
        return value
    match = _PERCENT.fullmatch(value.strip())
    if not match:
        raise ValueError(f"{value!r} is not a share: write it as 3% or 0.03")
    return float(match[1]) / 100


class Expectation(BaseModel):
    """A change in the data that the commit means to make: the gate `diff` takes it for explained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    relation: str = Field(
        min_length=1, description="The model, seed or snapshot that changes; * and ? stand for any."
    )
    column: str = Field(
        default="*",
        min_length=1,
        description="The column whose values change, or `rows` for rows that come or go; * and ? stand for any column.",
    )
    up_to: Annotated[
        float, BeforeValidator(parse_share, json_schema_input_type=float | str), Field(gt=0, le=1)
    ] = Field(default=1.0, description="The largest share of the rows that it changes: 3% or 0.03.")
    reason: str = Field(min_length=1, description="Why; it stands in the report.")
