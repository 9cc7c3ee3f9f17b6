"""Work queues of the pool, one per environment: runs wait in order before a process is started for them.

A Prefect deployment's own concurrency limit is not used: what it holds back does not start in the order in which it was asked
for. The environment's lease stays what decides; a queue only keeps runs from standing in front of it with a process each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

ON_CALL = "on-call"
CARE = "care"
CHECKS = "checks"


@dataclass(frozen=True, slots=True)
class Queue:
    """A work queue: how many of its runs are at work at once (None: any number). Of several, the lowest priority goes first."""

    name: str
    limit: int | None
    priority: int
    description: str


def queues(environments: Sequence[str]) -> tuple[Queue, ...]:
    """Return the work queues that a pool has for these environments."""
    changes = (
        Queue(changes_of(name), 1, 2, f"Changes of {name}, one after the other, in the order they were asked for")
        for name in environments
    )  # fmt: skip
    return (
        Queue(ON_CALL, None, 1, "What waits for nobody: rollbacks, controls, answers, plans"),
        *changes,
        # No limit: a monitor that was killed would keep out the next one, which is to end it.
        Queue(CARE, None, 3, "The monitor and the collection"),
        Queue(CHECKS, 1, 4, "Checks of commits, one after the other, after all that is to be served"),
    )


def changes_of(environment: str) -> str:
    """Return the name of the queue for the changes of an environment."""
    return f"changes-{environment}"


def queue_of(flow: str, environment: str) -> str:
    """Return the queue for a Prefect deployment: of which flow, and for which environment by default.

    Who picks another environment in the form waits in the queue of the default one, and then for the lease.
    """
    if flow in {"rollback", "controls", "answer", "plan"}:
        return ON_CALL
    if flow == "check":
        return CHECKS
    return CARE if flow in {"monitor", "collect"} else changes_of(environment)


def apply(pool: str, environments: Sequence[str]) -> tuple[str, ...]:
    """Give a work pool its queues, and return their names. Repeatable; a queue of somebody else's is left as it is."""
    with get_client(sync_client=True) as client:
        for queue in queues(environments):
            _save_queue(client, pool, queue)
    return tuple(queue.name for queue in queues(environments))


def _save_queue(client: SyncPrefectClient, pool: str, queue: Queue) -> None:
    try:
        existing = client.read_work_queue_by_name(queue.name, pool)
    except ObjectNotFound:
        client.create_work_queue(
            queue.name,
            description=queue.description,
            concurrency_limit=queue.limit,
            priority=queue.priority,
            work_pool_name=pool,
        )
        return
    client.update_work_queue(
        existing.id, description=queue.description, concurrency_limit=queue.limit, priority=queue.priority
    )
