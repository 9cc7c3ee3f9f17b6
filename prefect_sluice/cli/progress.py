"""Progress of a release: a line per stage as it ends, and on a terminal a line that moves."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from datetime import timedelta
from itertools import cycle
from time import perf_counter
from typing import TextIO

import click

from prefect_sluice.cli.console import Console, is_live
from prefect_sluice.promotions.wait_for_lease import Waiting, watching_waits
from prefect_sluice.promotions.work import Stage, Work, listening, watching
from prefect_sluice.reporting.styled_text import Line, cut, line
from prefect_sluice.reporting.table import WIDTH
from prefect_sluice.reporting.terminal.stages import stage_lines

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MOVES = timedelta(milliseconds=80)
_ERASED = "\r\x1b[2K"
"""Brings the cursor to the beginning of its line, and empties that."""

_EACH = timedelta(seconds=30)
"""In a pipe, how often to say that the waiting goes on."""


class MovingLine:
    """A line of a terminal that moves while something goes on; what is written comes above it. Closed, it is gone."""

    def __init__(self, terminal: TextIO) -> None:
        """Begin to move."""
        self._terminal = terminal
        self._text = ""
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._move, name="progress", daemon=True)
        self._thread.start()

    def update(self, text: str) -> None:
        """Change its text, from its next move on."""
        self._text = text

    def write(self, text: str) -> None:
        """Write whole lines above it."""
        with self._lock:
            self._terminal.write(_ERASED + text)
            self._terminal.flush()

    def close(self) -> None:
        """Remove the line. Safe to repeat."""
        self._over.set()
        self._thread.join()
        with suppress(OSError):  # what went wrong meanwhile is told, not this
            self.write("")

    def _move(self) -> None:
        for frame in cycle(_FRAMES):
            with suppress(OSError):  # a terminal that is gone takes nothing from what goes on
                # One that wraps cannot be taken away. A terminal that nobody sized has no columns.
                room = (os.get_terminal_size(self._terminal.fileno()).columns or WIDTH) - 1
                self.write(cut(f"{frame} {self._text}", room))
            if self._over.wait(_MOVES.total_seconds()):
                return


class Progress:
    """Shows stages. On a terminal on stderr, so that stdout holds the answer; in a pipe the lines are part of
    the answer."""

    def __init__(self, console: Console, status: MovingLine | None = None) -> None:
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
            took = perf_counter() - started
            for one in stage_lines(name, took, work, done, width=self._console.width):
                self._write(one)
            return done

        return shown

    def hear(self, message: str) -> None:
        """Show the message of a stage, until it has another one."""
        if self._status is not None:
            text = f"{self._stage}: {message}" if message and self._stage else message or self._stage
            self._status.update(text)

    def _write(self, one: Line) -> None:
        if self._status is None:
            self._console.show([one])
        else:
            self._status.write(self._console.text([one], sys.stderr))


@contextmanager
def progress(console: Console) -> Generator[Progress]:
    """Give a Progress that hears what stages tell, for the time of the block."""
    with _status(console) as status:
        shown = Progress(console, status)
        hearer = WaitDisplay(console, status)
        with listening(shown.hear), watching(shown.around), watching_waits(hearer.hear):
            yield shown


@contextmanager
def waits(console: Console) -> Generator[None]:
    """Show waiting for another's lease, and nothing else, for the time of the block."""
    with _status(console) as status, watching_waits(WaitDisplay(console, status).hear):
        yield


class WaitDisplay:
    """Shows who is waited for: on a terminal the line that moves; in a pipe a line on stderr, and another each half minute."""

    def __init__(self, console: Console, status: MovingLine | None) -> None:
        """Show on `status`'s terminal; without one, as plain lines."""
        self._console = console
        self._status = status
        self._told: tuple[str, timedelta] | None = None

    def hear(self, waiting: Waiting) -> None:
        """Show how the waiting goes; nothing where quiet is wanted."""
        if self._console.quiet:
            return
        if self._status is not None:
            self._status.update(waiting.line)
            return
        if self._told is None or self._told[0] != waiting.holder or waiting.waited - self._told[1] >= _EACH:
            self._told = (waiting.holder, waiting.waited)
            click.echo(self._console.text([line(waiting.line)], sys.stderr), nl=False, err=True)


def _status(console: Console) -> AbstractContextManager[MovingLine | None]:
    if console.json or console.quiet or not is_live(sys.stderr):
        return nullcontext()
    return closing(MovingLine(sys.stderr))
