"""Error messages: one line on stderr, an exit code, no traceback unless asked for."""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback

import click

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.untrusted_text import one_line, path_fault
from prefect_sluice.runtime.redaction import conceal, concealed

INTERRUPTED = 130
DEBUG = "SLUICE_DEBUG"
"""Set to 1, an internal error shows where it came from."""
_FULL = "make room (sluice status --disk says what takes it, sluice collect drops what nothing needs)"
_OUTSIDE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: "see to its permissions",
    errno.EPERM: "see to its permissions",
    errno.EROFS: "have it mounted so that one can write to it",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.EIO: "see to the disk",
}
"""What is wrong with the machine, and not with us, and what to do."""


def failed(error: BaseException, *, as_json: bool = False) -> int:
    """Tell an error and return the exit code. Says nothing when whoever read our output went away."""
    if isinstance(error, BrokenPipeError):
        _close_stdout()
        return 1
    message, code = error_line(_first_cause(error))
    message = concealed(message)
    if not isinstance(error, SluiceError | click.ClickException) and os.environ.get(DEBUG) == "1":
        conceal(error)
        traceback.print_exception(error)
    print(f"sluice: {message}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": message, "exit_code": code}, ensure_ascii=False, indent=2))
    return code


def error_line(error: BaseException) -> tuple[str, int]:
    """Return the one line that tells an error, and its exit code."""
    error = path_fault(error) or error
    match error:
        case SluiceError():
            return one_line(str(error)), error.exit_code
        case KeyboardInterrupt():
            return "interrupted; run the command again, it goes on where it was", INTERRUPTED
        case click.Abort():
            return "not confirmed, so nothing was done", 1
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "sluice"
            return f"{one_line(error.format_message()).rstrip('.')}; see {command} --help", 2
        case click.ClickException():
            return one_line(error.format_message()), error.exit_code
        case OSError() if error.errno in _OUTSIDE:
            where = f"{error.filename}: " if error.filename else ""
            return (
                f"{where}{error.strerror}; {_OUTSIDE[error.errno]}, then run it again: nothing is half done",
                1,
            )
        case _:
            first = one_line((str(error).splitlines() or ["no message"])[0])
            kind = type(error).__name__
            return f"internal error: {kind}: {first}; run with {DEBUG}=1 for the details, and report it", 1


def _first_cause(error: BaseException) -> BaseException:
    """Return the error, or the interrupt behind it: dbt answers to Ctrl-C as to any failure of its own."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__
    return cause or error


def _close_stdout() -> None:
    # Python would try to write what is left as it ends, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
