"""Equal spelling means equal query, shown against DuckDB; formatting, comments and keyword case do not count."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.sql import duckdb_keywords
from prefect_sluice.sql.canonical import canonical
from prefect_sluice.sql.tokens import Lexeme, TokenKind, lexemes

CORPUS = (
    "select id, amount / 100 as Amount from t where id > 1 and not amount is null order by id",
    "with s as (select * from t), r as (select id as order_id, amount from s) select * from r",
    "select count(*) as n, sum(amount) over (partition by id order by amount) from t group by id, amount",
    "select case when id between 1 and 2 then 'a  b' else 'it''s' end as \"Two  Words\" from t as x",
    "select t.id, u.id from t left join t as u on t.id = u.id and u.amount >= -1 qualify rank() over (order by t.id) < 3",
    "select id::varchar || '-' || cast(amount as decimal(10, 2)) as Label, [1, 2][1:-1], {'a': 1} from t",
    "select $$a  b$$ as d, interval '1' day, date '2020-01-01', 1_000 + 1e3 - .5 from t",
    "select coalesce(null, Id), upper('x'), exists (select 1 from t) from t union all select 1, 'b', true",
)
DIFFERENT = (
    ("select 'a b'", "select 'a  b'"),
    ("select 'a'", "select 'A'"),
    ("select $$a b$$", "select $$a  b$$"),
    ("select $x$a b$x$", "select $x$a  b$x$"),
    ("select E'a\\' b'", "select E'a\\'  b'"),
    ("select u&'a b'", "select u & 'a b'"),
    ("select 1 as Date", "select 1 as date"),
    ("select 1 as End", "select 1 as end"),
    ("select 1 as Select", "select 1 as select"),
    ("select t.Order from t", "select t.order from t"),
    ("select Amount from t", "select amount from t"),
    ('select "a b"', 'select "a  b"'),
    ("select 5 % -3", "select 5 %-3"),
    ("select @ -1", "select @-1"),
    ("select a <-> b", "select a < -> b"),
    ("select 1 - -1", "select 1 --1\n"),
    ("select 'a' 'b'", "select 'a'\n'b'"),
    ("select x 'ab'", "select x'ab'"),
    ("select 1a", "select 1 as a"),
    ("select struct_pack(Sum := 1)", "select struct_pack(sum := 1)"),
    ("select {Left: 1}", "select {left: 1}"),
    ("select {# 1 #} 2", "select {# 3 #} 2"),
    ("select current_date as a, Current_Date", "select current_date as a, current_date"),
    ("select 1 -- a\u2028 + 1", "select 1 -- b\n + 1"),
    ("select 1; select 2", "select 1 select 2"),
)
SAME = (
    ("select 1 -- a\r + 1", "select 1 + 1"),
    ("select 1 /* a /* b */ c */ + 1;", "SELECT 1 + 1 ;"),
    ("select a+-1, b=-1", "select a + -1 , b = -1"),
    (
        "select Count(*)Filter(Where x)Over(Partition By y)",
        "select count(*) filter (where x) over (partition by y)",
    ),
    ("select /*+ no hint in DuckDB */ 1", "select 1"),
    ("select 'a'\n'b'", "select 'a' -- c\n 'b'"),
    (
        "select x::INT, CAST(x AS Decimal(3,1)), DATE '2020-01-01'",
        "select x::int, cast(x as decimal(3,1)), date '2020-01-01'",
    ),
    ("select x\nfrom\tt\n\n", "select x from t"),
)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_is_different_is_called_different(one: str, other: str) -> None:
    assert canonical(one, "duckdb") != canonical(other, "duckdb")


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_only_looks_different_is_the_same(one: str, other: str) -> None:
    assert canonical(one, "duckdb") == canonical(other, "duckdb")


@pytest.mark.parametrize(
    "sql", ["select 'open", "select 1\u00a0+1", "{{ config(a='  ') }}  select 1", "select $1", ""]
)
def test_what_cannot_be_taken_apart_is_left_as_it_is(sql: str) -> None:
    assert canonical(sql, "duckdb") == sql


def test_postgres_has_a_spelling_too() -> None:
    assert canonical("SELECT a,b -- c\n from t", "postgres") == "select a , b from t"


GAPS = st.sampled_from(
    [" ", "  ", "\n", "\t", "\r\n", " /* a */ ", " /* a /* b */ */ ", " -- it's\n", "\n--\n"]
)


@st.composite
def reformatted(draw: st.DrawFn) -> tuple[str, str]:
    """Return a query of the corpus, and the same with other space, comments, and case of its reserved words."""
    sql = draw(st.sampled_from(CORPUS))
    found = lexemes(sql, "duckdb")
    assert found is not None
    parts = [draw(GAPS)]
    before = ""
    for number, one in enumerate(found):
        # Where nothing stands between two lexemes now, a gap may change what they are: see DIFFERENT.
        free = one.gap or one.text in ",()" or before in "(,"
        parts.append(draw(GAPS) if free and number else "")
        label = before in ("as", ".")
        recased = draw(st.sampled_from([str.upper, str.lower, str.capitalize]))
        parts.append(recased(one.text) if one.lower in duckdb_keywords.RESERVED and not label else one.text)
        before = one.lower
    return sql, "".join(parts) + draw(st.sampled_from(["", ";", " ;\n", "-- end"]))


@given(reformatted())
def test_formatting_does_not_count(pair: tuple[str, str]) -> None:
    sql, other = pair
    assert canonical(other, "duckdb") == canonical(sql, "duckdb")


@given(reformatted())
def test_the_canonical_text_is_its_own(pair: tuple[str, str]) -> None:
    once = canonical(pair[1], "duckdb")
    assert canonical(once, "duckdb") == once


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str]:
    """Return a query of the corpus, and the same with one character, somewhere, gone, doubled or another."""
    sql = draw(st.sampled_from(CORPUS))
    at = draw(st.integers(0, len(sql) - 1))
    return sql, sql[:at] + draw(
        st.sampled_from(["", sql[at] * 2, " ", "'", "-", sql[at].swapcase(), "\n"])
    ) + sql[at + 1 :]


@given(edited())
def test_one_edit_that_leaves_the_spelling_leaves_the_answer(pair: tuple[str, str]) -> None:
    sql, other = pair
    if canonical(sql, "duckdb") == canonical(other, "duckdb"):
        assert asked(other) == asked(sql)


@given(st.sampled_from(CORPUS), st.data())
def test_another_name_number_or_string_is_another_query(sql: str, data: st.DataObject) -> None:
    found = lexemes(sql, "duckdb")
    assert found is not None
    number = data.draw(st.sampled_from([n for n, one in enumerate(found) if one.kind is not TokenKind.SIGN]))
    one = found[number]
    text = (
        one.text + "1"
        if one.kind in (TokenKind.WORD, TokenKind.NUMBER)
        else one.text[:1] + "z" + one.text[1:]
    )
    other = "".join(each.gap + (text if each is one else each.text) for each in found)
    assert canonical(other, "duckdb") != canonical(sql, "duckdb")


@lru_cache(maxsize=1)
def table() -> duckdb.DuckDBPyConnection:
    """Return a connection to the table that the corpus reads; nothing here writes to it."""
    connection = duckdb.connect()
    connection.execute(
        "create table t as select * from (values (1, 250.5), (2, null), (2, 7.25)) v(id, amount)"
    )
    return connection


def asked(sql: str) -> object:
    """Return names, types and rows of the answer, or that there is none."""
    try:
        answer = table().execute(sql)
    except duckdb.Error:
        return None
    return [column[:2] for column in answer.description], sorted(map(repr, answer.fetchall()))


def test_the_corpus_runs() -> None:
    assert [sql for sql in CORPUS if asked(sql) is None] == []


def test_equal_spellings_have_equal_answers() -> None:
    """Every pair of a few hundred random rewritings with the same canonical text: same columns, types and rows."""
    seen: dict[str, object] = {}
    for sql in rewritten(random.Random(7)):
        answer = asked(sql)
        assert seen.setdefault(canonical(sql, "duckdb"), answer) == answer, sql


def rewritten(chance: random.Random) -> Iterator[str]:
    """Yield the corpus with changes that may or may not matter."""
    for sql in CORPUS:
        for _ in range(40):
            edits = [
                (" ", chance.choice(["  ", "\n", " /**/ ", ""])),
                (
                    chance.choice(re.findall(r"\w+", sql)),
                    chance.choice(["ID", "Id", "1", "SELECT", "as", "x"]),
                ),
                (chance.choice(re.findall(r"\w", sql)), chance.choice("aA_'")),
            ]
            old, new = chance.choice(edits)
            at = chance.choice([found.start() for found in re.finditer(re.escape(old), sql)])
            yield sql[:at] + new + sql[at + len(old) :]
        yield re.sub(r"\b[a-z]+\b", lambda word: chance.choice([word[0], word[0].upper()]), sql)


@pytest.mark.parametrize("sql", [*CORPUS, *(sql for pair in SAME for sql in pair)])
def test_lexemes_start_where_duckdbs_own_do(sql: str) -> None:
    """DuckDB's lexer joins operators and splits nothing that we keep whole; it knows no closing quotes."""
    found = lexemes(sql, "duckdb")
    assert found is not None
    ours, at = set[int](), 0
    for one in found:
        at = sql.index(one.text, at)
        ours.add(at)
        at += len(one.text)
    theirs = {int(start) for start, kind in duckdb.tokenize(sql) if str(kind) != "token_type.comment"}
    assert theirs - ours == set()


