"""What the engine says of a run that ended as it should: a gate's no and a person's no leave no traceback in its log."""

from __future__ import annotations

import logging

from prefect.exceptions import CancelledRun, FailedRun

from prefect_sluice.errors import SluiceError


class Foreseen(logging.Filter):
    """Drops the traceback of what a run's state says already, in one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is to be kept."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, FailedRun | CancelledRun | SluiceError)


_FORESEEN = Foreseen()


def leave_no_traceback() -> None:
    """Have no traceback of ours in the logs of flow runs in this process. Repeatable.

    A worker's engine asks each ended run for its result, which Prefect raises for all that is not Completed, and logs that as
    an unexpected exception.
    """
    logging.getLogger("prefect.flow_runs").addFilter(_FORESEEN)
