"""How long each stage of a promotion took, run by run: kept beside the ledger, for people only. Nothing is decided by it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice import surroundings
from prefect_sluice.errors import SluiceError
from prefect_sluice.stages.work import Took, Work, keeping

if TYPE_CHECKING:
    from prefect_sluice.state.reads import Reads
    from prefect_sluice.state.store import StateStore

_KIND = "times.1"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the stages: when it ended (UTC), and what each stage took. A promotion that waited has several."""

    at: datetime
    took: tuple[Took, ...]


@contextmanager
def timed(store: StateStore) -> Generator[None]:
    """Keep what the stages took that `walk` goes through in the block, if they came to a promotion and none broke."""
    kept: list[Work] = []
    with keeping(kept):
        yield
    last = kept[-1] if kept else None
    if last is not None and last.promotion is not None:
        # It is done, and on record: that its times cannot be written is no reason to call it failed.
        with suppress(SluiceError):
            _add(store, last.promotion.id, Run(surroundings.now(), last.took))


def runs(reads: Reads, promotion: str) -> tuple[Run, ...]:
    """Return the runs of a promotion, the first one first; none for a promotion of an older Sluice."""
    known = cast(list[dict[str, Any]], reads.cached(_KIND, [promotion]).get(promotion, []))
    return tuple(
        Run(datetime.fromisoformat(run["at"]), tuple(Took(*each) for each in run["took"])) for run in known
    )


def _add(store: StateStore, promotion: str, run: Run) -> None:
    with store.transaction() as transaction:
        known = (*runs(transaction, promotion), run)
        transaction.put_cached(
            _KIND,
            promotion,
            [
                {"at": item.at.isoformat(), "took": [[each.stage, each.seconds] for each in item.took]}
                for item in known
            ],
        )
