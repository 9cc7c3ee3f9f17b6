"""The folders that hooks copy files into: git holds none that is empty, and people have them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_ELSEWHERE = re.compile(r":|^[/~]")


def make_hook_folders(places: Iterable[str], home: Path, folder: Path, inside: Iterable[Path] = ()) -> None:
    """Make in `folder` those of the `places`, paths from there, that are in `home`, where people run dbt: elsewhere the copy
    fails for them, too. A place that a link leads out of the folders `inside` is left out, where any are given. Repeatable."""
    allowed = [path.resolve() for path in inside]
    for place in places:
        if _ELSEWHERE.search(place) or not (home / place).is_dir():
            continue
        target = folder / place
        if not allowed or any(target.resolve().is_relative_to(path) for path in allowed):
            target.mkdir(parents=True, exist_ok=True)
