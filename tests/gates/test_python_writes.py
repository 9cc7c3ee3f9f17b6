"""What Python code plainly does beside computing."""

from __future__ import annotations

import pytest

from prefect_sluice.gates.safety.python_writes import PythonEffect, deeds


def seen(code: str) -> tuple[PythonEffect, ...]:
    found = deeds(code)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("open('x', 'w')", "writes a file: open('x', 'w')"),
        ("open(name, mode='ab')", "writes a file: open(name, mode='ab')"),
        ("path.open('x')", "writes a file: path.open('x')"),
        ("df.to_parquet('s3://x')", "writes a file: df.to_parquet('s3://x')"),
        ("os.remove('x')", "calls the system: os.remove('x')"),
        ("import subprocess", "uses subprocess"),
        ("from urllib.request import urlopen", "uses urllib.request"),
        ("from google.cloud import storage", "uses google.cloud"),
        ("import boto3.session", "uses boto3.session"),
    ],
)
def test_what_is_seen(code: str, told: str) -> None:
    [deed] = seen(code)
    assert (deed.line, deed.text) == (1, told)


@pytest.mark.parametrize(
    "code",
    [
        "open('x')",
        "open('x', 'rb')",
        "df.to_csv()",
        "names.remove('x')",
        "import urllib.parse",
        "from google import protobuf",
        "door.open('wide')",
        "session.execute(text)",
    ],
)
def test_what_is_harmless(code: str) -> None:
    assert deeds(code) == ()


def test_sql_that_is_sent_is_told() -> None:
    code = "def model(dbt, session):\n    session.execute(f'insert into {name} ' 'select 1')\n"
    [deed] = seen(code)
    assert (deed.line, deed.sql) == (2, "insert into __sluice_any__ select 1")


def test_what_is_no_python_has_none() -> None:
    assert deeds("def model(") is None
