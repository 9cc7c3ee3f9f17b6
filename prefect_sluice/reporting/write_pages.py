"""The page of each promotion's report, kept where a web server finds it: written whole, and again when it moves on."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_sluice.domain.controls import in_force, of_release
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.promotions.records import OPEN
from prefect_sluice.promotions.work import Work, keeping, tell
from prefect_sluice.reporting.forms_for_commands import Web
from prefect_sluice.reporting.web_addresses import form_url, forms_of, way_of
from prefect_sluice.runtime import process
from prefect_sluice.runtime.after_answer import after_answer
from prefect_sluice.state.bundles import write_whole
from prefect_sluice.workspace.workspace import Workspace

if TYPE_CHECKING:
    from prefect_sluice.reporting.status_page import EnvironmentCard

FOLDER = "reports"
INDEX = "index"
_MANY = 30
"""So many of an environment's promotions are looked at: those that a run can have moved on."""
_MARK = "<!-- state "
_MARK_LENGTH = len(_MARK) + 64 + len(" -->\n")


def path_of(workspace: Workspace, promotion: str) -> Path:
    """Return where the page of a promotion's report is, if it was written."""
    return workspace.folder / FOLDER / f"{promotion}.html"


def address_of(workspace: Workspace, promotion: str) -> str:
    """Return the page's address on the web, "" when nobody serves it (SLUICE_REPORTS_URL is not set) or it is not written."""
    url = process.reports_url()
    return f"{url}/{promotion}.html" if url and path_of(workspace, promotion).is_file() else ""


def index_address() -> str:
    """Return the address of the page that says what serves, waits and is held; "" when nobody serves it."""
    url = process.reports_url()
    return f"{url}/" if url else ""


def web(workspace: Workspace, status: str = "") -> Web:
    """Return where people do on the web what commands do, as far as somebody noted it. `status` is a page that says what
    serves, where that of the reports is not served."""
    return Web(forms_of(workspace), index_address() or status, partial(address_of, workspace))


def write_index(workspace: Workspace, stands: Sequence[EnvironmentCard]) -> None:
    """Write that page as of now, where it says anything else. Raises OSError."""
    from prefect_sluice.reporting.status_page import standing_page

    home = form_url(workspace, "release").partition("/deployment/")[0]
    path, state = path_of(workspace, INDEX), digest([home, *map(repr, stands)])
    if _written_state(path) == state:
        return
    path.parent.mkdir(exist_ok=True)
    content = standing_page(stands, process.now(), home) + _mark(state)
    write_whole(path, content.encode(), mode=0o644)


def has_page(promotion: Promotion) -> bool:
    """Say whether a promotion has a page: it reached Stage's end, was refused, or served."""
    return bool(promotion.evidence) or promotion.state is State.REFUSED or promotion.generation is not None


def write(workspace: Workspace, promotion: Promotion) -> None:
    """Write the page of a promotion's report as of now, in place of an older one; beside a remote bundle store, too.

    Where it moved on meanwhile, it is written once more: whichever process is the last, the page is that of the state.
    Raises what `dossier` raises, and OSError.
    """
    from prefect_sluice.reporting.gather_report import dossier
    from prefect_sluice.reporting.report.html import page
    from prefect_sluice.reporting.report.make_report import report

    path = path_of(workspace, promotion.id)
    path.parent.mkdir(exist_ok=True)
    written = ""
    while written != (state := page_states(workspace, [promotion])[promotion.id]):
        content = (page(report(dossier(workspace, promotion))) + _mark(state)).encode()
        write_whole(path, content, mode=0o644)
        workspace.bundles.put_page(f"{FOLDER}/{promotion.id}.html", content)
        written, promotion = state, workspace.store.promotion(promotion.id) or promotion


def page_states(workspace: Workspace, promotions: Sequence[Promotion]) -> dict[str, str]:
    """Return a digest, by promotion, of what the pages of promotions of one environment say that may change: where each stands,
    whether it serves, who answered, what blocks its release, where its run and form are."""
    if not promotions:
        return {}
    store, now = workspace.store, process.now()
    serving, controls = store.serves(promotions[0].environment), in_force(store.controls(), now)
    answers = store.answers([promotion.id for promotion in promotions])
    return {
        promotion.id: digest(
            {
                "promotion": repr(promotion),
                "way": repr(way_of(workspace, promotion)),
                "serves": serving is not None and serving["promotion"] == promotion.id,
                "answers": [repr(approval) for approval in answers[promotion.id]],
                "blocks": [repr(control) for control in of_release(controls, promotion.release)],
            }
        )
        for promotion in promotions
    }


