"""`sluice plan`: what a release would do, and nothing done."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console
from prefect_sluice.cli.who import actor as who

if TYPE_CHECKING:
    from prefect_sluice.node import Node
    from prefect_sluice.plan import Plan
    from prefect_sluice.release import Release
    from prefect_sluice.stages.work import Request
    from prefect_sluice.why import Why
    from prefect_sluice.workshop import Workshop


@click.command()
@click.argument("ref", default="HEAD")
@options.environment
@click.option(
    "--dirty", is_flag=True, help="Plan for the working tree as it is; only where no approval is needed."
)
@click.option(
    "--why",
    "named",
    multiple=True,
    metavar="NODE",
    help="Say why this node is built or reused; may be repeated.",
)
@options.common
def plan(
    ref: str, environment: str, dirty: bool, named: tuple[str, ...], folder: Path, console: Console
) -> int:
    """Show what a release would build, reuse and remove, and why.

    REF is a commit, branch or tag; HEAD by default. Nothing is built, and a release that is at work is not
    disturbed.
    """
    from prefect_sluice.cli.progress import progress
    from prefect_sluice.generation import Cause
    from prefect_sluice.render import document
    from prefect_sluice.render.plan import headline, plan_lines
    from prefect_sluice.render.why import why_lines
    from prefect_sluice.stages.work import Request

    request = Request(folder, environment, Cause.RELEASE, ref, dirty, who("", folder))
    with progress(console):
        made, release, reasons = _planned(request, named)
    if named:
        console.show([headline(made), *(row for reason in reasons for row in why_lines(reason))])
    else:
        console.show(plan_lines(made, release, width=console.width))
    told = {"why": [reason.document() for reason in reasons]} if named else {}
    console.answer({**document.plan(made), "change": document.change(release.change), **told})
    return 0


def _planned(request: Request, named: tuple[str, ...]) -> tuple[Plan, Release, tuple[Why, ...]]:
    """Return the plan and the release it is for, without a lease, and why the named nodes are in it as they are."""
    from dataclasses import replace

    from prefect_sluice import surroundings
    from prefect_sluice.loading import load
    from prefect_sluice.promotion import Lease
    from prefect_sluice.stages.build import before, pack, plan_release
    from prefect_sluice.stages.records import OutOfOrder
    from prefect_sluice.stages.source import source
    from prefect_sluice.stages.work import Work
    from prefect_sluice.why import why

    surroundings.be_quiet()
    workshop = _aside(request.folder)
    place = workshop.place(request.environment)
    now = surroundings.now()
    nobody = Lease(place.name, 0, "", now, now)
    change = source(Work(replace(request, environment=place.name), nobody)).change
    if change is None:
        raise OutOfOrder()
    release = pack(workshop, change, request.actor)
    made = plan_release(workshop, place, release, request.cause)
    if not named:
        return made, release, ()
    notes = before(workshop, workshop.warehouse(place).generation(place.name))
    nodes = load(workshop, place, release).project.nodes
    return made, release, tuple(why(made, notes, nodes, _meant(nodes, text)) for text in named)


def _meant(nodes: Mapping[str, Node], text: str) -> str:
    """Return the unique id of the node that people call so. Raises BadInput when there is none, or several."""
    from prefect_sluice.errors import BadInput

    found = [uid for uid, node in nodes.items() if text.lower() in _called(node)]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadInput(f"{text!r} is any of {', '.join(found)}", fix="name one of them")
    near = get_close_matches(text, [node.short for node in nodes.values()], 3)
    meant = f" (near: {', '.join(near)})" if near else ""
    raise BadInput(
        f"there is no node {text!r}{meant}", fix="name a model, seed or snapshot: sluice plan --why NODE"
    )


def _called(node: Node) -> set[str]:
    return {node.unique_id.lower(), node.short.lower(), str(node.name).lower()}


def _aside(folder: Path) -> Workshop:
    """Return the workshop with work folders of its own: in the shared ones a release may be building right
    now."""
    from prefect_sluice.workshop import Place, Workshop

    class Aside(Workshop):
        def work(self, place: Place) -> Path:
            return self.folder / "work" / f"{place.name}.plan"

    return Aside.at(folder)
