"""`sluice previews` and `sluice end-preview`: what checks are shown in, and its end."""

from __future__ import annotations

from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console


@click.command()
@options.common
def previews(folder: Path, console: Console) -> int:
    """List the previews that show what checks built.

    Each stands in a schema of its own beside what the environment serves. It ends by itself: some days after its last check, and
    when its branch is gone. sluice check --serve makes one.
    """
    from prefect_sluice.promotions.lookups import existing_store
    from prefect_sluice.reporting.json_documents import preview as document
    from prefect_sluice.reporting.terminal.preview_list import preview_lines
    from prefect_sluice.workspace.workspace import Workspace

    store = existing_store(Workspace.at(folder))
    there = store.previews() if store is not None else ()
    console.page(preview_lines(there, width=console.width))
    console.answer({"previews": [document(preview) for preview in there]})
    return 0


@click.command("end-preview")
@click.argument("name")
@click.option("--if-exists", is_flag=True, help="Say so, and exit with 0, where there never was one.")
@options.actor
@options.common
def end_preview(name: str, if_exists: bool, actor: str, folder: Path, console: Console) -> int:
    """Take the names of a preview away.

    What its check built is dropped by the next sluice collect. Again is no change. With --if-exists it is no error that no check
    ever showed it, as when a pull request is closed that no gate let through.
    """
    from prefect_sluice.domain.digests import Json
    from prefect_sluice.reporting.json_documents import preview as document
    from prefect_sluice.reporting.styled_text import line
    from prefect_sluice.reporting.write_pages import renew_all_after_answer
    from prefect_sluice.stages.preview import end_previews
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    if if_exists and end_previews.is_unknown(workspace, name):
        console.show([line(f"there is no preview {name!r}: nothing to end")])
        console.answer({"preview": None})
        return 0
    ended = end_previews.end_preview(workspace, name, actor=who(actor, folder))
    renew_all_after_answer(workspace)
    console.show([line(ended.line)])
    forgotten: dict[str, Json] = {"name": ended.name, "ended": ended.at.isoformat(), "reason": ended.reason}
    console.answer({"preview": document(ended.record) if ended.record else forgotten})
    return 0
