"""The order of the stages: the one place where it stands. Flows show it, with their tasks; a test holds that they agree."""

from __future__ import annotations

from typing import assert_never

from prefect_sluice.domain.generation import Cause

WHOLE = ("source", "build", "test", "stage", "approve", "deploy", "monitor")
"""All stages of the pipeline, by name."""
_WITHOUT_TEST = tuple(name for name in WHOLE if name != "test")
"""A refresh has code that passed Test when it was released."""
_OF_CHECK = WHOLE[: WHOLE.index("approve")]
"""A check ends where a person would be asked."""
_BACK = ("rollback", "monitor")


def stages_of(cause: Cause) -> tuple[str, ...]:
    """Return the names of the stages that a promotion for this cause goes through, in order. Pure."""
    match cause:
        case Cause.RELEASE | Cause.PROMOTION | Cause.ADOPTION:  # a first release adopts
            return WHOLE
        case Cause.REFRESH:
            return _WITHOUT_TEST
        case Cause.CHECK:
            return _OF_CHECK
        case Cause.ROLLBACK:
            return _BACK
        case _:
            assert_never(cause)