def renew(workspace: Workspace, environment: str, promotion: str = "") -> None:
    """Write the page of a promotion, if one is named, and again those of its environment that say what is true no longer, whoever
    moved them on; one that is true is left as it is. Repeatable: what a process that died did not write, the next one does."""
    last = workspace.store.promotions(environment=environment, limit=_MANY, but=Cause.CHECK)
    own = workspace.store.promotion(promotion) if promotion else None
    others = [shown for shown in last if shown.id != promotion]
    written = {shown.id: _written_state(path_of(workspace, shown.id)) for shown in last}
    paged_ones = [shown for shown in others if written[shown.id] is not None or shown.state in OPEN]
    if own is not None:
        written[own.id] = _written_state(path_of(workspace, own.id))
        paged_ones.append(own)
    states = page_states(workspace, paged_ones)
    for shown in paged_ones:
        if has_page(shown) and written[shown.id] != states[shown.id]:
            write(workspace, shown)


def _mark(state: str) -> str:
    """Return the last line of a page, by which a later run knows whether it is still true: a comment."""
    return f"{_MARK}{state} -->\n"


def _written_state(path: Path) -> str | None:
    """Return the state that a page was written of, "" where it does not say; None where there is no page."""
    try:
        with path.open("rb") as page:
            page.seek(max(path.stat().st_size - _MARK_LENGTH, 0))
            end = page.read().decode(errors="replace")
    except OSError:
        return None
    return end.partition(_MARK)[2].removesuffix(" -->\n")


@contextlib.contextmanager
def paged(workspace: Workspace) -> Generator[None]:
    """Have the pages of what the block's stages moved on written at its end, however it ends.

    What cannot be written is told, and stops nothing: the page says what is recorded, and is made again by the next run.
    """
    kept: list[Work] = []
    try:
        with keeping(kept):
            yield
    finally:
        promotion = kept[-1].promotion if kept else None
        if promotion is not None:
            renew_after_answer(workspace, promotion)


def renew_after_answer(workspace: Workspace, promotion: Promotion) -> None:
    """Have the pages of a promotion's environment renewed, and that of what serves, once the answer is out. Raises nothing."""
    workspace, environment = workspace.anew(), promotion.environment
    after_answer(f"{workspace.root} {environment}", lambda: renewed(workspace, promotion))
    after_answer(f"{workspace.root}", lambda: index_renewed(workspace))


def renew_all_after_answer(workspace: Workspace) -> None:
    """Have the pages of every environment renewed that say what is true no longer, and that of what serves, once the answer is
    out: for what concerns more than one promotion, or none. Raises nothing."""
    workspace = workspace.anew()
    for environment in workspace.environments:
        after_answer(f"{workspace.root} {environment}", partial(environment_renewed, workspace, environment))
    after_answer(f"{workspace.root}", lambda: index_renewed(workspace))


def index_renewed(workspace: Workspace) -> None:
    """Write the page of what serves as of now; what cannot be written is told. Raises nothing."""
    from prefect_sluice.reporting.gather_status import standing

    try:
        write_index(workspace, standing(workspace))
    except Exception as error:  # a web server's page is not worth a release
        tell(f"the page of what serves could not be written: {error}")


def renewed(workspace: Workspace, promotion: Promotion) -> None:
    """Renew the pages of a promotion's environment; what cannot be written is told. Raises nothing."""
    try:
        renew(workspace, promotion.environment, promotion.id)
    except Exception as error:  # a web server's page is not worth a release
        tell(f"the page of promotion {promotion.id} could not be written: {error}")


def environment_renewed(workspace: Workspace, environment: str) -> None:
    """Renew the pages of an environment; what cannot be written is told. Raises nothing."""
    try:
        renew(workspace, environment)
    except Exception as error:  # a web server's page is not worth a release
        tell(f"the pages of {environment} could not be written: {error}")
