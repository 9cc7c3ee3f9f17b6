"""The console: lines become text on stdout, in colour on a terminal only, or one JSON document."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TextIO

import click

from prefect_sluice.domain.digests import Json
from prefect_sluice.reporting.styled_text import Line, Span, Style, plain
from prefect_sluice.reporting.table import WIDTH

_LOOKS = {Style.STRONG: "1", Style.FAINT: "2", Style.GOOD: "32", Style.WARN: "33", Style.BAD: "1;31"}
"""The escape codes of a terminal; a style that is not here looks like any other text."""

_NARROWEST = 60


@dataclass(frozen=True, slots=True)
class Console:
    """The output of a command. `json`: only documents are written; `colour`: asked for, if the place
    can show it; `quiet`: what went well is not told."""

    json: bool = False
    colour: bool = True
    quiet: bool = False

    def told(self, code: int) -> Console:
        """Return the console for the last message, by the exit code: with --quiet only what went wrong is shown."""
        return replace(self, quiet=False) if code else self

    @property
    def width(self) -> int:
        """How many columns a page has: the terminal's, else a fixed number, so that a log reads the same
        everywhere."""
        return max(shutil.get_terminal_size().columns, _NARROWEST) if sys.stdout.isatty() else WIDTH

    def show(self, lines: Iterable[Line]) -> None:
        """Write lines for people; nothing in JSON mode, or where quiet is wanted."""
        if not self.json and not self.quiet:
            click.echo(self.text(lines, sys.stdout), nl=False, color=self.colours(sys.stdout))

    def page(self, lines: Iterable[Line]) -> None:
        """Write lines as `show` does; on a terminal that they do not fit on, through the pager that PAGER names."""
        text = "" if self.json else self.text(lines, sys.stdout)
        if text.count("\n") < shutil.get_terminal_size().lines or not is_live(sys.stdout):
            click.echo(text, nl=False, color=self.colours(sys.stdout))
        else:
            os.environ.setdefault(
                "LESS", "FRX"
            )  # as git has it: colours, and what is read stays on the terminal
            click.echo_via_pager(text, color=self.colours(sys.stdout))

    def answer(self, document: Json) -> None:
        """Write the one document of JSON mode; nothing otherwise."""
        if self.json:
            print(json.dumps(document, ensure_ascii=False, indent=2))

    def text(self, lines: Iterable[Line], stream: TextIO) -> str:
        """Return lines as text for a stream, each with its line end."""
        if not self.colours(stream):
            return plain(lines)
        return "".join("".join(_painted(span) for span in one) + "\n" for one in lines)

    def colours(self, stream: TextIO) -> bool:
        """Say whether a stream shows colours, and they are wanted."""
        return self.colour and is_live(stream) and not os.environ.get("NO_COLOR")


def _painted(span: Span) -> str:
    look = _LOOKS.get(span.style)
    return f"\x1b[{look}m{span.text}\x1b[0m" if look and span.text else span.text


def is_live(stream: TextIO) -> bool:
    """Say whether a person watches: a terminal that can move its cursor, and no CI."""
    return (
        stream.isatty()
        and os.environ.get("TERM") != "dumb"
        and os.environ.get("CI", "").lower() not in {"1", "true"}
    )
