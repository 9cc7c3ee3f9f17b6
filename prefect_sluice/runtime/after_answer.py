"""Work that nobody waits for: it is done once the answer is out, or at once where nobody answers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

_Pending = dict[str, Callable[[], object]]
_pending: ContextVar[_Pending | None] = ContextVar("pending", default=None)


@contextmanager
def answering() -> Generator[None]:
    """Put off what the block asks to be done after its answer, to the block's end, however that comes."""
    pending: _Pending = {}
    token = _pending.set(pending)
    try:
        yield
    finally:
        _pending.reset(token)
        for work in pending.values():
            work()


def after_answer(name: str, work: Callable[[], object]) -> None:
    """Have work done after the answer, now where nobody said that there is one. Of several under one name the last is done.

    It raises nothing: it is done when nobody listens any more."""
    pending = _pending.get()
    if pending is None:
        work()
    else:
        pending[name] = work
