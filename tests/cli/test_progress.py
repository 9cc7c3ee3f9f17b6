"""The line that moves, on a real terminal."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
from collections.abc import Generator
from contextlib import closing

import pytest

from prefect_sluice.cli.progress import MovingLine

COLUMNS = 30
ERASED = "\r\x1b[2K"


class Screen:
    """A terminal of 30 columns, and what was written to it."""

    def __init__(self) -> None:
        self._master, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 10, COLUMNS, 0, 0))
        self.stream = os.fdopen(terminal, "w", encoding="utf-8")
        self.text = ""

    def read(self, pattern: str) -> None:
        """Read on until it is there."""
        while not re.search(pattern, self.text):
            self.text += os.read(self._master, 4096).decode(errors="replace")

    def close(self) -> None:
        """Put it away."""
        self.stream.close()
        os.close(self._master)


@pytest.fixture
def screen() -> Generator[Screen]:
    """A terminal."""
    with closing(Screen()) as found:
        yield found


def test_it_moves_says_what_goes_on_and_is_gone_at_the_end(screen: Screen) -> None:
    with closing(MovingLine(screen.stream)) as line:
        line.update("Build: [orders] is built")
        screen.read(r"⠙ Build: \[orders\] is built.*⠹ Build")
        line.write("Source  0.1 s\n")
        screen.read(r"Source  0.1 s\r\n.*Build")
    screen.stream.write("end")
    screen.stream.flush()
    screen.read("end$")
    assert screen.text.endswith(f"{ERASED}end"), "nothing of it is left"
    assert f"{ERASED}Source  0.1 s\r\n" in screen.text, "and a line that stays stands alone"


def test_it_never_takes_two_lines(screen: Screen) -> None:
    with closing(MovingLine(screen.stream)) as line:
        line.update("a word \x1b[31mand " * 9)
        screen.read("a word .*…")
    frames = screen.text.split(ERASED)
    assert max(len(frame) for frame in frames) == COLUMNS - 1
    assert not any("\x1b" in frame for frame in frames), "and what is told cannot colour it"
