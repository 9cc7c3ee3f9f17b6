"""Where people do on the web what they read of: the forms of a Prefect server, and the run of a promotion, as addresses.

Who knows the server writes them down (`remember_forms`, `remember_run`); pages and texts that are made elsewhere link there. They
are noted in the state store's cache: gone, a page has no link, and the next run of the monitor writes them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Decision, Promotion, State
from prefect_sluice.planning.choices import asked_for
from prefect_sluice.reporting.forms_for_commands import Web
from prefect_sluice.reporting.part import titled
from prefect_sluice.reporting.report.model import Way
from prefect_sluice.workspace.workspace import Workshop

_FORMS, _RUNS, _WORK = "web.forms", "web.runs", "web.work"
_ALL = "all"


def remember_forms(workshop: Workshop, forms: Mapping[str, tuple[str, Mapping[str, Json]]]) -> None:
    """Note the forms by name, each with its page and the parameters that it is opened with. Repeatable."""
    told: dict[str, Json] = {
        name: {"url": url, "parameters": dict(parameters)} for name, (url, parameters) in forms.items()
    }
    if told and workshop.store.cached(_FORMS, [_ALL]).get(_ALL) != told:
        with workshop.store.transaction() as transaction:
            transaction.put_cached(_FORMS, _ALL, told)


def remember_run(workshop: Workshop, promotion: str, run: str, url: str, name: str, *, resumes: bool) -> None:
    """Note the run that works on a promotion by its id and page, what it is called, and whether it is gone on with after a yes.
    Repeatable."""
    told: Json = {"url": url, "name": name, "resumes": resumes}
    if url and workshop.store.cached(_RUNS, [promotion]).get(promotion) != told:
        with workshop.store.transaction() as transaction:
            transaction.put_cached(_RUNS, promotion, told)
            transaction.put_cached(_WORK, run, promotion)


def promotion_of_run(workshop: Workshop, run: str) -> Promotion | None:
    """Return the promotion that a run works on, or did last; None where that was not noted."""
    known = workshop.store.cached(_WORK, [run]).get(run)
    return workshop.store.promotion(str(known)) if known else None


def forms_of(workshop: Workshop) -> Mapping[str, tuple[str, Mapping[str, Json]]]:
    """Return the forms that were noted, by name, each with its page and what it is opened with."""
    known = cast(dict[str, Any], workshop.store.cached(_FORMS, [_ALL]).get(_ALL) or {})
    return {name: (str(form["url"]), dict(form["parameters"])) for name, form in known.items()}


def form_url(workshop: Workshop, form: str, **filled: Json) -> str:
    """Return the page of a form, with these fields filled in beside what it is opened with; "" where nobody noted it."""
    return Web(forms_of(workshop)).form(form, filled)


def way_of(workshop: Workshop, promotion: Promotion) -> Way:
    """Return the way from a promotion's pages to its run, and, while it waits for a yes or no, to the form that says it."""
    run = cast(dict[str, Any], workshop.store.cached(_RUNS, [promotion.id]).get(promotion.id) or {})
    waits = promotion.state is State.STAGED
    yes, no = (_answer(workshop, promotion, said) if waits else "" for said in Decision)
    return Way(run.get("url", ""), run.get("name", ""), yes, no, waits and bool(run.get("resumes")))


def _answer(workshop: Workshop, promotion: Promotion, said: Decision) -> str:
    """Return the form that says yes or no to exactly what the promotion is now. Who presses Submit reads in it what that is,
    and types a name; a yes to what has moved since is not taken."""
    release = workshop.store.release(promotion.release)
    title = titled(release, "").removesuffix(" → ") if release else promotion.release[:7]
    title = f"new data of {title}" if promotion.cause is Cause.REFRESH else title
    what = asked_for(promotion.id, promotion.binding, f"{title} → {promotion.environment}")
    return form_url(workshop, "answer", promotion=what, decision=said.value)
