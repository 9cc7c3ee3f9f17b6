"""`sluice completion`: the shell completes commands and options."""

from __future__ import annotations

from pathlib import Path

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console

_FILES = {
    "bash": (".bashrc", 'eval "$(_SLUICE_COMPLETE=bash_source sluice)"'),
    "zsh": (".zshrc", 'eval "$(_SLUICE_COMPLETE=zsh_source sluice)"'),
    "fish": (".config/fish/completions/sluice.fish", "_SLUICE_COMPLETE=fish_source sluice | source"),
}
"""By shell: the file in the home folder that it reads as it starts, and the line that asks `sluice` what there is."""


@click.command()
@click.argument("shell", type=click.Choice(list(_FILES)), required=False)
@click.option(
    "--install", is_flag=True, help="Write the line into the shell's start file; again is no change."
)
@options.common
def completion(shell: str | None, install: bool, folder: Path, console: Console) -> int:
    """Complete commands and options in your shell.

    SHELL is the one that you use by default. Without --install, the line is printed that its start file needs.
    """
    del folder  # every command takes it
    name = shell or _own_shell()
    file, line = _FILES[name]
    path = Path.home() / file
    written = _install(path, line) if install else False
    _tell(name, path, line, install, written, console)
    return 0


def _own_shell() -> str:
    """Return the user's shell. Raises BadInput for one that cannot be completed in."""
    from prefect_sluice.domain.errors import BadInput
    from prefect_sluice.runtime import process

    path = process.environment().get("SHELL", "")
    name = Path(path).name
    if name not in _FILES:
        which = f"the shell {path!r} cannot be completed in" if path else "the variable SHELL names no shell"
        raise BadInput(which, fix=f"name one of: {', '.join(_FILES)}")
    return name


def _install(path: Path, line: str) -> bool:
    """Add the line to the shell's start file, unless it is there. Raises BadInput where the file cannot be written."""
    from prefect_sluice.domain.errors import BadInput

    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if line in before.splitlines():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        parted = "" if not before or before.endswith("\n") else "\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{parted}{line}\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BadInput(f"cannot be written: {why}", str(path), f"add this line yourself: {line}") from error
    return True


def _tell(name: str, path: Path, line: str, install: bool, written: bool, console: Console) -> None:
    from prefect_sluice.reporting.styled_text import line as shown

    if not install:
        console.show([shown(line)])
    elif written:
        console.show([shown(f"written: {path}; next: start a new {name}")])
    else:
        console.show([shown(f"{path} has it already; nothing was changed")])
    console.answer({"shell": name, "file": str(path), "line": line, "written": written, "exit_code": 0})
