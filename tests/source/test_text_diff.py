"""Which lines of a text were there before: edits of every kind against what is known of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.domain.former_text import FormerText, plain_text
from prefect_sluice.source.text_diff import find_renames, hunks

Edit = tuple[str, int]
EDITS = st.lists(st.tuples(st.sampled_from(["delete", "insert", "replace"]), st.integers(0, 40)), max_size=8)
LINES = st.lists(
    st.sampled_from(["select a", "from t", "", "-- a", "@@ -1 +1 @@", "diff --git a/old/1 b/new/1", "\\ x"])
)


def text_of(lines: list[str], *, ends: bool = True) -> str:
    return "\n".join(lines) + ("\n" if lines and ends else "")


def former(old: str, new: str) -> FormerText:
    [found] = hunks([(old, new)])
    return FormerText(old, found)


@given(st.integers(0, 30), EDITS)
def test_a_line_is_changed_if_and_only_if_it_is_not_carried_over(size: int, edits: list[Edit]) -> None:
    """Each line is there once, so that there is one answer only: a line was there before, or it was not."""
    old = [f"line {number}" for number in range(size)]
    new = list(old)
    for step, (kind, at) in enumerate(edits):
        place = at % (len(new) + 1)
        if kind != "insert" and place < len(new):
            del new[place]
        if kind != "delete":
            new.insert(place, f"edit {step}")
    told = former(text_of(old), text_of(new))
    expected = [old.index(line) + 1 if line in old else None for line in new]
    assert [told.origin(number) for number in range(1, len(new) + 1)] == expected
    for first in range(1, len(new) + 1):
        for last in range(first, len(new) + 1):
            own = expected[first - 1 : last]
            is_whole = all(before is not None and after == before + 1 for before, after in pairwise(own))
            assert told.touches(first, last) is not (None not in own and is_whole), (first, last)


@given(LINES, LINES, st.booleans(), st.booleans())
def test_what_is_carried_over_is_the_same_line_and_in_the_same_order(
    old: list[str], new: list[str], ends: bool, ended: bool
) -> None:
    """Lines may be there twice, may look like git's own words, and the last one may have no end."""
    before, after = text_of(old, ends=ends), text_of(new, ends=ended)
    told = former(before, after)
    lines, own = before.splitlines(keepends=True), after.splitlines(keepends=True)
    origins = [told.origin(number) for number in range(1, len(own) + 1)]
    kept = [line for line in origins if line is not None]
    assert kept == sorted(set(kept))
    both = [(lines[line - 1], own[number]) for number, line in enumerate(origins) if line is not None]
    assert all(was.rstrip("\n") == now.rstrip("\n") for was, now in both)
    assert all(was == now for was, now in both) or not before.endswith("\n"), (
        "only a last line may get its end"
    )
    assert len(lines) - len(kept) == sum(hunk.removed for hunk in told.hunks)
    gets_its_end = before != "" and not before.endswith("\n") and after == f"{before}\n"
    is_same = before == after or gets_its_end
    assert is_same == (not told.hunks)


def test_a_last_line_that_gets_its_end_or_a_line_behind_it_stays_and_one_that_loses_its_end_does_not() -> (
    None
):
    assert former("a\nb", "a\nb\n").origin(2) == 2
    assert [former("a\nb", "a\nb\nc").origin(line) for line in (2, 3)] == [2, None]
    assert [former("a\nb", "x\nb").origin(line) for line in (1, 2)] == [None, 2]
    assert former("a\nb\n", "a\nb").origin(2) is None


def test_no_setting_of_this_machine_changes_what_a_line_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").mkdir()
    (tmp_path / "git" / "attributes").write_text("* ident\n")
    (tmp_path / ".gitconfig").write_text("[diff]\n\torderFile = gone\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIFF_OPTS", "-u3")
    told = former("a\nb\n$Id: one $\nc\n", "a\nb\n$Id: two $\nc\n")
    assert [told.origin(line) for line in (1, 2, 3, 4)] == [1, 2, None, 4]


@given(st.lists(st.tuples(LINES, LINES), max_size=5))
def test_many_texts_at_once_are_told_as_each_by_itself(pairs: list[tuple[list[str], list[str]]]) -> None:
    texts = [(text_of(old), text_of(new)) for old, new in pairs]
    assert hunks(texts) == [hunks([pair])[0] for pair in texts]


def test_a_file_that_was_renamed_is_known_by_its_lines() -> None:
    body = "".join(f"line {number}\n" for number in range(9))
    gone = {"models/a.sql": body, "models/b.sql": body.replace("line", "row"), "c.yml": body}
    new = {
        "marts/x.sql": body.replace("8", "9"),
        "marts/y.sql": "select 1\n",
        "marts/z.sql": body.replace("line", "row"),
    }
    assert find_renames(gone, new) == {"marts/x.sql": "models/a.sql", "marts/z.sql": "models/b.sql"}
    assert find_renames({}, new) == {}
    assert find_renames(gone, {}) == {}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"\xef\xbb\xbfa\n", "a\n"),
        ("a\nö".encode("utf-16"), "a\nö"),
        ("ö\n".encode("latin-1"), "\ufffd\n"),
        ("a\fb\u2028c\n".encode(), "a b c\n"),
        (b"\x89PNG\0", None),
    ],
)
def test_ends_of_lines_and_marks_are_no_difference(content: bytes, text: str | None) -> None:
    assert plain_text(content) == text
