"""The section `refresh` of an environment: what a refresh does that is stopped, or has to wait."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from prefect_sluice.config.base import Duration, Section


class Refreshing(Section):
    """What a refresh does that finds a hold, a freeze, a block, or another one at work."""

    held: Literal["skip", "fail"] = Field(
        default="skip",
        description="At a hold, freeze or block: `skip` this time, aloud, or `fail`.",
    )
    busy: Literal["wait", "skip", "fail"] = Field(
        default="wait",
        description="When another one is at work: `wait` and then skip this time, `skip` it at once, or `fail`.",
    )
    wait: Duration = Field(
        default=timedelta(minutes=30), description="How long `busy: wait` waits for the other one."
    )

    @property
    def patience(self) -> timedelta:
        """How long a refresh waits for another one at work where no time was given."""
        return self.wait if self.busy == "wait" else timedelta(0)
