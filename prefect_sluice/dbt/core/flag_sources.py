"""Which module a behaviour flag of dbt's is from, told without a look at every module there is.

dbt asks it for each flag of each adapter that it makes, by `inspect.stack`: in a process that has imported a few thousand
modules, that is a tenth of what a command costs.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def named_at_once() -> Generator[None]:
    """Have dbt name the module of a flag by the frames alone, in this process, while the block runs."""
    from dbt_common import behavior_flags

    own, rendered = behavior_flags.__name__, behavior_flags.BehaviorFlagRendered
    before = vars(rendered)["_default_source"]

    def default_source() -> str:
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # there is no other way that is quick
        while frame.f_back is not None and frame.f_globals.get("__name__") == own:
            frame = frame.f_back
        return str(frame.f_globals.get("__name__", "Unknown"))

    rendered._default_source = staticmethod(default_source)  # pyright: ignore[reportPrivateUsage]
    try:
        yield
    finally:
        rendered._default_source = before  # pyright: ignore[reportPrivateUsage]
