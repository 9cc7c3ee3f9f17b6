"""The tutorial, played as it stands: its shell blocks in order, in an empty folder, and the answers that it promises.

A block ```sh is run; a block ```text after it is what its last command answers. There, `[...]` on a line of its own stands
for any lines, and within a line for any text; ids, times and sizes may be any.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from prefect_sluice.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial.md"

CUT = "[...]"
_ANY = (
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d( UTC)?", "WHEN"),
    (r"\b[0-9a-f]{7,64}\b", "ID"),
    (r"(about )?\b\d+(\.\d+)? (ms|s|minutes?|seconds?)\b( old)?|less than a minute( old)?|just now", "TIME"),
    (r"\b\d+(\.\d+)? ([KMG]i)?B\b", "SIZE"),
    (r"[-─═]{2,}", "--"),
    (r"\s+", " "),
)
"""What differs from one run to the next, and what it is written as before it is compared."""
_CODES = {"waiting:": 3, "refused:": 1}
"""How a command ends that ends with such a line; else with 0."""


def told(text: str) -> list[str]:
    """Return the lines of an answer, without blank ones and without what differs from run to run."""
    for pattern, name in _ANY:
        text = "\n".join(re.sub(pattern, name, line) for line in text.splitlines())
    return [line.strip() for line in text.splitlines() if line.strip()]


def fits(promised: Sequence[str], answer: Sequence[str]) -> bool:
    """Say whether the lines of an answer are those that were promised."""
    if not promised:
        return not answer
    if promised[0] == CUT:
        return any(fits(promised[1:], answer[start:]) for start in range(len(answer) + 1))
    return bool(answer) and _alike(promised[0], answer[0]) and fits(promised[1:], answer[1:])


def _alike(promised: str, line: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in promised.split(CUT)), line) is not None


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the text of each fenced block."""
    yield from re.findall(r"^```(\w*)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def commands(block: str) -> Iterator[str]:
    """Yield what a shell block does, one command after the other: a command of Sluice alone, and what is between whole."""
    others: list[str] = []
    for line in block.splitlines():
        if line.startswith("sluice "):
            yield from ["\n".join(others)] if others else []
            others = []
            yield line
        else:
            others.append(line)
    yield from ["\n".join(others)] if others else []


def _sluice(words: Sequence[str], capfd: pytest.CaptureFixture[str]) -> str:
    """Give a command, in this process: to import dbt anew for each would cost more than all the rest."""
    code = main(list(words))
    answer = capfd.readouterr()
    last = answer.out.strip().rpartition("\n")[2].split(maxsplit=1)[0]
    assert (code, answer.err) == (_CODES.get(last, 0), ""), answer
    return answer.out


def _bash(script: str) -> str:
    ran = subprocess.run(["bash", "-euc", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran
    return ran.stdout


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, with this environment's programs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_ACTOR", "Ada")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    return tmp_path


@pytest.mark.slow
def test_the_tutorial_works_as_it_stands(empty: Path, capfd: pytest.CaptureFixture[str]) -> None:
    answer, compared = "", 0
    for language, text in blocks(PAGE.read_text(encoding="utf-8")):
        if language == "sh":
            for command in commands(text):
                ours = command.startswith("sluice ")
                answer = _sluice(shlex.split(command)[1:], capfd) if ours else _bash(command)
        elif language == "text":
            compared += 1
            assert fits(told(text), told(answer)), f"the page says\n{text}\nand it is\n{answer}"
    assert compared >= 8


@pytest.mark.parametrize(
    ("promised", "answer", "same"),
    [
        ("release 1a2b3c4 → prod", "release 9f8e7d6 → prod", True),
        ("release 1a2b3c4 → prod", "release 9f8e7d6 → dev", False),
        ("✓ Build   0.2 s  1 to build", "✓ Build   13 s  1 to build", True),
        ("a\n[...]\nd", "a\nb\nc\nd", True),
        ("a\n[...]\nd", "a\nd", True),
        ("a\n[...]\nd", "a\nb\nc", False),
        ("a [...] c", "a b b c", True),
        ("a [...] c", "a b b d", False),
        ("a", "a\nb", False),
        ("a\nb", "a", False),
    ],
)
def test_an_answer_that_is_another_than_promised_is_found(promised: str, answer: str, same: bool) -> None:
    assert fits(told(promised), told(answer)) is same
