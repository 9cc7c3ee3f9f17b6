"""Text from outside is read, or refused in one line: whatever it is, whichever parser it meets. The same each time."""

from __future__ import annotations

import errno
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_sluice import config
from prefect_sluice.config import yaml_file
from prefect_sluice.config.base import parse_duration, parse_end
from prefect_sluice.dbt import profile
from prefect_sluice.domain import coverage
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.untrusted_text import (
    number,
    one_line,
    parsing,
    path_fault,
    plain,
    refuse_odd,
    shortened,
)
from prefect_sluice.planning import expectations
from prefect_sluice.source import git
from tests.repository import repository

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SEEDED = settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SCALARS = (
    "!!int abc",
    "!!timestamp 2026-99-99",
    "!!float x",
    '!!binary "a"',
    "!!set {a}",
    "!!bool x",
    "!!python/name:os.system",
    "1" * 5000,
    "0x" + "f" * 5000,
    "190:20:30:abc",
    '"\\ud800"',
    '"a\\0b"',
    "1e999",
    ".nan",
    "999999999d",
    "n" * 5000,
    "~",
    "'",
    "2026-01-01",
    "{{ 1/0 }}",
    "{{ x",
    "~nobody/x",
)
NESTED = ("[" * 400 + "]" * 400, "[" * 50_000, "{a: " * 300 + "}" * 300, "&a [*a]", "&a {b: *a}", "*nowhere")
SECTIONS = (
    "project",
    "state",
    "vars",
    "environments",
    "gates",
    "sources",
    "expect",
    "schedules",
    "warehouse",
)
WORDS = st.sampled_from(
    [*SCALARS, *NESTED, *SECTIONS, "dev", ":", ": ", "- ", "\n", "\n  ", "{", "}", "[", "]"]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=12).map("".join), st.text(max_size=80))


def line(error: BadInput) -> str:
    """Return an error's message, as the command line shows it."""
    return " ".join(str(error).split())


def check(read: Callable[[], object]) -> None:
    """It reads, or says in words that are short what is wrong."""
    try:
        read()
    except BadInput as error:
        assert error.fix  # noqa: PT017
        assert len(shortened(line(error))) < 1000  # noqa: PT017


@pytest.mark.parametrize("value", [*SCALARS, *NESTED])
@pytest.mark.parametrize("section", SECTIONS)
def test_sluice_yml_is_read_or_refused(section: str, value: str, tmp_path: Path) -> None:
    file = tmp_path / "sluice.yml"
    file.write_text(f"{section}: {value}\n", encoding="utf-8")
    check(lambda: config.load(file))


@SEEDED
@given(TEXTS)
def test_any_yaml_is_plain_or_refused(text: str) -> None:
    def read() -> None:
        found = yaml_file.read(text, "sluice.yml")
        json.dumps(found, allow_nan=True).encode()
        assert not plain(found)

    check(read)


@SEEDED
@given(st.binary(max_size=60) | TEXTS.map(lambda text: text.encode(errors="surrogatepass")))
def test_any_profile_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dbt_project.yml").write_bytes(b"name: shop\nprofile: shop\n")
    (tmp_path / "profiles.yml").write_bytes(b"shop: " + content)
    check(lambda: profile.load(tmp_path, {}).usable())
    (tmp_path / "dbt_project.yml").write_bytes(b"profile: " + content)
    check(lambda: profile.load(tmp_path, {}).usable())


@SEEDED
@given(TEXTS)
def test_any_commit_message_and_any_time_is_read_or_said_to_be_none(text: str) -> None:
    expectations.from_message("c0ffee0", f"subject\n\nExpect: {text}\nexpect:{text}")
    readers: tuple[Callable[[str], object], ...] = (parse_duration, lambda text: parse_end(text, NOW))
    for read in readers:
        try:
            read(text)
        except ValueError as error:
            assert str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "text", ["9" * 5000 + "d", "99999999999d", "9999-12-31T23:59-14:00", "0001-01-01T00:00+14:00", "²d"]
)
def test_no_time_is_too_far(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|no time|past"):
        parse_end(text, NOW)


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("commits"), {"a.txt": "a"})


