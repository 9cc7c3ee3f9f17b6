"""A child that is asked many times: what it answers, what it says meanwhile, and how it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from prefect_sluice.isolation.sandbox import Rights
from prefect_sluice.isolation.warm import ChildEnded, Conversation, Warm, warm

RIGHTS = Rights(variables={"PATH": os.defpath}, timeout=None)


@pytest.fixture
def process() -> Warm:
    """Started by now, so that what a test starts is the child alone, whichever test comes first."""
    started = warm("tests.isolation.talking_child")
    started.start()
    return started


@pytest.fixture
def conversation(process: Warm, tmp_path: Path) -> Iterator[Conversation]:
    opened = process.open("opening", RIGHTS, tmp_path)
    yield opened
    opened.close()


def test_one_process_answers_all_questions(conversation: Conversation) -> None:
    assert [conversation.ask(["count"]) for _ in range(3)] == [["opening", n] for n in (1, 2, 3)]


def test_what_it_says_meanwhile_is_heard_in_order(conversation: Conversation) -> None:
    heard: list[object] = []
    assert conversation.ask(["say", 1, {"two": 2}, "three"], heard.append) == "said"
    assert heard == [1, {"two": 2}, "three"]
    assert conversation.ask(["count"]) == ["opening", 2]


def test_two_conversations_know_nothing_of_each_other(
    process: Warm, conversation: Conversation, tmp_path: Path
) -> None:
    other = process.open("another", RIGHTS, tmp_path)
    assert conversation.ask(["count"]) == ["opening", 1]
    assert other.ask(["count"]) == ["another", 1]
    other.close()
    assert conversation.ask(["count"]) == ["opening", 2]


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (["end", 7], "it ended with 7"),
        (["unknown"], "it ended with 1"),
        (["raw", "no JSON\n"], "cannot be read"),
        (["raw", '{"something": 1}\n'], "cannot be read"),
    ],
    ids=str,
)
def test_one_that_ends_or_says_what_cannot_be_read_is_told_in_a_line(
    conversation: Conversation, question: list[object], why: str
) -> None:
    with pytest.raises(ChildEnded, match=why) as told:
        conversation.ask(question)
    assert "\n" not in str(told.value)
    with pytest.raises(ChildEnded):
        conversation.ask(["count"])


def test_closing_ends_it_and_may_be_repeated(process: Warm, tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    opened = process.open("opening", RIGHTS, tmp_path)
    ours = set(psutil.Process().children(recursive=True)) - before
    assert ours
    opened.close()
    opened.close()
    # Killed by now, each is there until its parent has heard of it.
    _, alive = psutil.wait_procs(ours, timeout=10)
    assert alive == []


def test_an_interrupt_ends_the_conversation(conversation: Conversation) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conversation.ask(["say", 1], interrupted)
    with pytest.raises(ChildEnded):
        conversation.ask(["count"])


def test_isolation_that_is_required_and_cannot_be_had_begins_nothing(tmp_path: Path) -> None:
    rights = Rights(variables={"PATH": os.defpath}, timeout=None, required=True)
    with pytest.raises(ChildEnded, match="isolation is required"):
        warm("tests.isolation.without_landlock").open("opening", rights, tmp_path)
