"""The tokens of a SQL text by sqlglot's tokenizer, each as written; what it leaves out between them is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot.dialects.dialect import Dialect

_SPACE = re.compile(r"[ \t\r\n\f]+")
_LINE_COMMENT = re.compile(r"--[^\r\n]*")
_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"\.?\d[\w.]*(?:(?<=[eE])[+-]\d+)?")
_STRING = re.compile(r"(?:[xXbB]?'|\$\w*\$)")
_STRANGE = re.compile(r"[uU]&['\"]|[$\\]|\{[{%#]|[%#]\}")
"""Signs that no two lexers read alike: a text that holds one of them, strings apart, is left alone."""


class TokenKind(StrEnum):
    """The kind of a token, as far as its spelling tells."""

    WORD = "word"
    QUOTED = "quoted"
    NUMBER = "number"
    STRING = "string"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A word or sign as written, and what stands before it: "" nothing, " " space or a comment, or a line's end.

    A line's end counts by itself because two strings with one between them are one string.
    """

    kind: TokenKind
    text: str
    gap: str

    @property
    def lower(self) -> str:
        """The text in lower case."""
        return self.text.lower()


@lru_cache(maxsize=16)
def lexemes(sql: str, dialect: str) -> tuple[Lexeme, ...] | None:
    """Return the tokens of `sql` in order, None where the tokenizer of `dialect` cannot be trusted with it."""
    from sqlglot.errors import SqlglotError

    try:
        spans = [(token.start, token.end + 1) for token in _dialect(dialect).tokenize(sql)]
    except (SqlglotError, ValueError, IndexError):
        return None
    tokens: list[Lexeme] = []
    at = 0
    for start, end in spans:
        gap = _gap(sql[at:start])
        pieces = None if gap is None else list(_pieces(sql[start:end], gap))
        if not pieces:
            return None
        tokens += pieces
        at = end
    if _gap(sql[at:]) is None or _STRANGE.search(_outside_strings(tokens)):
        return None
    return tuple(tokens)


@lru_cache(maxsize=8)
def _dialect(name: str) -> Dialect:
    from sqlglot.dialects.dialect import Dialect

    return Dialect.get_or_raise(name)


def _gap(text: str) -> str | None:
    """Return what `text`, which the tokenizer left out, comes to; None if it is more than space and comments."""
    at, line, block = 0, False, False
    while at < len(text):
        if space := _SPACE.match(text, at):
            line = line or "\n" in space[0] or "\r" in space[0]
            at = space.end()
        elif comment := _LINE_COMMENT.match(text, at):
            at = comment.end()
        elif text.startswith("/*", at) and (end := _end_of_comment(text, at)):
            at, block = end, True
        else:
            return None
    return "\n" if line and not block else " " if text else ""


def _end_of_comment(text: str, at: int) -> int:
    """Return where the comment that starts at `at` ends, those inside it counted; 0 if it does not."""
    depth = 0
    for sign in re.finditer(r"/\*|\*/", text[at:]):
        depth += 1 if sign[0] == "/*" else -1
        if not depth:
            return at + sign.end()
    return 0


def _pieces(text: str, gap: str) -> Iterator[Lexeme]:
    """Yield our tokens of one of sqlglot's: several where it made one of two words, none if it is not understood."""
    kind = _kind(text)
    if kind is not None:
        yield Lexeme(kind, text, gap)
        return
    words = text.split()
    if all(_WORD.fullmatch(word) for word in words):
        for number, word in enumerate(words):
            yield Lexeme(TokenKind.WORD, word, " " if number else gap)


def _kind(text: str) -> TokenKind | None:
    if _WORD.fullmatch(text):
        return TokenKind.WORD
    if text[0] in '"`' and len(text) > 1:
        return TokenKind.QUOTED
    if _STRING.match(text) and len(text) > 1:
        return TokenKind.STRING
    if text[:2] in ("E'", "e'"):
        # Backslashes escape inside it, and lexers differ in how.
        return None if "\\" in text else TokenKind.STRING
    if _NUMBER.fullmatch(text):
        return TokenKind.NUMBER
    return None if re.search(r"[\w\s'\"]", text) else TokenKind.SIGN


def _outside_strings(tokens: list[Lexeme]) -> str:
    """Return the text again, strings and quoted names emptied, with the gaps between the tokens."""
    empty = {TokenKind.STRING: "''", TokenKind.QUOTED: '""'}
    return "".join(one.gap + empty.get(one.kind, one.text) for one in tokens)
