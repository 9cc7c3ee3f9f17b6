"""The command `sluice`: imports click and the standard library only, and each command when it is used."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from prefect_sluice import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Write a sluice.yml for the dbt project found here."),
    "plan": ("plan", "Show what a release would build, reuse and remove, and why."),
    "lint": ("lint", "Lint the SQL that you edited, and mend it with --fix."),
    "release": ("release", "Take a commit through the stages into an environment."),
    "refresh": ("refresh", "Build what new data changed, with the code that serves now."),
    "promote": ("promote", "Take what serves in one environment into the next."),
    "up": ("up", "Start a Prefect server, a worker and the forms for this project."),
    "approve": ("approve", "Say yes to one exact promotion."),
    "reject": ("approve", "Say no to one exact promotion."),
    "rollback": ("rollback", "Serve an older generation again, at once."),
    "hold": ("control", "Pin an environment where it is."),
    "freeze": ("control", "Stop everything, in one environment or in all."),
    "block": ("control", "Say that a release is bad."),
    "release-hold": ("control", "Lift a hold, freeze or block."),
    "status": ("status", "Show what each environment serves, and what waits."),
    "history": ("history", "List the generations of an environment, newest first."),
    "diff": ("diff", "Compare the rows of two generations."),
    "coverage": ("coverage", "Show what each model has: a key test, a contract, descriptions, a unit test."),
    "collect": ("collect", "Drop relations and files that nothing needs any more."),
    "doctor": ("doctor", "Find what does not agree, and repair what is safe."),
    "backup": ("backup", "Write the state store into a file, while others work."),
    "restore": ("backup", "Write a backup into an empty state store."),
    "leave": ("leave", "Write plain tables back under the public names, and forget an environment."),
    "show": ("show", "Show all about a release, a promotion or a generation."),
    "report": ("report", "Report what a release changes, for whom, and what the gates found."),
}
"""Each command's name, its module here (which holds it under that name, `-` as `_`), and its one-line help."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for, not for the help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now; None for a name that is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        return getattr(import_module(f"{__name__}.{module}"), cmd_name.replace("-", "_"))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="sluice", message="%(prog)s %(version)s")
def cli() -> None:
    """Releases for data: atomic, gated, reversible. Start with: sluice init

    Exit codes: 0 done, 1 refused or failed, 2 bad input, 3 waiting for an approval.
    """


def run() -> NoReturn:
    """Run the command of this process, and end it.

    A manifest is a million objects that live until the end. To look through them again and again for garbage, and once
    more at the end, took a quarter of a plan's time.
    """
    gc.set_threshold(50_000, 20, 50)
    code = main()
    gc.freeze()
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Prints whatever goes wrong as one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        # What a terminal cannot show is replaced: no output is worth a crash.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        if "_SLUICE_COMPLETE" in os.environ:
            cli.main(args=arguments, prog_name="sluice", complete_var="_SLUICE_COMPLETE")
        return _called(arguments)
    except (Exception, KeyboardInterrupt) as error:
        from prefect_sluice.cli.failing import failed

        return failed(error, as_json="--json" in arguments)


def _called(arguments: list[str]) -> int:
    # Not `cli.main`: it swallows the difference between Ctrl-C and a "no" to a question.
    try:
        with cli.make_context("sluice", arguments) as context:
            answer = cli.invoke(context)
    except click.exceptions.Exit as end:
        answer = end.exit_code
    sys.stdout.flush()
    return answer if isinstance(answer, int) else 0
