"""What goes from stage to stage: one request, and all that has become of it so far."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum
from time import perf_counter
from typing import TYPE_CHECKING

from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.next_step import NextStep
from prefect_sluice.domain.promotion import Lease, Promotion, StageTime
from prefect_sluice.domain.release import Change, CommitRange, Release
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.gates.remedies import advice
from prefect_sluice.planning.against_base import AgainstBase
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.request import Request
from prefect_sluice.runtime.cancellation import surface_cancellation
from prefect_sluice.warehouse.publishing import Published

if TYPE_CHECKING:
    from prefect_sluice.state.records import Preview
    from prefect_sluice.workspace.workspace import Workspace


class Status(StrEnum):
    """How a run of the stages ended."""

    DONE = "done"
    PARTIAL = "partial"
    """Published, without what failed and all that reads it."""
    UNCHANGED = "unchanged"
    WAITING = "waiting"
    REFUSED = "refused"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    CHECKED = "checked"
    """Built and judged, and every gate let it through; nothing was published, and nothing was to be."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: a status, one line that says it, and the next command, if there is one: `step` is that as a value, where it
    is known as one. `passing` are lines of sluice.yml that let pass what stopped it, where that is right as it is."""

    status: Status
    message: str
    next: str = ""
    passing: str = ""
    step: NextStep | None = None

    @property
    def advice(self) -> str:
        """The next command, and what else helps, in one line."""
        return advice(self.next, self.passing)


@dataclass(frozen=True, slots=True)
class Work:
    """One promotion on its way. A stage returns it with more in it; an `outcome` ends the way.

    `commits` are those that come and go with it (None: it is no other commit than what serves, or the first). `base` is what of
    the plan is of its branch (None: nobody asked).
    `workspace` is the one that the run opened, under its lease: who needs it takes it from here, and opens none.
    `approved_by` is whose yes it used, as it is shown, "" where none was needed; `resumed` says that its candidate was made and
    judged by an earlier run, which showed the findings; `published` how the generation got into the warehouse, None where that
    was done before; `took` what each stage of this run took. `preview` shows what a check let through; `unseen` says why
    it is not shown although that was asked for.
    """

    request: Request
    lease: Lease
    change: Change | None = None
    release: Release | None = None
    plan: Plan | None = None
    promotion: Promotion | None = None
    reports: tuple[GateReport, ...] = ()
    generation: Generation | None = None
    approved_by: str = ""
    resumed: bool = False
    published: Published | None = None
    outcome: Outcome | None = None
    took: tuple[StageTime, ...] = field(default=(), compare=False)
    preview: Preview | None = field(default=None, kw_only=True)
    unseen: str = field(default="", kw_only=True)
    commits: CommitRange | None = field(default=None, kw_only=True)
    base: AgainstBase | None = field(default=None, kw_only=True)
    workspace: Workspace = field(kw_only=True, compare=False, repr=False)

    def ends(self, status: Status, message: str, next: str | NextStep = "", passing: str = "") -> Work:
        """Return the work, ended."""
        step = next if isinstance(next, NextStep) else None
        return replace(self, outcome=Outcome(status, message, str(next), passing, step))


Stage = Callable[[Work], Work]
"""Takes the work so far and returns it with its own part done. Safe to run again: what is recorded is not done twice."""

OnProgress = Callable[[str], None]
"""Hears a short line about what is going on: `3/17 fct_flights`."""

_listeners: ContextVar[tuple[OnProgress, ...]] = ContextVar("listeners", default=())


def tell(line: str) -> None:
    """Say what is going on to all who listen; nobody may."""
    for listener in _listeners.get():
        listener(line)


def teller() -> OnProgress:
    """Return `tell` for another thread: it reaches those who listen in this one."""
    listeners = _listeners.get()

    def told(line: str) -> None:
        for listener in listeners:
            listener(line)

    return told


@contextmanager
def listening(listener: OnProgress) -> Generator[None]:
    """Have `listener`, too, hear what stages tell, in this thread, while the block runs."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


Around = Callable[[Stage], Stage]
"""Wraps a stage, to time or show it."""

_around: ContextVar[Around | None] = ContextVar("around", default=None)


@contextmanager
def watching(around: Around) -> Generator[None]:
    """Have `walk` wrap each stage in `around`, in this thread, while the block runs."""
    token = _around.set(around)
    try:
        yield
    finally:
        _around.reset(token)


OnWork = Callable[[Work], object]
"""Hears the work as each stage leaves it."""

_followers: ContextVar[tuple[OnWork, ...]] = ContextVar("followers", default=())


@contextmanager
def following(follower: OnWork) -> Generator[None]:
    """Have `walk` tell `follower`, too, of the work after each stage, in this thread, while the block runs."""
    token = _followers.set((*_followers.get(), follower))
    try:
        yield
    finally:
        _followers.reset(token)


@contextmanager
def keeping(box: list[Work]) -> Generator[None]:
    """Have `walk` put the work after each stage into `box`: what a flow run cannot hand back as its state's data."""
    with following(box.append):
        yield


def walk(work: Work, *stages: Stage) -> Work:
    """Go through the stages in order, until one ends the work."""
    around = _around.get()
    for stage in stages:
        started = perf_counter()
        with surface_cancellation():
            done = around(stage)(work) if around else stage(work)
        name = str(getattr(stage, "__name__", "stage"))
        work = replace(done, took=(*work.took, StageTime(name, perf_counter() - started)))
        for follower in _followers.get():
            follower(work)
        if work.outcome is not None:
            break
    return work
