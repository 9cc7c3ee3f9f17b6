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
    "check": ("check", "Build and judge a commit as its release would be, and publish nothing."),
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
    "unhold": ("control", "Lift the holds of an environment."),
    "unfreeze": ("control", "Lift a freeze, of one environment or of all."),
    "unblock": ("control", "Say that a release is good again."),
    "release-hold": ("control", "Lift a hold, freeze or block, whichever it is."),
    "status": ("status", "Show what each environment serves, and what waits."),
    "history": ("history", "List the generations of an environment, newest first."),
    "checks": ("checks", "List what checks of commits came to, newest first."),
    "previews": ("previews", "List the previews that show what checks built."),
    "end-preview": ("previews", "Take the names of a preview away."),
    "diff": ("diff", "Compare the rows of two generations."),
    "lineage": ("lineage", "Show what a column is made of, and what is made of it."),
    "coverage": ("coverage", "Show what each model has: a key test, a contract, descriptions, a unit test."),
    "collect": ("collect", "Drop relations and files that nothing needs any more."),
    "doctor": ("doctor", "Find what does not agree, and repair what is safe."),
    "backup": ("backup", "Write the state store, or a warehouse, into a file, while others work."),
    "restore": ("backup", "Write a backup into an empty state store."),
    "export": ("export", "Write an environment into a folder, for checks on another machine."),
    "import": ("export", "Put an exported environment in place, to check commits beside it."),
    "leave": ("leave", "Write plain tables back under the public names, and forget an environment."),
    "show": ("show", "Show all about a release, a promotion or a generation."),
    "report": ("report", "Report what a release changes, for whom, and what the gates found."),
    "logs": ("logs", "Show what the last run told: stages, nodes, gates, errors."),
    "open": ("report", "Open the report of a promotion in the browser."),
    "completion": ("completion", "Complete commands and options in your shell."),
}
"""Each command's name, its module here (which holds it under that name, or as `_ATTRIBUTES` says), and its one-line help."""
_ATTRIBUTES = {
    "release-hold": "release_hold",
    "open": "open_report",
    "end-preview": "end_preview",
    "import": "import_",
}

GROUPS: dict[str, tuple[str, ...]] = {
    "Set up": ("init", "up", "completion", "leave"),
    "Release": ("plan", "lint", "check", "release", "refresh", "promote", "rollback"),
    "Decide": (
        "approve",
        "reject",
        "hold",
        "unhold",
        "freeze",
        "unfreeze",
        "block",
        "unblock",
        "release-hold",
    ),
    "Look": (
        "status",
        "history",
        "checks",
        "previews",
        "show",
        "logs",
        "report",
        "open",
        "diff",
        "lineage",
        "coverage",
    ),
    "Keep": ("collect", "end-preview", "doctor", "backup", "restore", "export", "import"),
}
"""The commands as the help lists them; a command that no group names stands at the end."""

_OTHER_WORDS = {
    "build": "release", "deploy": "release", "run": "release", "ship": "release",
    "revert": "rollback", "undo": "rollback", "log": "logs", "ls": "status",
    "verify": "doctor", "gc": "collect", "clean": "collect", "start": "up", "serve": "up", "lift": "release-hold",
}  # fmt: skip
"""What other tools call our commands."""


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
        command: click.Command = getattr(
            import_module(f"{__name__}.commands.{module}"), _ATTRIBUTES.get(cmd_name, cmd_name)
        )
        command.epilog = import_module(f"{__name__}.examples").text(cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the words ask for. Raises UsageError that names the nearest one for a name that is none."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = _nearest(args[0])
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, in groups, from the tables alone."""
        grouped = {name for names in GROUPS.values() for name in names}
        others = tuple(name for name in COMMANDS if name not in grouped)
        for title, names in {**GROUPS, "Other": others}.items():
            rows = [(name, COMMANDS[name][1]) for name in names if name in COMMANDS]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


_PLAIN = 1000
"""Characters: so long a word needs no second look."""


def _nearest(word: str) -> str:
    """Return the command that was probably meant; "" if none comes near."""
    if word in _OTHER_WORDS:
        return _OTHER_WORDS[word]
    from prefect_sluice.domain.counting import near

    nearest = near(word, [*COMMANDS, *_OTHER_WORDS])
    return _OTHER_WORDS.get(nearest[0], nearest[0]) if nearest else ""


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

    What lives until the end is looked through for garbage seldom, and not once more at the end.
    """
    from prefect_sluice.runtime.collector import quieten

    quieten()
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
        _refuse_odd(arguments)
        if "_SLUICE_COMPLETE" in os.environ:
            cli.main(args=arguments, prog_name="sluice", complete_var="_SLUICE_COMPLETE")
        return _called(arguments)
    except (Exception, KeyboardInterrupt) as error:
        from prefect_sluice.cli.failures import failed

        return failed(error, as_json="--json" in arguments)


def _refuse_odd(arguments: list[str]) -> None:
    """Raise BadInput for an argument, or a variable of ours, that is no text, or none of a sensible length."""
    given = {f"argument {place}": word for place, word in enumerate(arguments, 1)}
    given |= {
        f"the variable {name}": value for name, value in os.environ.items() if name.startswith("SLUICE_")
    }
    for where, text in given.items():
        if not (text.isascii() and text.isprintable() and len(text) <= _PLAIN):
            # Imported for these alone: the help imports nothing.
            from prefect_sluice.domain.untrusted_text import refuse_odd

            refuse_odd(text, where)


def _called(arguments: list[str]) -> int:
    from prefect_sluice.runtime.after_answer import answering

    # Not `cli.main`: it swallows the difference between Ctrl-C and a "no" to a question.
    with answering():
        try:
            with cli.make_context("sluice", arguments) as context:
                answer = cli.invoke(context)
        except click.exceptions.Exit as end:
            answer = end.exit_code
        sys.stdout.flush()
    return answer if isinstance(answer, int) else 0
