"""Events of the stages while they run, for listeners such as the log. Nothing is decided by them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from prefect_sluice.domain.verdict import GateReport

T = TypeVar("T")


class Topic(Generic[T]):
    """A kind of event. A listener hears those of its own thread, and of threads that it starts with a copied context."""

    def __init__(self, name: str) -> None:
        """Give the topic a name, for debugging."""
        self._listeners: ContextVar[tuple[Callable[[T], object], ...]] = ContextVar(name, default=())

    @property
    def is_heard(self) -> bool:
        """Say whether there is a listener: without one, what is costly to compute need not be computed."""
        return bool(self._listeners.get())

    def tell(self, value: T) -> None:
        """Pass an event to every listener."""
        self.teller()(value)

    def teller(self) -> Callable[[T], None]:
        """Return `tell` for another thread: it reaches the listeners of this one."""
        listeners = self._listeners.get()

        def told(value: T) -> None:
            for listener in listeners:
                listener(value)

        return told

    @contextmanager
    def heard_by(self, listener: Callable[[T], object]) -> Generator[None]:
        """Add `listener` while the block runs."""
        token = self._listeners.set((*self._listeners.get(), listener))
        try:
            yield
        finally:
            self._listeners.reset(token)


class Level(StrEnum):
    """How much a notice matters."""

    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that went wrong, or may: `text` is dbt's own message, or a line of ours; it may have several lines.

    `about` is the unique id of the node that failed, "" for anything else.
    """

    level: Level
    text: str
    about: str = ""


class NodeFate(StrEnum):
    """What became of a node or a data test."""

    BUILT = "built"
    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class NodeDone:
    """What became of one node or data test, and when (UTC). `kind` is dbt's word (model, seed, snapshot, test, operation), `name`
    what people call it, `message` one line or dbt's own; `rows` are those of a new table, None where nobody counted."""

    unique_id: str
    kind: str
    name: str
    fate: NodeFate
    message: str
    started: datetime
    ended: datetime
    rows: int | None = None
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GateJudged:
    """A gate's report, just given, and when it was asked and answered (UTC). `blocks`: what it holds stops the release."""

    report: GateReport
    started: datetime
    ended: datetime
    blocks: bool


NOTICES: Topic[Notice] = Topic("notices")
"""Warnings and failures as they happen, dbt's own among them."""

NODES: Topic[tuple[NodeDone, ...]] = Topic("nodes")
"""The nodes of one build, or the data tests of one gate, once all of them have ended."""

JUDGED: Topic[GateJudged] = Topic("judged")
"""Each gate's report, as it is given."""
