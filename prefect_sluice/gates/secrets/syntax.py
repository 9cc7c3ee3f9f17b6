"""What looks like a secret, and is how a tool names one that stands elsewhere, or a word that stands for one in an example."""

from __future__ import annotations

import re
from collections.abc import Sequence

KEYWORD = "Secret Keyword"
"""How detect-secrets calls what it finds by the word before it."""
GUESSES = frozenset({KEYWORD, "Basic Auth Credentials"})
"""What is found by the word before it, or by its place: here the value has to be looked at."""

_INHERIT = re.compile(r"(?:^|[\s{,])secrets\s*:\s*$")
"""GitHub: a workflow that calls another one, and hands on what it has."""
_A_PLACE = re.compile(r"(?:_(?:cmd|file|path|name|arn|ref)|Name|Ref|Path|File)[\"']?\s*[:=]\s*[\"']?$")
"""A key that says where a secret is (Airflow, Docker, Kubernetes), before its value."""
_EXAMPLES = re.compile(
    r"(?:pass(?:word|wd)?|pwd|secret|token|change[-_]?(?:me|this)|example|postgres|airflow|minioadmin|guest|root|admin|test"
    r"|your[-_ ].*|my[-_]?password|x{3,}|\*+|\.{3,}|<.*>|\[.*\]|\$\{?\w+\}?)",
    re.IGNORECASE | re.DOTALL,
)


def is_no_secret(kind: str, line: str, value: str) -> bool:
    """Say whether a guess is none: its line names a place where the secret is, or its value is one that examples have. Pure."""
    if kind not in GUESSES:
        return False
    before = line[: max(line.rfind(value), 0)] if value else ""
    is_handed_on = value == "inherit" and _INHERIT.search(before)
    return bool(is_handed_on or _EXAMPLES.fullmatch(value.strip("\"'` ")) or _A_PLACE.search(before))


def line_of(lines: Sequence[str], number: int, value: str) -> int:
    """Return the line, from 1, that a value stands in: the one that was told, else the nearest one that has it. Pure."""
    if not value or (0 < number <= len(lines) and value in lines[number - 1]):
        return number
    having = [place for place, line in enumerate(lines, 1) if value in line]
    return min(having, key=lambda place: abs(place - number), default=min(max(number, 1), max(len(lines), 1)))
