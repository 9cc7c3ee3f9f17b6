"""Data tests that can be counted with others in one scan: the query looks at each row of one relation by itself.

That is proven from the tokens of the query, never from the name of the test: a project may have a `not_null` of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefect_sluice.sql.duckdb_keywords import DIALECT
from prefect_sluice.sql.tokens import Lexeme, TokenKind, lexemes

_STOPS = frozenset(
    [
        "distinct",
        "all",
        "order",
        "limit",
        "offset",
        "fetch",
        "union",
        "intersect",
        "except",
        "join",
        "left",
        "right",
        "full",
        "inner",
        "outer",
        "cross",
        "natural",
        "asof",
        "positional",
        "lateral",
        "semi",
        "anti",
        "qualify",
        "window",
        "using",
        "tablesample",
        "sample",
        "pivot",
        "unpivot",
        "on",
        "values",
        "recursive",
        "for",
        "into",
    ]
)
"""Words that, outside parentheses, make a query more than a look at each row."""
_NOT_OF_ONE_ROW = frozenset({"select", "over", "columns", "unnest", "exists", "within"})
_CLAUSES = ("select", "from", "where", "group", "having")
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_LITERALS = frozenset({"true", "false", "null"})


@dataclass(frozen=True, slots=True)
class CountableQuery:
    """A query whose rows can be counted with others in one scan of `relation` (as written).

    Its rows are those of the relation for which `condition` is true ("" : all). `exact` says that there are as many; else
    there are none if and only if there are none of those. `names` says that it selects columns by name, which may not be there.
    """

    relation: str
    condition: str
    exact: bool = True
    names: bool = False


Texts = tuple[Lexeme, ...]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Whole rows of a relation that meet all conditions."""

    relation: str
    conditions: tuple[str, ...] = ()

    def met(self, condition: Texts) -> _Rows:
        return _Rows(self.relation, (*self.conditions, _text(condition))) if condition else self


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of one column of these rows, each once, under another name."""

    rows: _Rows
    column: str
    name: str


def counted(sql: str, dialect: str) -> CountableQuery | None:
    """Return how the rows of a query can be counted in a scan that others share; None where that is not certain. Pure."""
    words = lexemes(sql, dialect) if dialect == DIALECT else None
    if not words:
        return None
    common_tables: dict[str, _Rows | _Values] = {}
    while words[0].lower == "with" or (common_tables and words[0].text == ","):
        cut = _common_table(words, common_tables)
        if cut is None:
            return None
        words = cut
    return _answer(words, common_tables)


def _common_table(words: Texts, common_tables: dict[str, _Rows | _Values]) -> Texts | None:
    """Read `with NAME as (...)` into `common_tables`; return what follows it."""
    if len(words) < 5 or words[2].lower != "as" or words[3].text != "(" or not _is_name(words[1]):
        return None
    end = _closing(words, 3)
    name = _bare(words[1])
    table = _rows(words[4:end], common_tables) or _values(words[4:end], common_tables)
    if table is None or end + 1 >= len(words) or name in common_tables:
        return None
    common_tables[name] = table
    return words[end + 1 :]


def _answer(words: Texts, common_tables: Mapping[str, _Rows | _Values]) -> CountableQuery | None:
    parts = _clauses(words)
    if parts is None or "group" in parts or "having" in parts:
        return None
    source, condition = parts["from"], parts.get("where", ())
    values = common_tables.get(_bare(source[0])) if len(source) == 1 else None
    if isinstance(values, _Values):
        listed = _is_star(parts["select"]) and _listed(condition, values.name)
        return _counted(values.rows, f"{values.column} {_text(listed)}", exact=False) if listed else None
    rows = _source(source, common_tables)
    if rows is None or not (_is_of_one_row(condition) and _are_columns(parts["select"])):
        return None
    return _counted(rows.met(condition), names=not _is_star(parts["select"]))


def _counted(rows: _Rows, more: str = "", *, exact: bool = True, names: bool = False) -> CountableQuery:
    conditions = [condition for condition in (*rows.conditions, more) if condition]
    return CountableQuery(
        rows.relation, " and ".join(f"({condition})" for condition in conditions), exact, names
    )


def _rows(words: Texts, common_tables: Mapping[str, _Rows | _Values]) -> _Rows | None:
    """Read `select * from SOURCE [where ...]`."""
    parts = _clauses(words)
    if parts is None or "group" in parts or "having" in parts or not _is_star(parts["select"]):
        return None
    rows = _source(parts["from"], common_tables)
    condition = parts.get("where", ())
    return rows.met(condition) if rows is not None and _is_of_one_row(condition) else None


def _values(words: Texts, common_tables: Mapping[str, _Rows | _Values]) -> _Values | None:
    """Read `select COLUMN as NAME, count(*) as N from SOURCE group by COLUMN`, as dbt's accepted_values has it."""
    parts = _clauses(words)
    if parts is None or "where" in parts or "having" in parts or "group" not in parts:
        return None
    first, _, second = _parted(parts["select"])
    by, column, named = parts["group"][:1], parts["group"][1:], first[-2:]
    counts = [word.lower for word in second[:-1]] == ["count", "(", "*", ")", "as"]
    rows = _source(parts["from"], common_tables)
    if rows is None or len(column) != 1 or len(named) != 2 or not counts or not _is_name(column[0]):
        return None
    same = [word.text for word in first[:-2]] == [column[0].text] and by[0].lower == "by"
    if not same or named[0].lower != "as" or not _is_name(named[1]):
        return None
    return _Values(rows, column[0].text, named[1].text)


