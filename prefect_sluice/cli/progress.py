"""What is going on while a release runs: a line per stage as it ends, and on a terminal a line that moves."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING

from prefect_sluice.cli.console import Console, is_live
from prefect_sluice.render.stages import stage_line
from prefect_sluice.render.styled import Line, cut
from prefect_sluice.stages.work import Stage, Work, listening, watching

if TYPE_CHECKING:
    from rich.status import Status


class Progress:
    """Shows stages. On a terminal on stderr, so that stdout holds the answer; in a pipe the lines are part of
    the answer."""

    def __init__(self, console: Console, status: Status | None = None) -> None:
        """Show on `status`'s terminal; without one, as plain lines."""
        self._console = console
        self._status = status
        self._stage = ""

    def around(self, stage: Stage) -> Stage:
        """Return the stage, timed and shown."""
        name = str(getattr(stage, "__name__", "stage"))

        def shown(work: Work) -> Work:
            self._stage = name.capitalize()
            self.hear("")
            started = perf_counter()
            done = stage(work)
            self._write(stage_line(name, perf_counter() - started, work, done))
            return done

        return shown

    def hear(self, told: str) -> None:
        """Show what a stage tells, until it tells something else."""
        if self._status is not None:
            text = f"{self._stage}: {told}" if told and self._stage else told or self._stage
            self._status.update(_escaped(cut(text, self._console.width - 4)))

    def _write(self, one: Line) -> None:
        if self._status is None:
            self._console.show([one])
        else:
            from rich.text import Text

            text = self._console.text([one], sys.stderr).rstrip("\n")
            self._status.console.print(Text.from_ansi(text), soft_wrap=True)


@contextmanager
def progress(console: Console) -> Generator[Progress]:
    """Give a Progress that hears what stages tell, for the time of the block."""
    with _status(console) as status:
        shown = Progress(console, status)
        with listening(shown.hear), watching(shown.around):
            yield shown


def _status(console: Console) -> AbstractContextManager[Status | None]:
    if console.json or not is_live(sys.stderr):
        return nullcontext()
    from rich.console import Console as Terminal

    terminal = Terminal(file=sys.stderr, no_color=not console.colours(sys.stderr), highlight=False)
    return terminal.status("", spinner="dots")


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
