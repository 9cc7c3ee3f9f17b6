"""A gate that takes too long could not tell."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import duckdb
import pytest

from prefect_sluice import config, gates
from prefect_sluice.config import GateSettings as Settings
from prefect_sluice.domain.errors import QueryFailed
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import CandidateView, ReleaseView, Subject
from prefect_sluice.gates.catalog import gate_classes
from prefect_sluice.warehouse.base import Reader
from prefect_sluice.warehouse.duckdb.reader import DuckReader

ENDLESS = "select count(*) from range(10000000000) a, range(1000) b"


@dataclass
class Patient:
    """A gate that goes on with the next query when one fails, and found something bad first."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = "patient"
    Settings: ClassVar[type[config.GateSettings]] = Settings
    asked: int = 3

    def check(self, candidate: CandidateView) -> GateReport:
        assert candidate.reader is not None
        found = [
            Finding(self.id, "first", Verdict.FAILED, "bad"),
            Finding(self.id, "x", Verdict.PASSED, "ok"),
        ]
        for number in range(self.asked):
            found.append(_one(candidate.reader, str(number)))
        return GateReport(self.id, tuple(found))


def _one(reader: Reader, name: str) -> Finding:
    try:
        reader.query(ENDLESS)
    except QueryFailed as error:
        return Finding("patient", name, Verdict.ERRORED, error.why)
    return Finding("patient", name, Verdict.PASSED, "ok")


@pytest.fixture
def reader() -> Generator[DuckReader]:
    with duckdb.connect() as connection:
        connection.execute("begin transaction")
        yield DuckReader(connection)


def test_what_takes_too_long_is_stopped_and_could_not_tell(reader: DuckReader) -> None:
    subject = Subject(ReleaseView(Path(), {}, ()), candidate=CandidateView(reader=reader))
    report = gates.run(Patient(), subject, {"patient": Settings(timeout=timedelta(seconds=0.2))})
    assert [(item.check, item.verdict) for item in report.findings] == [
        ("timeout", Verdict.ERRORED),
        ("first", Verdict.FAILED),
    ]
    assert report.findings[0].summary == "it took longer than 0.2 s"
    assert "gates.patient.timeout" in report.findings[0].fix
    assert report.seconds >= 0.2


def test_after_it_the_next_gate_reads_as_ever(reader: DuckReader) -> None:
    subject = Subject(ReleaseView(Path(), {}, ()), candidate=CandidateView(reader=reader))
    gates.run(Patient(asked=1), subject, {"patient": Settings(timeout=timedelta(seconds=0.1))})
    assert reader.query("select 1").rows == ((1,),)


def test_a_gate_within_its_time_is_left_alone(reader: DuckReader) -> None:
    subject = Subject(ReleaseView(Path(), {}, ()), candidate=CandidateView(reader=reader))
    report = gates.run(Patient(asked=0), subject, {"patient": Settings(timeout=timedelta(minutes=1))})
    assert [item.check for item in report.findings] == ["first", "x"]


class ShortTime(Settings):
    """Settings of a gate that gives itself little time."""

    timeout: timedelta | None = timedelta(seconds=0.1)


class Hasty(Patient):
    """A gate with a time-out of its own."""

    Settings: ClassVar[type[config.GateSettings]] = ShortTime


def test_a_gates_own_default_holds_where_nothing_else_is_said(reader: DuckReader) -> None:
    subject = Subject(ReleaseView(Path(), {}, ()), candidate=CandidateView(reader=reader))
    for given in ({}, {"patient": Settings()}):
        report = gates.run(Hasty(), subject, given)
        assert report.findings[0].summary == "it took longer than 0.1 s"
    longer = gates.run(Hasty(asked=0), subject, {"patient": Settings(timeout=None)})
    assert [item.check for item in longer.findings] == ["first", "x"]


def test_only_project_tests_keep_their_time_themselves() -> None:
    own = [name for name, gate in gate_classes().items() if gate.Settings.keeps_time]
    assert own == ["project_tests"]
