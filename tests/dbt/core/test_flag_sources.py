"""The module that a behaviour flag of dbt's is from: told at once, and the same that dbt itself tells."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from dbt_common.behavior_flags import Behavior

from prefect_sluice.dbt.core.flag_sources import named_at_once


def source() -> str:
    """Return the module that a flag of this module's is told to be from."""
    behaviour: Any = Behavior([{"name": "quick", "default": True, "docs_url": "none"}], {})
    return behaviour.quick._behavior_change_event.flag_source


def test_the_module_is_the_one_that_dbt_itself_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = source()
    with named_at_once():
        monkeypatch.delattr(inspect, "stack")
        assert source() == slow == __name__
    monkeypatch.undo()
    assert source() == slow
