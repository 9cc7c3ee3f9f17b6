"""Run parameters, checked before anything is done with them: Prefect takes every text that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect.context import FlowRunContext

from prefect_sluice.domain.untrusted_text import refuse_odd


def refuse_odd_parameters() -> None:
    """Raise BadInput for a parameter of the flow run that goes on here that is no text, or none of a sensible length."""
    context = FlowRunContext.get()
    parameters: Mapping[str, Any] = context.parameters or {} if context is not None else {}
    for name, value in parameters.items():
        refuse_odd(value, name)
