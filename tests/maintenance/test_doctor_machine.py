"""What the doctor says of a machine that does not isolate."""

from __future__ import annotations

import pytest

from prefect_sluice.isolation.sandbox import Protection
from prefect_sluice.maintenance.doctor import machine


@pytest.mark.parametrize(
    ("protection", "thing"),
    [
        (Protection(why="only Linux is known to isolate"), "as the deployer: only Linux is known to isolate"),
        (Protection(files=True, network=True, why="no namespaces"), "isolated: no namespaces"),
    ],
)
def test_what_is_missing_is_a_note(
    monkeypatch: pytest.MonkeyPatch, protection: Protection, thing: str
) -> None:
    monkeypatch.setattr(machine, "reached", lambda: protection)
    [complaint] = machine.examine()
    assert (complaint.thing, complaint.note) == (thing, True)


def test_what_isolates_wholly_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Protection(files=True, network=True, signals=True, sockets=True, modes=True)
    monkeypatch.setattr(machine, "reached", lambda: whole)
    assert list(machine.examine()) == []