@pytest.mark.parametrize("category", ["reserved", "type_function", "column_name", "unreserved"])
def test_words_are_duckdbs(category: str) -> None:
    ours = {
        "reserved": duckdb_keywords.RESERVED,
        "type_function": duckdb_keywords.TYPE_OR_FUNCTION,
        "column_name": duckdb_keywords.COLUMN_NAMES,
        "unreserved": duckdb_keywords.UNRESERVED,
    }[category]
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select keyword_name from duckdb_keywords() where keyword_category = ?", [category]
        ).fetchall()
    assert {word for (word,) in rows} == ours


def test_types_are_duckdbs() -> None:
    with duckdb.connect() as connection:
        rows = connection.execute("select lower(type_name) from duckdb_types() where internal").fetchall()
    assert {name for (name,) in rows} >= duckdb_keywords.TYPES


def test_no_two_words_of_which_one_is_reserved_share_a_spelling() -> None:
    for one, other in combinations(("select", "Select", '"select"', "'select'"), 2):
        texts = {canonical(f"{word} 1", "duckdb") for word in (one, other)}
        assert len(texts) == (1 if {one, other} == {"select", "Select"} else 2)


def test_a_lexeme_knows_what_stands_before_it() -> None:
    assert lexemes("a 'b'\n'c' /* \n */ 'd'", "duckdb") == (
        Lexeme(TokenKind.WORD, "a", ""),
        Lexeme(TokenKind.STRING, "'b'", " "),
        Lexeme(TokenKind.STRING, "'c'", "\n"),
        Lexeme(TokenKind.STRING, "'d'", " "),
    )
