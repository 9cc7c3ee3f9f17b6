"""Public: the errors that a flow's state, or a function of Sluice's, can hold."""

from prefect_sluice.domain.errors import *  # noqa: F403
