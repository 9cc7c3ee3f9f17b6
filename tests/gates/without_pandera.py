"""The process that loads contracts, where pandera is not installed."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

from prefect_sluice.contracts.child import answer, prepare

__all__ = ["answer", "prepare"]

sys.modules["pandera.ibis"] = cast(ModuleType, None)
