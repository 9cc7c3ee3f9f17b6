"""Messages in Prefect, in a run's state or its log: with forms in place of commands, because their readers are in a browser."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.gates.remedies import advice
from prefect_sluice.orchestration.shown.links import key_url
from prefect_sluice.promotions.work import Outcome
from prefect_sluice.reporting.forms_for_commands import Web, in_markdown, in_words, step_in_words
from prefect_sluice.reporting.write_pages import web
from prefect_sluice.workspace.workspace import Workspace

STATUS = "status"
"""The key of the standing artifact that says what serves, waits and is held."""

_WORKSPACE: ContextVar[Workspace | None] = ContextVar("sluice_workspace", default=None)
_WEB: ContextVar[Web] = ContextVar("sluice_web", default=Web())  # noqa: B039
_LOGS = ("prefect.flow_runs", "prefect.task_runs")


class _InWords(logging.Filter):
    """Puts forms in place of commands in each line of a run's log. Drops no line."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _WEB.get().forms:
            record.msg, record.args = name_forms(record.getMessage()), ()
        return True


_FILTER = _InWords()


@contextmanager
def speaking() -> Generator[None]:
    """Have messages name forms while the block runs, from when `speaks_of` is given the project."""
    tokens = _WEB.set(Web()), _WORKSPACE.set(None)
    for name in _LOGS:
        logging.getLogger(name).addFilter(_FILTER)  # the same one again is no second one
    try:
        yield
    finally:
        _WEB.reset(tokens[0])
        _WORKSPACE.reset(tokens[1])


def speaks_of(workspace: Workspace) -> None:
    """Take note of where the project's forms are. What cannot be read has its run end in its own words. Repeatable."""
    _WORKSPACE.set(workspace)
    try:
        _WEB.set(web(workspace, key_url(STATUS)))
    except SluiceError:
        return  # whoever uses the state store next says so


def spoken_of() -> Workspace | None:
    """Return the project that the run here is of, as far as it is known by now."""
    return _WORKSPACE.get()


def name_forms(text: str) -> str:
    """Return a line with the project's forms in place of commands."""
    return in_words(text, _WEB.get())


def error_with_forms(error: SluiceError) -> str:
    """Return an error's line with the project's forms in place of commands."""
    step = error.next_step
    if step is None:
        return name_forms(str(error))
    return f"{name_forms(error.problem)}; {step_in_words(step, _WEB.get())}"


def outcome_with_forms(outcome: Outcome) -> str:
    """Return how a run ended and what to do next, with the project's forms in place of commands."""
    message = name_forms(outcome.message)
    if not outcome.next:
        return message
    step = outcome.step
    following = name_forms(outcome.next) if step is None else step_in_words(step, _WEB.get())
    return f"{message}; {advice(following, outcome.passing)}"


def link_forms(markdown: str) -> str:
    """Return an artifact's text with links to the project's forms in place of commands."""
    return in_markdown(markdown, _WEB.get())
