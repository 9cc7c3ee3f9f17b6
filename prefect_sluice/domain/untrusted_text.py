"""Text from outside: one guard around every parser, what plain data is, and how long a value in a message may be."""

from __future__ import annotations

import errno
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from prefect_sluice.domain.counting import noun
from prefect_sluice.domain.errors import BadInput, SluiceError

DEPTH = 100
"""How deep data from outside may be nested. Whoever walks it does so by recursion."""
VALUES = 1_000_000
"""How many values data from outside may hold, each one counted where it is used: an alias of YAML may stand for many."""
_DIGITS = 300
_LONGEST = 200
_KEPT = 80
_MOST = 10_000
_WORD = re.compile(rf"\S{{{_LONGEST + 1},}}")

_PATHS = {
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ELOOP: "a link leads to itself: mend it, or name another path",
    errno.ENOTDIR: "a part of that path is a file: name another one",
    errno.EISDIR: "that is a folder: name a file",
    errno.EEXIST: "something else stands where that belongs: move it away",
}
"""What is wrong with a path that somebody gave us, and what to do."""


@contextmanager
def parsing(what: str, where: str, fix: str, kind: type[BadInput] = BadInput) -> Generator[None]:
    """Turn whatever a parser raises in the block into one line; `what` says it ("is not YAML").

    Libraries raise what they like for text that they cannot read: ValueError, RecursionError, KeyError, their own. Raises
    `kind`. What a block of Sluice's own raised already goes through.
    """
    try:
        yield
    except (SluiceError, MemoryError):
        raise
    except Exception as error:
        raise kind(f"{what}: {reason(error)}", where, fix) from error


def reason(error: BaseException) -> str:
    """Return why a parser could not read a text, in its own words; a text that is nested too deep has none."""
    if isinstance(error, RecursionError):
        return f"it is nested deeper than {DEPTH} levels"
    if isinstance(error, UnicodeDecodeError):
        return f"it holds bytes that are no {error.encoding.upper()}"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def plain(value: Any, also: tuple[type, ...] = ()) -> str:
    """Return why data from outside cannot be worked with, "" where it can.

    It can where it is made of texts, numbers, truth values, nothing, lists and mappings by text, is nested at most `DEPTH`
    deep (an alias that leads into itself is for ever), holds at most `VALUES` values and can be written as UTF-8 JSON.
    `also` are types that may stand in it beside those.
    """
    todo: list[tuple[Any, int]] = [(value, 0)]
    count = 0
    while todo:
        value_inside, depth = todo.pop()
        count += 1
        if depth > DEPTH:
            return f"it is nested deeper than {DEPTH} levels"
        if count > VALUES:
            return f"it holds more than {VALUES:,} values"
        if isinstance(value_inside, Mapping):
            pairs = cast("Mapping[Any, Any]", value_inside)
            todo += [(part, depth + 1) for pair in pairs.items() for part in pair]
        elif isinstance(value_inside, list):
            todo += [(part, depth + 1) for part in cast("list[Any]", value_inside)]
        elif not isinstance(value_inside, also) and (why := _odd(value_inside)):
            return why
    return ""


def _odd(value: Any) -> str:
    if isinstance(value, str):
        if "\0" in value:
            return "it holds a NUL character"
        if not is_text(value):
            return "it holds half a character (a surrogate), which is no Unicode text"
        return ""
    if isinstance(value, bool | float | None):
        return ""
    if isinstance(value, int):
        return f"it holds a number of more than {_DIGITS} digits" if abs(value) >= 10**_DIGITS else ""
    return f"it holds a value of type {type(value).__name__}, which is neither text, number, list nor mapping"


def is_text(value: str) -> bool:
    """Say whether a text can be written as UTF-8: bytes of another encoding, decoded by Python, cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def refuse_odd(value: object, where: str) -> None:
    """Raise BadInput for what nobody can mean as one word of a command or one field of a form; `where` says which it is.

    Databases, git and JSON, which such a text goes to, take UTF-8 without NUL only. Lists are looked through.
    """
    for text in cast("list[object]", value) if isinstance(value, list | tuple) else (value,):
        if not isinstance(text, str):
            continue
        if "\0" in text or not is_text(text):
            shown = text[:_LONGEST].encode(errors="backslashreplace").decode().replace("\0", "\\x00")
            raise BadInput(f"is no UTF-8 text: {shown}", where, "give it anew")
        if len(text) > _MOST:
            raise BadInput(
                f"holds {len(text):,} {noun(len(text), 'character')}", where, f"{_MOST:,} are enough"
            )


def path_fault(error: BaseException) -> BadInput | None:
    """Return what is wrong with a path that somebody gave, where the system refused it for what it is; None for other errors."""
    if isinstance(error, RuntimeError) and str(error).startswith(
        "Symlink loop"
    ):  # of pathlib, before Python 3.13
        return BadInput(str(error), fix=_PATHS[errno.ELOOP])
    if not isinstance(error, OSError) or error.errno not in _PATHS:
        return None
    where = shortened(str(error.filename)) if error.filename else ""
    return BadInput(str(error.strerror), where, _PATHS[error.errno])


def number(text: str) -> int | None:
    """Return the whole number that a text is, None if it is none: digits of ASCII, at most nine."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None


def shortened(text: str) -> str:
    """Return a message with the middle taken out of every word of more than 200 characters.

    Paths, refs, ids and names that are in use are shorter; a command that is to be copied consists of words, and stays whole.
    """
    return _WORD.sub(_without_middle, text)


def one_line(text: str) -> str:
    """Return a message on one line, without anything that could steer a terminal, and without megabytes in it."""
    joined = shortened(" ".join(text.split()))
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in joined)


def _without_middle(word: re.Match[str]) -> str:
    text = word[0]
    return f"{text[:_KEPT]}…{text[-_KEPT:]} ({len(text):,} {noun(len(text), 'character')})"
