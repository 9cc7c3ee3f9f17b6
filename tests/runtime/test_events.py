"""What the stages hand outwards reaches those who listen, and nobody else."""

from __future__ import annotations

from threading import Thread

from prefect_sluice.runtime.events import Topic


def test_all_who_listen_hear_it_while_they_do() -> None:
    channel: Topic[int] = Topic("numbers")
    one: list[int] = []
    other: list[int] = []
    channel.tell(0)
    assert not channel.is_heard
    with channel.heard_by(one.append):
        channel.tell(1)
        with channel.heard_by(other.append):
            assert channel.is_heard
            channel.tell(2)
        channel.tell(3)
    channel.tell(4)
    assert (one, other) == ([1, 2, 3], [2])


def test_another_thread_reaches_them_by_a_teller() -> None:
    """dbt says what it does in threads of its own."""
    channel: Topic[int] = Topic("numbers")
    heard: list[int] = []
    with channel.heard_by(heard.append):
        threads = [Thread(target=channel.tell, args=(1,)), Thread(target=channel.teller(), args=(2,))]
        for thread in threads:
            thread.start()
            thread.join()
    assert heard == [2]
