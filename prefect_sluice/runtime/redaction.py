"""Secrets: which variables hold them, by their names, and texts without them."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, unquote

from prefect_sluice.runtime import process

HIDDEN = "*****"
"""What stands in the place of a secret."""

SHORTEST = 6
"""A shorter value is not looked for: it would be found in words that have nothing to do with it."""

_NAME = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|(?:^|_)(?:PWD|TOKEN|CREDENTIALS?|(?:API|ACCESS|ACCOUNT|PRIVATE)_?KEY"
    r"|AUTH_STRING|CONNECTION_STRING)(?:_|$)",
    re.IGNORECASE,
)
_PLACES = frozenset({"PWD", "OLDPWD"})
"""Names that look like a password's, and hold a folder."""

_USER = re.compile(r"(?<=://)(?P<user>[^/?#@:\s]*):(?P<password>[^\s]*)@")
_QUERY = re.compile(r"(?P<key>[?&][\w-]*(?:password|passwd|secret|token|key)[\w-]*=)[^&\s]*", re.IGNORECASE)
_STRING = re.compile(r"(?P<key>\b(?:password|passwd|pwd)\s*=\s*)(?:'[^']*'|[^\s;'\"]+)", re.IGNORECASE)


def is_confidential(name: str) -> bool:
    """Say whether a variable of this name holds a secret: DBT_ENV_SECRET_..., ..._PASSWORD, ..._TOKEN and their like."""
    return name not in _PLACES and _NAME.search(name) is not None


def mask_url(url: str) -> str:
    """Return a URL without its password and without what a query says of keys and tokens."""
    return _QUERY.sub(rf"\g<key>{HIDDEN}", _USER.sub(rf"\g<user>:{HIDDEN}@", url))


def secrets_of(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the values that must not be shown: of variables named so, and the passwords of URLs in any of them."""
    secrets = {value for name, value in environ.items() if is_confidential(name)}
    for value in environ.values():
        secrets.update(_in_url(value))
    return frozenset(secret for secret in secrets if len(secret) >= SHORTEST)


def _in_url(value: str) -> Iterator[str]:
    if "://" in value:
        for match in _USER.finditer(value):
            yield match["password"]
            yield unquote(match["password"])


def concealer() -> Callable[[str], str]:
    """Return a function that takes the secrets of this process out of a text: those of its environment, and those lent to it."""
    plain = sorted(_all_secrets(), key=len, reverse=True)
    spelt = [way for secret in plain for way in (secret, quote(secret, safe=""), secret.replace("'", "''"))]
    secrets = tuple(dict.fromkeys(spelt))

    def without(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        # A driver that cannot connect repeats what it was given, in its own way of writing it.
        return _STRING.sub(rf"\g<key>{HIDDEN}", text)

    return without


def concealed(text: str) -> str:
    """Return a text without the secrets of this process. Repeatable."""
    return concealer()(text)


def _all_secrets() -> frozenset[str]:
    lent = frozenset(secret for secret in process.temporary_secrets() if len(secret) >= SHORTEST)
    return secrets_of(process.environment()) | lent


def conceal(error: BaseException) -> None:
    """Take the secrets of this process out of an error and all that caused it: its texts are logged and kept. Repeatable."""
    without, seen = concealer(), set[int]()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        pending += [one.__cause__, one.__context__]
        one.args = tuple(
            without(argument) if isinstance(argument, str) else argument for argument in one.args
        )
        for name, value in vars(one).items():
            if isinstance(value, str):
                vars(one)[name] = without(value)


@contextmanager
def concealing() -> Generator[None]:
    """Take the secrets of this process out of whatever the block raises: Prefect logs it, and keeps it."""
    try:
        yield
    except Exception as error:
        conceal(error)
        raise
