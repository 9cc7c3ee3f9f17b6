"""What code of a change sees of the environment: what is allowed by name, and nothing else."""

from __future__ import annotations

import os

import pytest

from prefect_sluice.runtime import process
from prefect_sluice.runtime.allowed_variables import is_of_the_pipeline, names_read, visible

PROGRAMS = {"PATH": "/bin", "HOME": "/home/ada", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}
HIDDEN = {
    "SLUICE_STATE": "postgresql://sluice:pw@db/sluice",
    "SLUICE_ACTOR": "Ada",
    "PREFECT_API_AUTH_STRING": "admin:pass",
    "PREFECT_API_URL": "http://127.0.0.1:4200/api",
    "DATABASE": "postgresql://ada:pw@db/shop",
    "SIGNED": "https://bucket/x?token=abc",
    "HTTPS_PROXY": "http://ada:pw@proxy",
    "GITHUB_PAT": "ghp_x",
    "MY_PASSWORD": "x",
    "SOMETHING": "1",
}


def test_programs_find_what_they_need_and_nothing_else() -> None:
    assert visible({**PROGRAMS, **HIDDEN}) == PROGRAMS


def test_what_the_project_reads_is_seen_unless_it_is_a_secret_or_the_pipelines_own() -> None:
    """A change can name any variable, so to name one is not enough."""
    read = {"REGION", *HIDDEN}
    assert visible({"REGION": "eu", **HIDDEN}, read) == {
        "REGION": "eu",
        "SOMETHING": "1",
        "GITHUB_PAT": "ghp_x",
    }


def test_what_the_settings_add_is_seen_whatever_it_is() -> None:
    assert visible(HIDDEN, added=("MY_PASSWORD", "NOT_SET")) == {"MY_PASSWORD": "x"}


def test_names_are_found_in_any_way_of_writing() -> None:
    texts = ["{{ env_var('A') }}", '{{ env_var( "B", "x") }}', "{{ env_var(name) }} {{ my_env_var }}"]
    assert names_read(texts) == {"A", "B"}


def test_the_pipelines_secrets_are_out_of_the_process_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks overlap, as threads do; what is Sluice's still finds its own, and at the end all is as it was."""
    for name, value in HIDDEN.items():
        monkeypatch.setenv(name, value)
    gone = {"SLUICE_STATE", "PREFECT_API_AUTH_STRING"}
    one, other = process.without_variables(is_of_the_pipeline), process.without_variables(is_of_the_pipeline)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert HIDDEN.keys() - os.environ.keys() == gone
    assert HIDDEN.items() <= process.environment().items()
    other.__exit__(None, None, None)
    assert HIDDEN.items() <= dict(os.environ).items()
