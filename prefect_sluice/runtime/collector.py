"""Python's garbage collector, where a manifest is held: a million objects that live until the end."""

from __future__ import annotations

import gc

QUIET = (50_000, 20, 50)
"""Thresholds with which such objects are not looked through again and again: that took a quarter of a plan's time."""


def quieten() -> None:
    """Have the collector of this process look seldom. Repeatable."""
    gc.set_threshold(*QUIET)
