"""Fault points: named points at which a process may die, or an error strike. The crash tests do both at each, then run again."""

from __future__ import annotations

import errno
import os
import signal
from enum import StrEnum

VARIABLE = "SLUICE_FAULT"
"""Set to a point's name, the process kills itself there with SIGKILL. Nothing but the crash tests sets it."""

ERROR = "error:"
"""Before the point's name: the disk is "full" there instead."""

SLEEP = "sleep:"
"""Before the point's name: the process stops there instead (SIGSTOP), until somebody wakes it (SIGCONT)."""


class FaultPoint(StrEnum):
    """Every point there is. A new step gets its own; the crash test reads this list."""

    SOURCE_CHECKED_OUT = "source.checked-out"
    PROMOTE_COMPOSED = "promote.composed"
    BUILD_PACKED = "build.packed"
    BUILD_PLANNED = "build.planned"
    TEST_JUDGED = "test.judged"
    STAGE_PREPARED = "stage.prepared"
    STAGE_BUILT = "stage.built"
    STAGE_JUDGED = "stage.judged"
    STAGE_REDUCED = "stage.reduced"
    STAGE_SHARING = "stage.sharing"
    STAGE_SHARED = "stage.shared"
    STAGE_RECORDED = "stage.recorded"
    APPROVE_RECORDED = "approve.recorded"
    APPROVE_KEPT = "approve.kept"
    APPROVE_USED = "approve.used"
    DEPLOY_INTENT = "deploy.intent"
    DEPLOY_ADOPTED = "deploy.adopted"
    DEPLOY_RELATIONS = "deploy.relations"
    DEPLOY_VIEWS = "deploy.views"
    DEPLOY_COMMITTED = "deploy.committed"
    DEPLOY_FLIPPED = "deploy.flipped"
    DEPLOY_RECORDED = "deploy.recorded"
    MONITOR_JUDGED = "monitor.judged"
    MONITOR_CLOSED = "monitor.closed"
    ROLLBACK_INTENT = "rollback.intent"
    ROLLBACK_FLIPPED = "rollback.flipped"
    ROLLBACK_HELD = "rollback.held"
    COPY_MADE = "copy.made"
    COPY_WRITTEN = "copy.written"
    COPY_REPLACED = "copy.replaced"
    LEAVE_WRITTEN = "leave.written"
    LEAVE_DONE = "leave.done"
    PREVIEW_INTENT = "preview.intent"
    PREVIEW_SHOWN = "preview.shown"
    PREVIEW_GONE = "preview.gone"
    COLLECT_INTENT = "collect.intent"
    COLLECT_DROPPED = "collect.dropped"
    COLLECT_COMMITTED = "collect.committed"
    COLLECT_FILES = "collect.files"


def reach(point: FaultPoint) -> None:
    """Die, sleep or raise OSError here, if the environment says so; otherwise do nothing."""
    wanted = os.environ.get(VARIABLE)
    if wanted == point.value:
        os.kill(os.getpid(), signal.SIGKILL)
    if wanted == SLEEP + point.value:
        os.kill(os.getpid(), signal.SIGSTOP)
    if wanted == ERROR + point.value:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), point.value)
