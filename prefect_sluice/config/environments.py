"""An environment in sluice.yml: what may be done there; or, under a pattern as `pr-*`, what its previews are like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from pydantic import Field

from prefect_sluice.config.approvals import Approving
from prefect_sluice.config.base import Duration, Section
from prefect_sluice.config.refreshes import Refreshing

PRODUCTION = ("prod", "production")
"""Environments of these names ask for one approval unless the configuration says otherwise."""

_OF_PATTERNS = ("like", "ttl")


class KeepSettings(Section):
    """Which generations `sluice collect` leaves whole: those among the last, and those younger than the age."""

    generations: int = Field(default=10, ge=1, description="How many of the last generations stay whole.")
    age: Duration = Field(
        default=timedelta(days=7), description="Generations younger than this stay whole, however many."
    )


class EnvironmentPolicy(Approving):
    """Where a release serves. Environments are ordered as they are written, production last."""

    target: str | None = Field(
        default=None,
        description="The dbt target whose names and warehouse it uses. "
        "Default: the one of the same name, else the profile's default.",
    )
    approvals: int | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How many approvals a release needs. Default: 1 for prod and production, 0 elsewhere.",
    )
    refresh_approvals: int = Field(default=0, ge=0, le=1, description="How many approvals a refresh needs.")
    after: str | None = Field(
        default=None,
        description="The environment in which a release must have been stable before it is promoted here; "
        "`any` for no such rule. Default: the one written before it, prod and production counting as last.",
    )
    direct: Literal["allow", "deny"] = Field(
        default="allow",
        description="Whether `sluice release` may release here directly, or only `sluice promote`.",
    )
    keep: KeepSettings = Field(
        default_factory=KeepSettings,
        description="What `sluice collect` leaves whole; the generation that serves and the one that a rollback "
        "goes to always are.",
    )
    partial: Literal["deny", "allow"] = Field(
        default="deny",
        description="What a refresh does when some relations fail: publish nothing, or what does not hang together with them.",
    )
    refresh: Refreshing = Field(
        default_factory=Refreshing,
        description="What a refresh does that finds a hold, a freeze, a block, or another one at work.",
    )
    like: str | None = Field(
        default=None,
        description="For a pattern as `pr-*`: the environment that a preview of this name is like, `prod` say. It shows what "
        "a check built there.",
    )
    ttl: Duration | None = Field(
        default=None,
        description="For a pattern: how long after its last check a preview ends. Default: 3d.",
    )
    isolation: Literal["off", "preferred", "required"] = Field(
        default="preferred",
        description="Whether dbt runs in a process of its own that is shut in: it reads its checkout and what serves, and "
        "builds. `preferred`: where this machine cannot isolate it, it runs with the rights of the deployer, and that is told; "
        "`required`: there nothing is built. `off`: dbt runs in Sluice's own process.",
    )


def is_pattern(name: str) -> bool:
    """Say whether that is no environment's name but the pattern of previews: `pr-*`. Pure."""
    return "*" in name or "?" in name


def refuse_other_keys(name: str, policy: EnvironmentPolicy, named: Sequence[str]) -> None:
    """Raise ValueError for a pattern that is like none of the environments `named`, or says what only those have; and for one
    of those that says what only a pattern has. Pure."""
    default = EnvironmentPolicy()
    own = [key for key in type(policy).model_fields if getattr(policy, key) != getattr(default, key)]
    if not is_pattern(name):
        wrong = [key for key in own if key in _OF_PATTERNS]
        if wrong:
            raise ValueError(f"{name!r} takes no {wrong[0]!r}: that is for patterns, as 'pr-*'")
        return
    if not policy.like or (named and policy.like not in named):
        choice = f", one of: {', '.join(named)}" if named else ""
        raise ValueError(f"{name!r} is a pattern, and needs 'like', an environment{choice}")
    wrong = [key for key in own if key not in _OF_PATTERNS]
    if wrong:
        raise ValueError(f"{name!r} is a pattern: it takes 'like' and 'ttl' only, not {wrong[0]!r}")
