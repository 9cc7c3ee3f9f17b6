"""`sluice plan`: what a release would do, and nothing done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console
from prefect_sluice.cli.who import actor as who

if TYPE_CHECKING:
    from prefect_sluice.plan import Plan
    from prefect_sluice.release import Release
    from prefect_sluice.stages.work import Request
    from prefect_sluice.workshop import Place, Workshop


@click.command()
@click.argument("ref", default="HEAD")
@options.environment
@click.option(
    "--dirty", is_flag=True, help="Plan for the working tree as it is; only where no approval is needed."
)
@options.common
def plan(ref: str, environment: str, dirty: bool, folder: Path, console: Console) -> int:
    """Show what a release would build, reuse and remove, and why.

    REF is a commit, branch or tag; HEAD by default. Nothing is built, and a release that is at work is not
    disturbed.
    """
    from prefect_sluice.generation import Cause
    from prefect_sluice.stages.work import Request

    return show_planned(Request(folder, environment, Cause.RELEASE, ref, dirty, who("", folder)), console)


def show_planned(request: Request, console: Console) -> int:
    """Show the plan of a request, and do nothing."""
    from prefect_sluice.cli.progress import progress
    from prefect_sluice.render import document
    from prefect_sluice.render.plan import plan_lines

    with progress(console):
        made, release = planned(request)
    console.show(plan_lines(made, release, width=console.width))
    console.answer({**document.plan(made), "change": document.change(release.change)})
    return 0


def planned(request: Request) -> tuple[Plan, Release]:
    """Return the plan and the release it is for, without a lease. Nothing that runs is disturbed."""
    from prefect_sluice import surroundings
    from prefect_sluice.stages.build import plan_release

    surroundings.be_quiet()
    workshop = _aside(request.folder)
    place = workshop.place(request.environment)
    release = _release(workshop, place, request)
    return plan_release(workshop, place, release, request.cause), release


def _release(workshop: Workshop, place: Place, request: Request) -> Release:
    from dataclasses import replace

    from prefect_sluice import surroundings
    from prefect_sluice.generation import Cause
    from prefect_sluice.promotion import Lease
    from prefect_sluice.stages.build import pack
    from prefect_sluice.stages.promoting import chosen
    from prefect_sluice.stages.records import OutOfOrder
    from prefect_sluice.stages.source import source
    from prefect_sluice.stages.work import Work

    if request.cause is Cause.PROMOTION:
        return chosen(workshop, place, request)
    now = surroundings.now()
    nobody = Lease(place.name, 0, "", now, now)
    change = source(Work(replace(request, environment=place.name), nobody)).change
    if change is None:
        raise OutOfOrder()
    return pack(workshop, change, request.actor)


def _aside(folder: Path) -> Workshop:
    """Return the workshop with work folders of its own: in the shared ones a release may be building right
    now."""
    from prefect_sluice.workshop import Workshop

    class Aside(Workshop):
        def work(self, place: Place) -> Path:
            return self.folder / "work" / f"{place.name}.plan"

    return Aside.at(folder)
