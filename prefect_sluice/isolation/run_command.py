"""A command of a change, run inside of a sandbox, to its end or to a time limit: nothing that it started lives on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect_sluice.isolation.interpreter import DEVICES, readable
from prefect_sluice.isolation.sandbox import Protection, Sandbox

LAUNCH = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from prefect_sluice.isolation.launch import main; sys.exit(main(sys.argv[1:]))"
)
PACKAGES = str(Path(__file__).resolve().parents[2])
"""Where this package is found. The launcher takes no path from the variables or the folder that the command gets."""
_GRACE_SECONDS = 10
"""How long the launcher may take to end what the command started."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: `code` is negative for a signal, None where the time was up. `left` is how many processes it had
    left behind, which were ended; `error` says why it was not started at all, "" where it was; `stopped` which limit it was
    ended for, "" for none."""

    code: int | None
    protection: Protection
    left: int = 0
    error: str = ""
    stopped: str = ""


def run_command(
    command: Sequence[str],
    sandbox: Sandbox,
    *,
    folder: Path,
    variables: Mapping[str, str],
    output: int,
    timeout: timedelta,
) -> Ended:
    """Run a command in `folder`; `output` is a descriptor for what it prints. An interrupt ends it, too."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as answers:
        try:
            launcher = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-c", LAUNCH, PACKAGES),
                    *(json.dumps(sandbox.document()), str(writing), str(os.getpid()), *command),
                ],
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(writing,),
            )
        finally:
            os.close(writing)
        in_time = True
        try:
            launcher.wait(timeout.total_seconds())
        except subprocess.TimeoutExpired:
            in_time = False
        finally:
            _end(launcher)
        return _ended([json.loads(line) for line in answers], in_time=in_time)


def _end(launcher: subprocess.Popen[bytes]) -> None:
    launcher.terminate()
    with suppress(subprocess.TimeoutExpired):
        launcher.wait(_GRACE_SECONDS)
    launcher.kill()
    launcher.wait()


def _ended(said: list[dict[str, Any]], *, in_time: bool) -> Ended:
    """Return how it ended, by the launcher's lines; a line that is not there says that the launcher was killed."""
    # Each line has keys of its own; of those that were written, none is written twice.
    told = {key: value for line in said for key, value in line.items()}
    code, left, error = told.pop("code", None), told.pop("left", 0), told.pop("error", "")
    stopped = told.pop("stopped", "")
    if in_time and code is None and not error and not stopped:
        error = "the process that started it was killed"
    return Ended(code if in_time else None, Protection(**told), left, error, stopped)


def reached() -> Protection:
    """Return what this machine's kernel holds a command to that may reach nothing, by starting one that does nothing. It takes
    some 50 ms."""
    with (
        tempfile.TemporaryDirectory(prefix="sluice-isolation-") as folder,
        Path(os.devnull).open("wb") as nothing,
    ):
        own = Path(folder).resolve()
        ended = run_command(
            [sys.executable, "-I", "-S", "-c", ""],
            Sandbox(readable(), (*DEVICES, own)),
            folder=own,
            variables={},
            output=nothing.fileno(),
            timeout=timedelta(seconds=_GRACE_SECONDS),
        )
    return replace(ended.protection, why=ended.error) if ended.error else ended.protection