def test_any_ref_is_a_commit_or_refused(commits: Path) -> None:
    dice = random.Random(20_261_130)
    odd = ["^HEAD", "HEAD..HEAD", "--all", "@{-1}", ":/x", "HEAD:a.txt", "HEAD^{tree}", "", "n" * 5000]
    odd += ["\0", "\ud800", "\udcff", "x" * 300_000, "HEAD\n", "@{99999999999999999999}", "HEAD~" + "9" * 30]
    letters = "HEAD^~@{}:/.-main0123 \t\\*?["
    odd += ["".join(dice.choices(letters, k=dice.randrange(1, 9))) for _ in range(30)]
    for ref in odd:
        try:
            assert len(git.resolve(commits, ref, ".").commit) == 40
        except BadInput as error:
            assert error.fix  # noqa: PT017
        else:
            assert git.has(commits, ref)
    assert git.resolve(commits, "HEAD", ".").subject


@pytest.mark.parametrize(
    "content", ["[" * 5000, '{"models": ' + "1" * 5000 + "}", '"\\ud800"', "null", "[]", '{"a": {}}']
)
def test_any_baseline_is_read_or_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / coverage.BASELINE).write_text(content)
    check(lambda: coverage.read_baseline(tmp_path))


def test_whatever_a_parser_raises_is_bad_input() -> None:
    for error in (
        RecursionError(),
        KeyError("x"),
        ValueError("first\nsecond"),
        AttributeError(),
        OverflowError(),
    ):
        with pytest.raises(BadInput) as caught, parsing("is not a thing", "file", "mend it"):
            raise error
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith("file: is not a thing: ")
    with pytest.raises(MemoryError), parsing("is not a thing", "file", "mend it"):
        raise MemoryError


def test_many_values_behind_few_letters_are_refused() -> None:
    """An alias of YAML costs nothing to read, and everything to walk."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(BadInput, match="more than 1,000,000 values"):
        yaml_file.read("\n".join(lines), "sluice.yml")


@pytest.mark.parametrize(
    ("text", "is_number"),
    [
        ("7", 7),
        ("007", 7),
        ("²", None),
        ("٣", None),
        ("-1", None),
        ("", None),
        ("1" * 5000, None),
        ("1" * 20, None),
    ],
)
def test_a_number_is_one_that_a_database_takes(text: str, is_number: int | None) -> None:
    assert number(text) == is_number


def test_a_long_word_loses_its_middle_and_a_command_nothing() -> None:
    command = "sluice promote a1b2c3d --to prod --select '" + " ".join(f"model_{n}" for n in range(300)) + "'"
    assert shortened(command) == command
    short = shortened(f"there is no environment {'n' * 5000!r} (there are: dev)")
    assert short.endswith("n' (5,002 characters) (there are: dev)")
    assert len(short) < 250
    path = "/" + "/".join(["folder"] * 25)
    assert shortened(path) == path


@SEEDED
@given(
    st.text(st.characters() | st.sampled_from("\0\ud800\udcff\x1b"), max_size=20), st.sampled_from((1, 9_000))
)
def test_any_field_of_a_form_is_a_text_or_refused(text: str, times: int) -> None:
    value = text * times
    try:
        refuse_odd([True, None, value], "reason")
    except BadInput as error:
        told = one_line(str(error))
        assert told.startswith("reason: ")
        assert told.isprintable()
        assert len(told.encode()) < 1500
    else:
        assert "\0" not in value
        assert len(value.encode()) <= 40_000


def test_a_path_that_the_system_refuses_for_what_it_is_is_bad_input_and_a_full_disk_is_not() -> None:
    fault = path_fault(OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300))
    assert str(fault).endswith("(300 characters): File name too long; give it a shorter name")
    assert path_fault(OSError(errno.ENOSPC, "No space left on device")) is None
    assert path_fault(ValueError("x")) is None
