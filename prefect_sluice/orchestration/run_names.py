"""Run names: `release a1b2c3d → prod`, of a check with its branch: by the request first, by the commit once Source knows it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, assert_never, cast

import httpx
from prefect import get_run_logger
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.release import DIRTY
from prefect_sluice.domain.untrusted_text import one_line
from prefect_sluice.planning.choices import parse_waiting_choice, report_called
from prefect_sluice.promotions.request import (
    CheckRequest,
    PromoteRequest,
    RefreshRequest,
    ReleaseRequest,
    Request,
    RollbackRequest,
)
from prefect_sluice.promotions.work import Work, following

_SHORT = 7
_WAYS = {Cause.PROMOTION: "promote"}
"""How a way in is called where its cause is called otherwise."""


def run_name_maker(way: str) -> Callable[..., str]:
    """Return what Prefect asks for the name of a run that has just begun, from its parameters alone."""

    def name() -> str:
        context = FlowRunContext.get()
        parameters = context.parameters or {} if context is not None else {}
        before = context.flow_run.name if context is not None and context.flow_run is not None else ""
        ref = str(parameters.get("ref") or parameters.get("release") or "")
        report = report_called(str(parameters.get("report") or ""))
        where = str(parameters.get("environment") or "")
        what = report or ref or str(parameters.get("origin") or "")
        what = what or parse_waiting_choice(str(parameters.get("promotion") or ""))[0]
        return begun(_led(way, parameters), before, _shortened(what) if way != "rollback" else "", where)

    return name


def _led(way: str, parameters: Mapping[str, Any]) -> str:
    """Return the first word of a run's name: `hold` of the form for controls, `approve` of that for answers."""
    if way == "plan":
        return f"plan {parameters.get('way', '')}".strip()
    return str(parameters.get("act") or parameters.get("decision") or way)


def begun(way: str, before: str, what: str, environment: str) -> str:
    """Return the name of a run that begins, `before` being its name by now. One that is resumed, or tried again, was named by
    what is known of it, and keeps that. Pure."""
    return before if before.startswith(f"{way} ") and "→" in before else called(way, what, environment)


def called(way: str, what: str, environment: str) -> str:
    """Return a run's name: the way in, what goes and where to, as far as they are known. Pure."""
    words = [way, what] if what else [way]
    if environment:
        words += ["→", environment] if what else [environment]
    return one_line(" ".join(words))


def name_of(work: Work) -> str:
    """Return the name of a run by what is known of its work: the commit, and which generation a rollback goes back to. Pure."""
    request = work.request
    return called(_WAYS.get(request.cause, request.cause.value), _what(work), request.environment)


def _what(work: Work) -> str:
    match work.request:
        case CheckRequest(ref=ref, branch=branch):
            return " ".join(filter(None, (branch, _commit(work)))) or _shortened(ref)
        case ReleaseRequest(ref=ref):
            return _commit(work) or _shortened(ref)
        case RollbackRequest() if work.generation is not None:
            return f"to generation {work.generation.origin}"
        case PromoteRequest() if work.release is not None and work.release.composed is not None:
            return work.release.change.subject  # the part, and no commit of which it is a part only
        case RefreshRequest() | PromoteRequest() | RollbackRequest():
            return _commit(work)
        case _ as other:
            assert_never(other)


def _commit(work: Work) -> str:
    if work.change is None:
        return ""
    if work.change.commit == DIRTY:
        return "working tree"
    commits = work.commits
    more = f" and {commits.coming - 1} more" if commits is not None and commits.coming > 1 else ""
    without = f", without {commits.goes[0].id[:_SHORT]}" if commits is not None and commits.going else ""
    return f"{work.change.commit[:_SHORT]}{more}{without}"


def _shortened(ref: str) -> str:
    """Return a whole commit shortened, and any other ref as it is."""
    whole = len(ref) >= 40 and all(letter in "0123456789abcdef" for letter in ref.lower())
    return ref[:_SHORT] if whole else ref


@contextmanager
def naming(request: Request) -> Generator[None]:
    """Rename the flow run, while the block runs, as soon as more of its work is known."""
    shown_name = [""]

    def follow(work: Work) -> None:
        if work.resumed:
            return  # it bears its name
        # What comes after a rollback is part of it, and so of its name.
        name = name_of(work)
        if work.request.cause is request.cause and name != shown_name[0]:
            shown_name[0] = name
            rename(name)

    with following(follow):
        yield


def rename(name: str) -> None:
    """Give the flow run that goes on here a name. A server that does not take it costs a warning. Repeatable."""
    context = FlowRunContext.get()
    run = context.flow_run if context is not None else None
    if context is None or run is None or run.name == name:
        return
    try:
        cast(Any, context.client).set_flow_run_name(flow_run_id=run.id, name=name)
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning(f"the run could not be called {name!r}: {type(error).__name__}")
        return
    cast(Any, run).name = name
