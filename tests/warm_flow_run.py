"""The process of a flow run, as its worker sees it: it has a child of `tests/warm_flow_runs.py` run it, and ends as that does.

It imports nothing but Python's own, and is run by its path.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    asked = json.dumps({"environ": dict(os.environ), "folder": str(Path.cwd())}) + "\n"
    sent = socket.send_fds(connection, [asked.encode()], [1, 2])
    connection.sendall(asked.encode()[sent:])
    with connection.makefile("r") as answers:
        runs = int(answers.readline())

        def hand_on(number: int, _frame: object) -> None:
            """Have the run hear of a signal to this process."""
            with suppress(ProcessLookupError):
                os.kill(runs, number)

        signal.signal(signal.SIGTERM, hand_on)
        signal.signal(signal.SIGINT, hand_on)
        code = answers.readline()
sys.exit(int(code) if code else 1)  # a run that was killed says nothing
