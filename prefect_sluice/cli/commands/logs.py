"""`sluice logs`: what the runs of an environment told while they ran on this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.promotions.run_log import RunLog
    from prefect_sluice.reporting.styled_text import Line
    from prefect_sluice.workspace.workspace import Workspace

_EVERY = 0.5
"""Seconds between two looks at a log that is followed."""


@click.command()
@click.argument("promotion", default="")
@options.environment
@click.option(
    "-n",
    "--runs",
    "many",
    type=click.IntRange(min=1),
    default=None,
    help="How many runs to show. Default: the last one; of a promotion all.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on showing what comes, until the run ends.")
@options.common
def logs(
    promotion: str, environment: str, many: int | None, follow: bool, folder: Path, console: Console
) -> int:
    """Show what the last run told: stages, nodes, gates, errors.

    That is the last run of an environment on this machine; with a PROMOTION, all of its runs. Each line has the time (UTC),
    the run, a level and a text; an error that nobody foresaw is there with its traceback. Prefect has the log of its own
    runs, too, on whatever machine they ran.
    """
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    every = _find_runs(workspace, environment, promotion)
    every.sort(key=lambda pair: pair[1].began)
    where, runs = every[-1][0], [run for _, run in every[-(many or (len(every) if promotion else 1)) :]]
    if follow and not console.json and not runs[-1].ended:
        return _follow(where, runs[-1].id, console.show, threading.Event().wait)
    console.page([line for run in runs for line in _lines(run)])
    console.answer([
        {"run": run.id, "promotion": run.promotion or None, "ended": run.ended, "lines": list(run.lines)} for run in runs
    ])  # fmt: skip
    return 0


def _find_runs(
    workspace: Workspace, environment: str, promotion: str
) -> list[tuple[tuple[Path, ...], RunLog]]:
    """Return the runs that are asked for, each with its files; at least one. Raises BadInput."""
    from prefect_sluice.domain.errors import BadInput
    from prefect_sluice.promotions.run_log import files_of, files_of_checks

    names = (
        [workspace.environment(environment).name]
        if environment or not promotion
        else list(workspace.environments)
    )
    logs = [files(workspace, name) for name in names for files in (files_of, files_of_checks)]
    runs = [(log, run) for log in logs for run in _read(log) if run.promotion.startswith(promotion)]
    if runs:
        return runs
    what = f"promotion {promotion!r}" if promotion else f"a run of {names[0]}"
    raise BadInput(
        f"this machine has no log of {what}",
        fix="look where it ran, or at its run in Prefect; what it came to: sluice history",
    )


def _read(files: tuple[Path, ...]) -> tuple[RunLog, ...]:
    from prefect_sluice.promotions.run_log import runs

    there = (file for file in files if file.exists())
    return runs("".join(file.read_text(encoding="utf-8", errors="replace") for file in there))


def _follow(
    files: tuple[Path, ...],
    run: str,
    show: Callable[[list[Line]], None],
    wait: Callable[[float], object],
) -> int:
    """Show a run's lines as they come, until it ends or whoever watches stops it. Each line is read once."""
    from prefect_sluice.promotions.run_log import Tail, ends, parted

    before, now = files
    last, lines = "", before.read_text("utf-8", errors="replace").splitlines() if before.exists() else []
    with closing(Tail(now)) as tail:
        while True:
            new_lines: list[str] = []
            for line in [*lines, *tail.more()]:
                last = parts[1] if (parts := parted(line)) else last
                new_lines += [line] if last == run else []
            show([_line(line) for line in new_lines])
            if any(ends(line) for line in new_lines):
                return 0
            lines = []
            wait(_EVERY)


def _lines(run: RunLog) -> Iterator[Line]:
    return (_line(written) for written in run.lines)


def _line(written: str) -> Line:
    from prefect_sluice.promotions.run_log import parted
    from prefect_sluice.reporting.styled_text import Span, Style, faint, line

    looks = {"WARNING": Style.WARN, "ERROR": Style.BAD}
    if (parts := parted(written)) is None:
        return line(faint(written))
    at, id, level, text = parts
    return line(faint(f"{at} {id} "), Span(f"{level:<7} ", looks.get(level, Style.FAINT)), text)
