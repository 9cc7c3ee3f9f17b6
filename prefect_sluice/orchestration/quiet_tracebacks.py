"""Keeps the engine's traceback of an ended run out of its log: a worker's engine logs one for every run that failed."""

from __future__ import annotations

import logging

from prefect.exceptions import CancelledRun, FailedRun

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.orchestration.this_run import this_run


class _Foreseen(logging.Filter):
    """Drops tracebacks of runs whose end is told already, as a state with its message. Any other error goes through."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        ours = str(getattr(record, "flow_run_id", "")) in self.told
        return not (ours and isinstance(error, SluiceError | FailedRun | CancelledRun))


_FORESEEN = _Foreseen()


def hide_engine_traceback() -> None:
    """Keep the engine's traceback of this flow run out of its log: its state tells how it ended. Repeatable."""
    run = this_run()
    if run is not None:
        _FORESEEN.told.add(str(run.id))
        logging.getLogger("prefect.flow_runs").addFilter(_FORESEEN)  # the same one again is no second one
