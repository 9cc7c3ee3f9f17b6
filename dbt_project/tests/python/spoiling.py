"""Source files made wrong on purpose."""

from __future__ import annotations

from etl.source import Source


def spoil(source: Source, file: str, old: str, new: str) -> None:
    """Replace the first place where `old` stands in a file of the source."""
    path = source.folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
