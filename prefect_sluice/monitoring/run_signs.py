"""Signs of life in the state store: a flow run at work says every few seconds that it lives, whatever it waits for."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.run_signs import EACH, SignOfLife, is_silent, on_host
from prefect_sluice.runtime import process
from prefect_sluice.state.lease import holder_is_dead, this_process

if TYPE_CHECKING:
    from prefect_sluice.state.reader import Reads
    from prefect_sluice.state.store import StateStore


@contextmanager
def signed(store: StateStore, run: str, user: str) -> Generator[None]:
    """Give signs of life for a flow run ("": none) while the block runs. Suspended or ended in any way, it gives none.

    A store that cannot be written does not stop the run: on this machine the process itself is the sign.
    """
    if not run:
        yield
        return
    holder, stop = this_process(user), threading.Event()
    _say(store, run, holder)
    thread = threading.Thread(
        target=_keep, args=(store, run, holder, stop), name=f"signs of {run}", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with suppress(SluiceError):
            forget(store, run)


def signs(reads: Reads) -> tuple[SignOfLife, ...]:
    """Return the sign of every run that has not ended in good order."""
    return reads.signs()


def dead(reads: Reads) -> tuple[SignOfLife, ...]:
    """Return the runs whose process is gone: on this machine the process says it, on another one its silence."""
    now, host = process.now(), process.host()
    return tuple(
        sign
        for sign in signs(reads)
        if (holder_is_dead(sign.holder, host) if on_host(sign, host) else is_silent(sign, now))
    )


def forget(store: StateStore, run: str) -> None:
    """Take back the sign of a run. Repeatable."""
    with store.transaction() as transaction:
        transaction.drop_sign(run)


def _keep(store: StateStore, run: str, holder: str, stop: threading.Event) -> None:
    while not stop.wait(EACH.total_seconds()):
        _say(store, run, holder)


def _say(store: StateStore, run: str, holder: str) -> None:
    with suppress(SluiceError), store.transaction() as transaction:
        transaction.put_sign(SignOfLife(run, holder, process.now()))
