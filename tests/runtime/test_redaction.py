"""What is a secret, and texts without it."""

from __future__ import annotations

import pytest

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.runtime import process
from prefect_sluice.runtime.redaction import conceal, concealed, is_confidential, mask_url, secrets_of


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("DBT_ENV_SECRET_SHOP", True),
        ("PGPASSWORD", True),
        ("SHOP_PASSWORD", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("PREFECT_API_KEY", True),
        ("github_token", True),
        ("PWD", False),
        ("SHOP_REGION", False),
        ("KEYBOARD", False),
    ],
)
def test_a_variable_is_a_secret_by_its_name(name: str, secret: bool) -> None:
    assert is_confidential(name) is secret


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:pa:ss@host/db", "postgresql://ada:*****@host/db"),
        ("postgresql://ada:p@ss/w@host/db", "postgresql://ada:*****@host/db"),
        (
            "postgresql://ada@host/db?password=hush&sslmode=require",
            "postgresql://ada@host/db?password=*****&sslmode=require",
        ),
        ("s3://bucket/folder", "s3://bucket/folder"),
        ("sqlite:////srv/state.db", "sqlite:////srv/state.db"),
        ("ftp://ada:hush@host:21/x", "ftp://ada:*****@host:21/x"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert mask_url(url) == shown


def test_the_secrets_of_an_environment() -> None:
    environ = {
        "SLUICE_STATE": "postgresql://ada:hush%40hush@host/db",
        "DBT_ENV_SECRET_A": "long enough",
        "B_TOKEN": "short",
        "REGION": "not a secret",
    }
    assert secrets_of(environ) == {"hush%40hush", "hush@hush", "long enough"}


def test_a_text_without_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_ENV_SECRET_A", "it's hush")
    with process.temporary_variables("team", {}, {"lent-one"}):
        told = concealed("ATTACH 'it''s hush'; it%27s%20hush, lent-one; host=h password=other")
    assert told == "ATTACH '*****'; *****, *****; host=h password=*****"
    assert concealed("lent-one") == "lent-one"


def test_an_error_and_its_causes_without_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "hush-hush")
    cause = ValueError("no hush-hush here", 1)
    error = BadInput("bad: hush-hush", fix="say no hush-hush")
    error.__cause__, cause.__context__ = cause, error  # a circle ends, too
    conceal(error)
    assert str(error) == "bad: *****; say no *****"
    assert cause.args == ("no ***** here", 1)