def _listed(condition: Texts, name: str) -> Texts | None:
    """Return `not in (...)` of `NAME not in (literals)`."""
    head = [word.lower for word in condition[:4]]
    if (
        head[1:] != ["not", "in", "("]
        or condition[0].text != name
        or _closing(condition, 3) != len(condition) - 1
    ):
        return None
    plain = all(
        word.kind in {TokenKind.STRING, TokenKind.NUMBER}
        or word.text in {",", "-", "+"}
        or word.lower in _LITERALS
        for word in condition[4:-1]
    )
    return condition[1:] if plain and len(condition) > 5 else None


def _clauses(words: Texts) -> dict[str, Texts] | None:
    """Return the clauses of a plain SELECT, by their first word; None for anything else."""
    if not words or words[0].lower != "select":
        return None
    clauses: dict[str, list[Lexeme]] = {}
    depth, now = 0, ""
    for word in words:
        depth += (word.text in _OPEN) - (word.text in _CLOSE)
        if depth < 0:
            return None
        plain = word.lower if depth == 0 and word.kind is TokenKind.WORD else ""
        if plain in _STOPS or word.text == ";":
            return None
        if plain in _CLAUSES:
            if plain in clauses or (now and _CLAUSES.index(plain) < _CLAUSES.index(now)):
                return None
            now = plain
            clauses[now] = []
        else:
            clauses[now].append(word)
    return (
        {name: tuple(clause) for name, clause in clauses.items()}
        if clauses.get("from") and depth == 0
        else None
    )


def _source(words: Texts, common_tables: Mapping[str, _Rows | _Values]) -> _Rows | None:
    """Read what stands after FROM: a relation, a common table, or dbt's `(select * from ... where ...) dbt_subquery`."""
    if words[0].text == "(":
        end = _closing(words, 0)
        alias = words[end + 1 :]
        return _rows(words[1:end], common_tables) if len(alias) == 1 and _is_name(alias[0]) else None
    if len(words) == 1 and _bare(words[0]) in common_tables:
        table = common_tables[_bare(words[0])]
        return table if isinstance(table, _Rows) else None
    return _Rows(_text(words)) if _is_dotted(words) else None


def _are_columns(words: Texts) -> bool:
    """Say whether a list of what is selected holds nothing but columns and literals: as many rows go out as come in."""
    entry: list[Lexeme] = []
    items = [entry]
    for word in words:
        if word.text == ",":
            entry = []
            items.append(entry)
        else:
            entry.append(word)
    return all(_is_star(tuple(entry)) or _is_dotted(entry) or _is_literal(entry) for entry in items)


def _is_of_one_row(condition: Texts) -> bool:
    return not any(word.kind is TokenKind.WORD and word.lower in _NOT_OF_ONE_ROW for word in condition)


def _is_star(words: Texts) -> bool:
    return len(words) == 1 and words[0].text == "*"


def _is_literal(words: Sequence[Lexeme]) -> bool:
    return len(words) == 1 and words[0].kind in {TokenKind.STRING, TokenKind.NUMBER}


def _is_dotted(words: Sequence[Lexeme]) -> bool:
    names, dots = words[::2], words[1::2]
    return (
        bool(names)
        and all(map(_is_name, names))
        and len(names) == len(dots) + 1
        and all(dot.text == "." for dot in dots)
    )


def _is_name(word: Lexeme) -> bool:
    return word.kind is TokenKind.WORD or (word.kind is TokenKind.QUOTED and word.text.startswith('"'))


def _bare(word: Lexeme) -> str:
    return word.lower.strip('"')


def _parted(words: Texts) -> tuple[Texts, Texts, Texts]:
    """Return what stands before the first comma, the comma, and the rest."""
    at = next((at for at, word in enumerate(words) if word.text == ","), len(words))
    return words[:at], words[at : at + 1], words[at + 1 :]


def _closing(words: Texts, at: int) -> int:
    """Return where the parenthesis at `at` is closed; the end if it is not."""
    depth = 0
    for place in range(at, len(words)):
        depth += (words[place].text in _OPEN) - (words[place].text in _CLOSE)
        if depth == 0:
            return place
    return len(words)


def _text(words: Texts) -> str:
    return "".join(word.gap + word.text for word in words).strip()
