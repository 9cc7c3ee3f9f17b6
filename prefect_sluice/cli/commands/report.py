"""`sluice report` and `open`: one promotion, told for people who decide: Markdown, a page in one file, or JSON."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console
from prefect_sluice.domain.untrusted_text import number

if TYPE_CHECKING:
    from prefect_sluice.reporting.report.model import Report
    from prefect_sluice.workspace.workspace import Workspace

_FORMATS = ("markdown", "html", "json")
_BY_SUFFIX = {".html": "html", ".htm": "html", ".json": "json"}


def _limit(_ctx: click.Context, _param: click.Parameter, value: str) -> int | None:
    """Return how many characters: the name of a forge, or a number; "" is the default of the format."""
    from prefect_sluice.reporting.report.markdown import LIMITS

    if not value:
        return None
    if value in LIMITS:
        return LIMITS[value]
    given = number(value)
    if not given:
        raise click.BadParameter(f"{value!r} is neither {' nor '.join(LIMITS)}, nor a number above 0")
    return given


@click.command()
@click.argument("what", metavar="RELEASE|PROMOTION|GENERATION", default="")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default=None,
    help="Default: by the name of --output, else markdown.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar="FILE",
    help="Write it there, instead of on stdout.",
)
@click.option(
    "--limit",
    callback=_limit,
    default="",
    metavar="github|gitlab|N",
    help="At most so many characters: what a comment may have there, or N. Default: github for markdown, 2,000,000 for html.",
)
@options.environment
@options.common
def report(
    what: str,
    form: str | None,
    output: Path | None,
    limit: int | None,
    environment: str,
    folder: Path,
    console: Console,
) -> int:
    """Report what a release changes, for whom, and what the gates found.

    And what to do next. It is named by the beginning of its id, of its commit, or by a generation's number; by default the newest
    promotion. What does not fit the limit is left out, the least telling first, and counted.
    """
    from prefect_sluice.workspace.workspace import Workspace

    form = form or ("json" if console.json else _BY_SUFFIX.get(output.suffix.lower(), "") if output else "")
    text = _text(_report(Workspace.at(folder), environment, what), form or "markdown", limit)
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text, console)
    return 0


@click.command("open")
@click.argument("what", metavar="RELEASE|PROMOTION|GENERATION", default="")
@options.environment
@options.common
def open_report(what: str, environment: str, folder: Path, console: Console) -> int:
    """Open the report of a promotion in the browser.

    It is written anew, as one page in Sluice's folder. It is named as in `sluice report`; by default it is the newest.
    """
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    text = _text(_report(workspace, environment, what), "html", None)
    output = workspace.folder / "opened.html"
    write_file(output, text)
    _tell_opened(output, webbrowser.open(output.as_uri()), console)
    return 0


def _tell_opened(output: Path, opened: bool, console: Console) -> None:
    from prefect_sluice.reporting.styled_text import line

    console.show(
        [line(f"opened: {output}" if opened else f"no browser answers here; the report is {output}")]
    )
    console.answer({"written": str(output), "opened": opened, "exit_code": 0})


def _report(workspace: Workspace, environment: str, what: str) -> Report:
    from prefect_sluice.cli.commands.show import find_by_name
    from prefect_sluice.promotions.lookups import existing_store
    from prefect_sluice.reporting.gather_report import dossier
    from prefect_sluice.reporting.report.make_report import report

    store = existing_store(workspace)
    if store is not None and not what:
        newest = store.promotions(environment=environment or None, limit=1)
        if newest:
            return report(dossier(workspace, newest[0]))
    release, promotion = find_by_name(workspace, store, environment, what)
    return report(dossier(workspace, promotion, release))


def _text(report: Report, form: str, limit: int | None) -> str:
    import json

    from prefect_sluice.reporting.report.document import report_document
    from prefect_sluice.reporting.report.html import LIMIT, page
    from prefect_sluice.reporting.report.markdown import LIMITS, markdown

    if form == "json":
        return json.dumps(report_document(report), ensure_ascii=False, indent=2) + "\n"
    if form == "html":
        return page(report, limit=limit or LIMIT)
    return markdown(report, limit=limit or LIMITS["github"])


def _write(output: Path, text: str, console: Console) -> None:
    from prefect_sluice.reporting.styled_text import line

    write_file(output, text)
    console.show([line(f"written: {output}")])
    console.answer({"written": str(output), "exit_code": 0})


def write_file(output: Path, text: str) -> None:
    """Write a report into a file; a folder of Sluice's own (.sluice) is made for it, so that nothing lies uncommitted in a
    checkout. Raises BadInput where that cannot be."""
    from prefect_sluice.domain.errors import BadInput
    from prefect_sluice.workspace.workspace import FOLDER, own_folder

    try:
        if output.parent.name == FOLDER and not output.parent.exists():
            own_folder(output.parent)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BadInput(
            f"the report cannot be written: {why}", str(output), "name another file: --output"
        ) from error
