"""The page of each promotion's report, kept where a web server finds it: written whole, and again when it moves on."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.promotions.work import Work, keeping, tell
from prefect_sluice.reporting.forms_for_commands import Web
from prefect_sluice.reporting.web_addresses import form_url, forms_of
from prefect_sluice.runtime import process
from prefect_sluice.state.bundles import write_whole
from prefect_sluice.workspace.workspace import Workspace

if TYPE_CHECKING:
    from prefect_sluice.reporting.status_page import EnvironmentCard

FOLDER = "reports"
INDEX = "index"
_MANY = 30
"""So many of an environment's promotions are looked at: those that a run can have moved on."""


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
    """Write that page as of now. Raises OSError."""
    from prefect_sluice.reporting.status_page import standing_page

    home = form_url(workspace, "release").partition("/deployment/")[0]
    path = path_of(workspace, INDEX)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, standing_page(stands, process.now(), home).encode(), mode=0o644)


def has_page(promotion: Promotion) -> bool:
    """Say whether a promotion has a page: it reached Stage's end, was refused, or served."""
    return bool(promotion.evidence) or promotion.state is State.REFUSED or promotion.generation is not None


def write(workspace: Workspace, promotion: Promotion) -> None:
    """Write the page of a promotion's report as of now, in place of an older one; beside a remote bundle store, too.

    Raises what `dossier` raises, and OSError.
    """
    from prefect_sluice.reporting.gather_report import dossier
    from prefect_sluice.reporting.report.html import page
    from prefect_sluice.reporting.report.make_report import report

    content = page(report(dossier(workspace, promotion))).encode()
    path = path_of(workspace, promotion.id)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, content, mode=0o644)
    workspace.bundles.put_page(f"{FOLDER}/{promotion.id}.html", content)


def renew(workspace: Workspace, environment: str, promotion: str) -> None:
    """Write the page of a promotion, and again those of its environment that say what is true no longer. Repeatable.

    That are those which moved on since they were written, and that of the one which served before.
    """
    own = workspace.store.promotion(promotion)
    if own is None:
        return
    for shown in workspace.store.promotions(environment=environment, limit=_MANY, but=Cause.CHECK):
        written = _written(path_of(workspace, shown.id))
        served_before = own.generation is not None and shown.generation == own.base
        true_since = max(shown.updated_at, own.updated_at) if served_before else shown.updated_at
        if shown.id != promotion and written is not None and written < true_since:
            write(workspace, shown)
    if has_page(own):
        write(workspace, own)


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
            renewed(workspace, promotion)
            index_renewed(workspace)


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


def _written(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
