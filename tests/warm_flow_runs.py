"""Flow runs of a worker as processes of their own, forked from one that has imported everything: none pays for imports.

That one is a child of `tests/warm_commands.py`. It forks a child for each connection, which goes on as `python -m prefect.engine`
would in the place of who connected: `tests/warm_flow_run.py`, the command of the Prefect deployments.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import Any, NoReturn

from tests.warm import end_with, let_go

_PIECE = 1 << 16


def serve(listens: socket.socket) -> NoReturn:
    """Fork for each connection, until killed. The variables of this process are the worker's: Prefect reads them at import."""
    for name in ("prefect.engine", "prefect.flow_engine", "prefect._internal.metrics"):
        importlib.import_module(name)
    flows = importlib.import_module("prefect_sluice.flows")
    for found in pkgutil.walk_packages(flows.__path__, "prefect_sluice.flows."):
        importlib.import_module(found.name)
    assert threading.active_count() == 1, "what forks has no threads"
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # each tells its own exit code
    itself = os.getpid()
    while True:
        connection, _ = listens.accept()
        if os.fork() == 0:
            end_with(itself)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listens.close()
            _run(connection)
        connection.close()


def _run(connection: socket.socket) -> NoReturn:
    """Go on in the place of who connected, and end as the run does."""
    text, streams, _, _ = socket.recv_fds(connection, _PIECE, 2)
    while not text.endswith(b"\n"):
        text += connection.recv(_PIECE)
    asked: dict[str, Any] = json.loads(text)
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.chdir(asked["folder"])
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    connection.sendall(f"{os.getpid()}\n".encode())
    code = _engine()
    _end_threads()
    let_go()  # what a process of its own closes as it ends
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(f"{code}\n".encode())
    os._exit(code)  # a fork cannot end the threads of C++ libraries that only its parent has


def _engine() -> int:
    """Run the flow as Prefect's engine does when it is a program, and return its exit code."""
    sys.argv, sys.path[0] = ["prefect.engine"], str(Path.cwd())
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")  # it is imported already
    try:
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end_threads() -> None:
    """Do what Python does at the end of a program. Prefect sends the last lines of a run's log and its last events then, from
    threads: a run that ends without has lost them."""
    python: Any = threading
    python._shutdown()
    registered: Any = atexit
    registered._run_exitfuncs()
