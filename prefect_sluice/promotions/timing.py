"""Stage times of a promotion, run by run: kept beside the ledger, for people only. Nothing is decided by them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.promotion import Run
from prefect_sluice.promotions.work import Work, keeping
from prefect_sluice.runtime import process

if TYPE_CHECKING:
    from prefect_sluice.state.store import StateStore


@contextmanager
def timed(store: StateStore) -> Generator[None]:
    """Keep what the stages took that `walk` goes through in the block, if they came to a promotion and none broke."""
    kept: list[Work] = []
    with keeping(kept):
        yield
    last = kept[-1] if kept else None
    if last is not None and last.promotion is not None:
        # It is done, and on record: that its times cannot be written is no reason to call it failed.
        with suppress(SluiceError), store.transaction() as transaction:
            transaction.add_timing(last.promotion.id, Run(process.now(), last.took))
