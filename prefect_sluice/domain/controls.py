"""Holds, freezes and blocks: what people put in the way of a release, and which of them forbids what. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.next_step import Command

EVERYWHERE = ""
"""The target of a freeze that stops all environments."""


class ControlKind(StrEnum):
    """What a control stops: one environment, one or all until a time, or one release wherever it goes."""

    HOLD = "hold"
    FREEZE = "freeze"
    BLOCK = "block"


_DONE = {ControlKind.HOLD: "held", ControlKind.FREEZE: "frozen", ControlKind.BLOCK: "blocked"}


@dataclass(frozen=True, slots=True)
class Control:
    """One hold, freeze or block, by whom, since when and why. Times are UTC.

    `target` is an environment (EVERYWHERE: all of them), for a block a release's whole id. `until` is the end that a
    freeze was given. `promotion` is the rollback that placed it ("": a person did). `lifted_at` is None while it is in force.
    """

    id: str
    kind: ControlKind
    target: str
    by: str
    reason: str
    at: datetime
    until: datetime | None = None
    promotion: str = ""
    lifted_at: datetime | None = None
    lifted_by: str = ""
    lifted_reason: str = ""

    @property
    def done(self) -> str:
        """What it makes of its target: held, frozen, blocked."""
        return _DONE[self.kind]

    @property
    def named(self) -> str:
        """Its target as people call it: `prod`, `every environment`, `release 9f8e7d6`."""
        if self.kind is ControlKind.BLOCK:
            return f"release {self.target[:7]}"
        return self.target or "every environment"

    @property
    def told(self) -> str:
        """What it is, by whom, since when and why, in one line."""
        until = f" until {_minute(self.until)}" if self.until else ""
        return f"{self.named} is {self.done}{until} {self.origin}"

    @property
    def origin(self) -> str:
        """By whom, since when and why: `by Grace since 2026-03-04 09:00 UTC: close of books`."""
        return f"by {self.by} since {_minute(self.at)}: {self.reason}"

    @property
    def lifted_by_command(self) -> Command:
        """The command that lifts it."""
        target = self.target[:12] if self.kind is ControlKind.BLOCK else self.target or "--all"
        return Command.of(f"un{self.kind.value}", target, "--reason", "WHY")

    @property
    def lift(self) -> str:
        """The command that lifts it, as it is typed."""
        return str(self.lifted_by_command)

    def says_the_same(self, other: Control) -> bool:
        """Say whether two are the same thing said twice: what, where, by whom, why, until when."""
        mine = (self.kind, self.target, self.by, self.reason, self.until, self.promotion)
        return mine == (other.kind, other.target, other.by, other.reason, other.until, other.promotion)


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def in_force(controls: Iterable[Control], now: datetime) -> tuple[Control, ...]:
    """Return those that are neither lifted nor past their time, oldest first."""
    found_controls = (
        control
        for control in controls
        if control.lifted_at is None and (control.until is None or control.until > now)
    )
    return tuple(sorted(found_controls, key=lambda control: (control.at, control.id)))


def on(controls: Iterable[Control], environment: str, release: str = "") -> tuple[Control, ...]:
    """Return the controls that concern an environment, or a release by its whole id ("": none)."""
    return tuple(control for control in controls if _concerns(control, environment, release))


def _concerns(control: Control, environment: str, release: str) -> bool:
    match control.kind:
        case ControlKind.HOLD:
            return control.target == environment
        case ControlKind.FREEZE:
            return control.target in {environment, EVERYWHERE}
        case ControlKind.BLOCK:
            return bool(release) and control.target == release


def of_release(controls: Iterable[Control], release: str) -> tuple[Control, ...]:
    """Return the blocks of a release, by its whole id."""
    return tuple(
        control for control in controls if control.kind is ControlKind.BLOCK and control.target == release
    )


def forbidding(
    controls: Iterable[Control],
    cause: Cause,
    environment: str,
    release: str = "",
    *,
    past: str = "",
) -> Control | None:
    """Return the first of the controls in force that forbids to change an environment for this cause, or None."""
    return next(iter(all_forbidding(controls, cause, environment, release, past=past)), None)


def all_forbidding(
    controls: Iterable[Control],
    cause: Cause,
    environment: str,
    release: str = "",
    *,
    past: str = "",
) -> tuple[Control, ...]:
    """Return the controls in force that forbid to change an environment for this cause, or to serve this release there.

    A hold or freeze does not stop a rollback: who is on call must be able to go back. A block stops everything but a check,
    which changes nothing.
    `past` is the rollback whose own hold does not count: its catch-up is part of it.
    """
    if not cause.publishes:
        return ()
    return tuple(
        control
        for control in on(controls, environment, release)
        if control.kind is ControlKind.BLOCK
        or (not cause.goes_back and not (past and control.promotion == past))
    )


def blocked(controls: Iterable[Control]) -> frozenset[str]:
    """Return the ids of the releases that are blocked."""
    return frozenset(control.target for control in controls if control.kind is ControlKind.BLOCK)


@dataclass(frozen=True, slots=True)
class RollbackExtras:
    """What a rollback brings with it beside its generation: recorded with its intent, so that no crash loses it.

    `hold` is the reason of the hold that it places ("": none); `catch_up` says that its data is to be refreshed
    afterwards, `caught_up` that this was done.
    """

    promotion: str
    hold: str = ""
    catch_up: bool = False
    caught_up: bool = False
