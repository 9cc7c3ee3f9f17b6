"""Where people do on the web what they read of: the forms of a Prefect server, and the run of a promotion, as addresses.

Who knows the server writes them down (`remember_forms`, `remember_run`); pages and texts that are made elsewhere link there. They
are noted in the state store's cache: gone, a page has no link, and the next run of the monitor writes them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.promotion import Decision, Promotion, State
from prefect_sluice.planning.choices import asked_for
from prefect_sluice.reporting.forms_for_commands import Web
from prefect_sluice.reporting.part import titled
from prefect_sluice.reporting.report.model import WebLinks
from prefect_sluice.workspace.workspace import Workspace

_FORMS, _RUNS, _WORK = "web.forms", "web.runs", "web.work"
_ALL = "all"


def remember_forms(workspace: Workspace, forms: Mapping[str, tuple[str, Mapping[str, Json]]]) -> None:
    """Note the forms by name, each with its page and the parameters that it is opened with. Repeatable."""
    document: dict[str, Json] = {
        name: {"url": url, "parameters": dict(parameters)} for name, (url, parameters) in forms.items()
    }
    if document and workspace.store.cached(_FORMS, [_ALL]).get(_ALL) != document:
        with workspace.store.transaction() as transaction:
            transaction.put_cached(_FORMS, _ALL, document)


def remember_run(
    workspace: Workspace, promotion: str, run: str, url: str, name: str, *, resumes: bool
) -> None:
    """Note the run that works on a promotion by its id and page, what it is called, and whether it is gone on with after a yes.
    Repeatable."""
    document: Json = {"url": url, "name": name, "resumes": resumes}
    if url and workspace.store.cached(_RUNS, [promotion]).get(promotion) != document:
        with workspace.store.transaction() as transaction:
            transaction.put_cached(_RUNS, promotion, document)
            transaction.put_cached(_WORK, run, promotion)


def promotion_of_run(workspace: Workspace, run: str) -> Promotion | None:
    """Return the promotion that a run works on, or did last; None where that was not noted."""
    promotion = workspace.store.cached(_WORK, [run]).get(run)
    return workspace.store.promotion(str(promotion)) if promotion else None


def forms_of(workspace: Workspace) -> Mapping[str, tuple[str, Mapping[str, Json]]]:
    """Return the forms that were noted, by name, each with its page and what it is opened with."""
    forms = cast(dict[str, Any], workspace.store.cached(_FORMS, [_ALL]).get(_ALL) or {})
    return {name: (str(form["url"]), dict(form["parameters"])) for name, form in forms.items()}


def form_url(workspace: Workspace, form: str, **filled: Json) -> str:
    """Return the page of a form, with these fields filled in beside what it is opened with; "" where nobody noted it."""
    return Web(forms_of(workspace)).form(form, filled)


def way_of(workspace: Workspace, promotion: Promotion) -> WebLinks:
    """Return the way from a promotion's pages to its run, and, while it waits for a yes or no, to the form that says it."""
    run = cast(dict[str, Any], workspace.store.cached(_RUNS, [promotion.id]).get(promotion.id) or {})
    waits = promotion.state is State.STAGED
    yes, no = (_answer(workspace, promotion, decision) if waits else "" for decision in Decision)
    return WebLinks(run.get("url", ""), run.get("name", ""), yes, no, waits and bool(run.get("resumes")))


def _answer(workspace: Workspace, promotion: Promotion, decision: Decision) -> str:
    """Return the form that says yes or no to exactly what the promotion is now. Who presses Submit reads in it what that is,
    and types a name; a yes to what has moved since is not taken."""
    release = workspace.store.release(promotion.release)
    title = titled(release, "").removesuffix(" → ") if release else promotion.release[:7]
    title = f"new data of {title}" if promotion.cause.renews else title
    what = asked_for(promotion.id, promotion.binding, f"{title} → {promotion.environment}")
    return form_url(workspace, "answer", promotion=what, decision=decision.value)
