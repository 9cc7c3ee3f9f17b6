"""Links from a promotion to its flow run in Prefect's UI, noted as soon as there is one: its pages, made anywhere, have them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from prefect import get_run_logger
from prefect.client.orchestration import get_client

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.orchestration.shown.links import form_page, run_url
from prefect_sluice.orchestration.this_run import deployments, this_run
from prefect_sluice.promotions.work import Work, following
from prefect_sluice.reporting.web_addresses import remember_forms, remember_run
from prefect_sluice.workspace.workspace import Workspace


@contextmanager
def linked(workspace: Workspace, *, resumes: bool) -> Generator[None]:
    """Note this flow run for the promotion that the stages in the block work on. `resumes`: it can be suspended, and gone on
    with. What cannot be noted is logged, and stops nothing."""
    noted: set[tuple[str, str]] = set()

    def follow(work: Work) -> None:
        run = this_run()
        if run is None or work.promotion is None or (work.promotion.id, run.name) in noted:
            return
        noted.add((work.promotion.id, run.name))
        try:
            address = run_url(str(run.id))
            remember_run(workspace, work.promotion.id, str(run.id), address, run.name, resumes=resumes)
        except SluiceError as error:
            get_run_logger().warning(
                f"pages of promotion {work.promotion.id} do not lead to this run: {error}"
            )

    with following(follow):
        yield


def note_forms(workspace: Workspace, folder: str) -> tuple[str, ...]:
    """Note where the forms of a project are, for links to them; returns no line to show. Repeatable.

    `folder` is the parameter by which Prefect deployments name the project.
    """
    with get_client(sync_client=True) as client:
        forms = {
            deployment.name: (form_page(deployment.id), dict(deployment.parameters))
            for deployment in deployments(client, folder)
        }
    remember_forms(workspace, {name: form for name, form in forms.items() if form[0]})
    return ()
