"""The named points at which a process may die. The crash tests die at each of them, then run the command again."""

from __future__ import annotations

import os
import signal
from enum import StrEnum

VARIABLE = "SLUICE_FAULT"
"""Set to a point's name, the process kills itself there with SIGKILL. Nothing but the crash tests sets it."""


class Point(StrEnum):
    """Every point there is. A new step gets its own; the crash test reads this list."""

    SOURCE_CHECKED_OUT = "source.checked-out"
    BUILD_PACKED = "build.packed"
    BUILD_PLANNED = "build.planned"
    TEST_JUDGED = "test.judged"
    STAGE_PREPARED = "stage.prepared"
    STAGE_BUILT = "stage.built"
    STAGE_JUDGED = "stage.judged"
    STAGE_REDUCED = "stage.reduced"
    STAGE_RECORDED = "stage.recorded"
    APPROVE_USED = "approve.used"
    DEPLOY_INTENT = "deploy.intent"
    DEPLOY_RELATIONS = "deploy.relations"
    DEPLOY_VIEWS = "deploy.views"
    DEPLOY_FLIPPED = "deploy.flipped"
    DEPLOY_RECORDED = "deploy.recorded"
    MONITOR_JUDGED = "monitor.judged"
    ROLLBACK_INTENT = "rollback.intent"
    ROLLBACK_FLIPPED = "rollback.flipped"


def reach(point: Point) -> None:
    """Die here if the environment says so; otherwise do nothing."""
    if os.environ.get(VARIABLE) == point.value:
        os.kill(os.getpid(), signal.SIGKILL)
