"""Passwords written out where a line-by-line look gives up: as defaults, and among the arguments of a call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

_SHORTEST = 4
"""A shorter value keeps nobody out, and is far more often a word of the language."""
_QUOTED = r"[rbfu]{0,2}(?P<q>[\"'])(?P<value>(?:(?!(?P=q))[^\\\n]|\\.){1,300})(?P=q)"
_NOTHING = frozenset({"none", "null", "void", "false", "true", "unset", "undefined", "missing", "empty"})
"""Words that stand for no password."""
_NAME = r"[\"'][\w.\- ]{1,80}[\"']"
_ASK = r"\b(?:env_var|var|getenv|get_env|get|env|environ|setdefault|pop)\(\s*"
"""A call that asks for a value by its name, and may have a default."""
_OF_THE_MACHINE = r"\b(?:env_var|getenv|get_env|environ\.get|env)\(\s*"
"""A call that asks the environment: `token` and `pass`, elsewhere words of the language, are passwords there."""
_TOKEN = r"(?:token|pass|passphrase|passcode|credentials?)"
_OPEN = r"(?:[\"']?\{\{-?\s*)?(?:[\w.]{0,80}\.)?"
_DEFAULT = rf"{_OPEN}(?:{_ASK}{_NAME}\s*,\s*(?:\w+\s*=\s*)?){{1,3}}"
_BEFORE = (
    r"\(?\s*",
    # A default: of Jinja (in quotes of YAML or none), of a call, one within another, or after what came to nothing.
    _DEFAULT,
    rf"{_OPEN}{_ASK}{_NAME}\s*\)\s*(?:or\s+|\|\s*default\(\s*|if\s[^\n]{{1,80}}?\selse\s+)",
    rf"[\w.]{{1,80}}\[\s*{_NAME}\s*\]\s*or\s+",
)
"""What may stand between a name with its sign and the value."""
_CONNECTION = re.compile(r"\b(?:password|pwd)\s*=\s*(?P<value>[^\s\"'`{}$%;&,()<>]+)", re.IGNORECASE)
_PROFILE = re.compile(r"^\s+outputs\s*:\s*$", re.MULTILINE)
_IN_A_PROFILE = re.compile(
    rf"^\s+(?:\w{{0,40}}_)?{_TOKEN}\s*:\s*[\"']?(?P<value>[^\s\"'{{}}#]+)[\"']?\s*(?:#.*)?$",
    re.IGNORECASE | re.MULTILINE,
)
_LONGEST = 2000
"""A longer line is data: of that, this much is looked at."""
_OF_A_SERVER = re.compile(r"\b(?:host|hostaddr|dbname|user|port)\s*=")


def literals(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line from 1, value) of what is written out as a password: as an argument, in a dictionary, or as a default. Pure.

    detect-secrets passes over each line that has a call or an index in it, over whatever stands in {{ }} or ${ }, and over
    what begins on a line of its own. A value with a blank or a template in it is none: it is a sentence, or made up later.
    """
    from detect_secrets.plugins.keyword import DENYLIST

    if not re.search("|".join([*DENYLIST, _TOKEN]), text, re.IGNORECASE):
        return
    for pattern in _patterns():
        for found in pattern.finditer(text):
            value = found["value"]
            if len(value) < _SHORTEST or _is_made(value):
                continue
            yield text.count("\n", 0, found.start("value")) + 1, value
    yield from _of_connections(text)
    yield from _of_a_profile(text)


def _of_a_profile(text: str) -> Iterator[tuple[int, str]]:
    """Yield what dbt's own profiles call `pass` and `token`, where it is written out as it is."""
    for setting in _IN_A_PROFILE.finditer(text) if _PROFILE.search(text) else ():
        if len(setting["value"]) >= _SHORTEST and not _is_made(setting["value"]):
            yield text.count("\n", 0, setting.start("value")) + 1, setting["value"]


def _of_connections(text: str) -> Iterator[tuple[int, str]]:
    """Yield the passwords within connection strings: host=… password=…"""
    for number, line in enumerate(text.split("\n") if _CONNECTION.search(text) else (), 1):
        for found in _CONNECTION.finditer(line[:_LONGEST]):
            begin = max(line.rfind(quote, 0, found.start()) for quote in "\"'")
            end = min((at for quote in "\"'" if (at := line.find(quote, found.end())) > 0), default=-1)
            is_one = begin >= 0 and end > 0 and _OF_A_SERVER.search(line, begin, end)
            if is_one and len(found["value"]) >= _SHORTEST:
                yield number, found["value"]


def _is_made(value: str) -> bool:
    """Say whether a value is a sentence, or is put together or looked up when it is used."""
    from detect_secrets.filters import heuristic

    return (
        value.casefold() in _NOTHING
        or any(char.isspace() for char in value)
        or ("{" in value and "}" in value)
        or "%s" in value
        or "%(" in value
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_templated_secret(value)
        or heuristic.is_not_alphanumeric_string(value)
        or heuristic.is_sequential_string(value)
        or heuristic.is_potential_uuid(value)
    )


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    from detect_secrets.plugins.keyword import DENYLIST

    # An underscore ends a word of a name, so that `password_hash` is about a password and `passwords_seen` is none.
    word = rf"(?:{'|'.join(DENYLIST)})(?!\w{{0,40}}_?(?:id|hash|name|file|path|arn|ref|column|field|cmd|url|type)\b)\w{{0,40}}"
    named = (
        r"[\"']?\]?(?:\s*:\s*[\w.]+(?:\s*\|\s*None)?(?=\s*=))?\s*(?::=?|=>?)(?!=)\s*(?:[|>][-+]?\s*\n\s*)?"
    )
    shell = r"\$\{\w+:?[-=](?P<value>[^\s{}\"'$]+)\}"
    return tuple(
        re.compile(pattern, re.IGNORECASE)
        for pattern in (
            # A string before a colon is a key, and no value.
            *(rf"{word}{named}{before}{_QUOTED}(?!\s*:(?!=))" for before in _BEFORE),
            rf"{_ASK}[\"'][\w.\-]{{0,60}}{word}[\"']\s*,\s*(?:\w+\s*=\s*)?{_QUOTED}\s*[,)]",
            rf"\b{_TOKEN}{named}(?={_OPEN}{_OF_THE_MACHINE}){_DEFAULT}{_QUOTED}",
            rf"{_OF_THE_MACHINE}[\"'](?:\w{{0,60}}_)?{_TOKEN}[\"']\s*,\s*(?:\w+\s*=\s*)?{_QUOTED}\s*[,)]",
            rf"[\"'][\w.\-]{{0,60}}{word}[\"']\s*\)\s*(?:or\s+|\|\s*default\(\s*){_QUOTED}",
            rf"\[\s*[\"'][\w.\-]{{0,60}}{word}[\"']\s*\]\s*or\s+{_QUOTED}",
            rf"[\"']-{{0,2}}[\w.\-]{{0,60}}{word}[\"']\s*,[^()\n]{{0,200}}?\bdefault(?:_var)?\s*=\s*{_QUOTED}",
            rf"{word}{named}[\"']?{shell}",
            rf"\$\{{\w{{0,60}}{word}:?[-=](?P<value>[^\s{{}}\"'$]+)\}}",
            # DuckDB's own: create secret (type s3, secret '…').
            rf"\bcreate\b[^;\n]{{0,60}}\bsecret\b[^;]{{0,200}}?\b{word}\s+{_QUOTED}",
        )
    )
