"""Signs of life of a flow run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect_sluice.domain.run_signs import SILENT, SignOfLife, is_silent, on_host

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SIGN = SignOfLife("run", "ada@build-7 pid 42 start 7 run 9f8e7d", NOON)


def test_a_run_elsewhere_is_dead_when_it_was_silent_for_long() -> None:
    assert not is_silent(SIGN, NOON + SILENT)
    assert is_silent(SIGN, NOON + SILENT + timedelta(seconds=1))


def test_on_this_machine_the_process_itself_says_it() -> None:
    assert on_host(SIGN, "build-7")
    assert not on_host(SIGN, "build-8")
    assert not on_host(SignOfLife("run", "nobody knows", NOON), "build-7")
