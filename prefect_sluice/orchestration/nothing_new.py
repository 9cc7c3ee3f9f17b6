"""The end of a run that looked at git and found nothing to do."""

from __future__ import annotations

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from prefect_sluice.orchestration.prune_runs import keep_newest
from prefect_sluice.orchestration.shown.messages import name_forms
from prefect_sluice.promotions.work import Work

UNCHANGED = "Unchanged"


def nothing_new(why: str) -> State[Work]:
    """Return the state of a run that ends with nothing done; of those that a schedule started only the newest stays."""
    get_run_logger().info(why)
    keep_newest(UNCHANGED)
    return Completed(name=UNCHANGED, message=name_forms(why))
