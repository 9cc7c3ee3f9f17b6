"""Side effects of SQL statements: which relations they write to, and what they do that no release holds.

They are read from tokens. Words below stand for a template's expressions. A statement that is cut off counts as far as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prefect_sluice.sql.duckdb_keywords import DIALECT, listed
from prefect_sluice.sql.tokens import Lexeme, TokenKind, lexemes

THIS, ANY, SCHEMA = "__sluice_this__", "__sluice_any__", "__sluice_schema__"
"""Stand for `{{ this }}`, for an expression that nobody can know, and for the project's own schema."""
REF, SOURCE = "__sluice_ref__", "__sluice_source__"
"""Stand, with a name after them, for `{{ ref('name') }}` and `{{ source('…', 'name') }}`."""

_SAID = 14
_BEFORE_KIND = listed(
    "or replace temp temporary persistent unique recursive secure global local external materialized"
)
_HAS_ROWS = listed("table view sequence")
_HTTP = listed("http_get http_post http_post_form http_head")
_MARKS = (
    (re.compile(THIS), "{{ this }}"),
    (re.compile(SCHEMA), "{{ target.schema }}"),
    (re.compile(f"{REF}(\\w+)"), r"{{ ref('\1') }}"),
    (re.compile(f"{SOURCE}(\\w+)"), r"{{ source(…, '\1') }}"),
    (re.compile(ANY), "{{ … }}"),
)
_HINT = re.compile(
    r"\b(insert|delete|update|merge|truncate|create|drop|alter|copy|export|attach|detach|install|load|use|"
    r"global|pragma|import|http_\w+)\b",
    re.IGNORECASE,
)


class EffectType(StrEnum):
    """What a statement does."""

    WRITES = "writes"
    """It changes rows, columns or the existence of one relation."""
    COPIES_OUT = "copies out"
    ATTACHES = "attaches"
    READS_ELSEWHERE = "attaches to read"
    CALLS = "calls"
    DROPS_SCHEMA = "drops schema"
    SETS = "sets"
    INSTALLS = "installs"
    KEEPS_SECRET = "keeps a secret"
    MOVES = "moves"


@dataclass(frozen=True, slots=True)
class StatementWrite:
    """One statement. `target` are the parts of the relation's name, unquoted (empty: none is said), `place` a file or
    database as written; `said` is how it begins."""

    does: EffectType
    said: str
    verb: str = ""
    target: tuple[str, ...] = ()
    place: str = ""


def writes(sql: str, dialect: str) -> tuple[StatementWrite, ...] | None:
    """Return what the statements in `sql` do beside reading; None where it has no trustworthy tokens, or is not DuckDB's. Pure.

    What ends with the session (temporary tables, SET), and what changes no relation (grants, indexes,
    CREATE SCHEMA, ANALYZE), is left out.
    """
    if dialect != DIALECT:
        return None if sql.strip() else ()
    if not has_hint(sql):
        return ()
    tokens = lexemes(sql, dialect)
    return None if tokens is None else tuple(_writes(tokens))


def has_hint(text: str) -> bool:
    """Say whether a text holds a word that a statement beside reading begins with: without one there is none. Pure."""
    return _HINT.search(text) is not None


def template_text(text: str) -> str:
    """Return a text with the words that stand for expressions as a template has them."""
    for mark, replacement in _MARKS:
        text = mark.sub(replacement, text)
    return text


def _writes(tokens: Sequence[Lexeme]) -> Iterator[StatementWrite]:
    for at, one in enumerate(tokens):
        if one.kind is not TokenKind.WORD or (at and tokens[at - 1].text == "."):
            continue
        write = _Statement(tokens, at).read()
        if write is not None:
            yield write


