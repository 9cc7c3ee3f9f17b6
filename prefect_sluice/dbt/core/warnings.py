"""dbt's own warnings, and reasons that no exception holds, passed on to listeners: dbt's log is switched off."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prefect_sluice.runtime.events import NOTICES, Level, Notice

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PREFIX = "[WARNING]:"
_TOLD_ELSEWHERE = re.compile(r"Log\w*Result|RunResult\w*|NodeFinished|EndOfRunSummary|NothingToDo|NoNodes\w*")
"""Names of events that only repeat what the results of nodes and tests say: the gates read those."""


def warning_listener() -> Callable[[Any], None] | None:
    """Return what hears dbt's events and passes its warnings on as notices, from any thread; None when nobody listens."""
    if not NOTICES.is_heard:
        return None
    notify = NOTICES.teller()

    def listen(event: Any) -> None:
        info = event.info
        if info.level == "warn" and not _TOLD_ELSEWHERE.fullmatch(info.name):
            notify(Notice(Level.WARNING, f"dbt: {without_colour(info.msg).removeprefix(_PREFIX).strip()}"))

    return listen


@dataclass(slots=True)
class ErrorReasons:
    """What dbt says of an error in an event only: its exception says that the semantic manifest is wrong, and not why."""

    texts: list[str] = field(default_factory=list[str])

    def hear(self, event: Any) -> None:
        """Keep the event's text if it is such a reason. In any thread."""
        if event.info.name == "SemanticValidationFailure" and event.info.level == "error":
            self.texts.append(without_colour(event.info.msg))


def forget_deprecations() -> None:
    """Forget the deprecations that dbt counted in this process: each command sums up its own.

    dbt counts for the life of its process, which is one command long where people call it. In a process that runs many, the
    sum of one project's would be the warning, and with `warn_error` the failure, of another project.
    """
    counted: Any = importlib.import_module("dbt.deprecations")
    counted.reset_deprecations()
    counted.buffered_deprecations.clear()


def without_colour(text: str) -> str:
    """Return dbt's text without the codes that colour a terminal, and without blanks around it."""
    return _COLOUR.sub("", text).strip()