@dataclass(frozen=True, slots=True)
class _Statement:
    """Reads what may be a statement that begins at `at`."""

    tokens: Sequence[Lexeme]
    at: int

    def read(self) -> StatementWrite | None:
        word, after = self._word(0), self._word(1)
        if word == "insert":
            into = 1 if after == "into" else 3
            return self._to("insert into", into + 1) if self._word(into) == "into" else None
        if (word, after) in {("delete", "from"), ("merge", "into")}:
            return self._to(f"{word} {after}", 2)
        if word == "create":
            return self._create()
        if word in _HTTP and after == "(":
            return self._other(EffectType.CALLS, place=word)
        return self._first(word, after) if self._starts else None

    @property
    def _starts(self) -> bool:
        return self.at == 0 or self.tokens[self.at - 1].text == ";"

    def _first(self, word: str, after: str) -> StatementWrite | None:
        """Return the statement that a word begins which means one only where a statement begins."""
        if not after:
            return None  # a word alone is a value, as in `x == 'copy'`
        if word == "update":
            return self._updated()
        if word == "truncate":
            return self._to("truncate", 2 if after == "table" else 1)
        if word in {"drop", "alter"}:
            return self._changed(word)
        if word == "copy":
            return self._copied()
        if (word, after) == ("export", "database"):
            return self._other(EffectType.COPIES_OUT, place=self._literal())
        if (word, after) == ("import", "database"):
            return self._other(EffectType.WRITES)
        if word == "attach":
            return self._attached()
        if (word in {"install", "load"} and self._is_brief) or (word, after) == ("force", "install"):
            return self._other(EffectType.INSTALLS, place=after)
        if (word, after) in {("set", "global"), ("reset", "global")} or word == "pragma":
            return self._other(EffectType.SETS, place=self._word(2) if after == "global" else after)
        moves = (word in {"use", "detach"} and self._is_brief) or (word, after) == ("detach", "database")
        return self._other(EffectType.MOVES, place=f"{word} {after}") if moves else None

    @property
    def _is_brief(self) -> bool:
        """Say whether the statement is a word and a name, and no sentence of plain English that begins with that word."""
        return self._end() == 2 or self._word(2) in {".", "from"}

    def _updated(self) -> StatementWrite | None:
        """Return what is updated: a name, a few words at most (`as x`), and SET."""
        beyond = 1 + max(2 * len(self._name(1)) - 1, 1)
        has_set = "set" in {self._word(at) for at in range(beyond, beyond + 3)}
        return self._to("update", 1) if has_set or beyond >= self._end() else None

    def _create(self) -> StatementWrite | None:
        at = 1
        flags: set[str] = set()
        while self._word(at) in _BEFORE_KIND:
            flags.add(self._word(at))
            at += 1
        kind = self._word(at)
        if kind == "secret":
            return self._other(EffectType.KEEPS_SECRET) if "persistent" in flags else None
        if kind not in _HAS_ROWS or flags & {"temp", "temporary"}:
            return None
        return self._to(f"create {kind}", self._beyond(at + 1, "if", "not", "exists"))

    def _changed(self, word: str) -> StatementWrite | None:
        kind = self._word(1)
        at = self._beyond(2, "if", "exists")
        if word == "drop" and kind in {"schema", "database"}:
            return self._other(EffectType.DROPS_SCHEMA, place=".".join(self._name(at)))
        return self._to(f"{word} {template_text(kind)}", at) if kind in _HAS_ROWS or ANY in kind else None

    def _copied(self) -> StatementWrite | None:
        depth = 0
        for at in range(1, len(self.tokens) - self.at):
            word = self._word(at)
            depth += (word == "(") - (word == ")")
            if word == ";" and not depth:
                return None
            if word == "to" and not depth:
                return self._other(EffectType.COPIES_OUT, place=self._literal(at))
            if word == "from" and not depth:
                return self._to("copy into", 1)
        return None

    def _attached(self) -> StatementWrite | None:
        place = self._literal()
        words = {self._word(at) for at in range(1, self._end())}
        if place.strip("'") == ":memory:" or not (place[:1] == "'" or ANY in place):
            return None
        return self._other(
            EffectType.READS_ELSEWHERE if "read_only" in words else EffectType.ATTACHES, place=place
        )

    def _to(self, verb: str, at: int) -> StatementWrite:
        return StatementWrite(EffectType.WRITES, self._statement_text(), verb, self._name(at))

    def _other(self, does: EffectType, place: str = "") -> StatementWrite:
        return StatementWrite(does, self._statement_text(), place=template_text(place))

    def _statement_text(self) -> str:
        end = min(self._end(), _SAID)
        text = "".join(
            one.gap[:1].replace("\n", " ") + one.text for one in self.tokens[self.at : self.at + end]
        )
        return template_text(text.strip()) + (" …" if self._end() > _SAID else "")

    def _end(self) -> int:
        """Return how many tokens the statement has."""
        rest = self.tokens[self.at :]
        return next((number for number, one in enumerate(rest) if one.text == ";"), len(rest))

    def _literal(self, at: int = 0) -> str:
        """Return the first string after `at`, or what stands there instead."""
        for one in self.tokens[self.at + at : self.at + self._end()]:
            if one.kind is TokenKind.STRING:
                return one.text
        return self._word(at + 1)

    def _beyond(self, at: int, *words: str) -> int:
        return at + len(words) if tuple(self._word(at + n) for n in range(len(words))) == words else at

    def _name(self, at: int) -> tuple[str, ...]:
        parts: list[str] = []
        place = self.at + at
        while place < len(self.tokens) and self.tokens[place].kind in {TokenKind.WORD, TokenKind.QUOTED}:
            one = self.tokens[place]
            quote = one.text[0]
            parts.append(
                one.text[1:-1].replace(quote * 2, quote) if one.kind is TokenKind.QUOTED else one.text
            )
            if place + 1 >= len(self.tokens) or self.tokens[place + 1].text != ".":
                break
            place += 2
        return tuple(parts)

    def _word(self, at: int) -> str:
        place = self.at + at
        return self.tokens[place].lower if place < len(self.tokens) else ""
