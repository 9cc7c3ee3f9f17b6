"""What every test gets: nothing is sent anywhere, nothing of the user's is read, nothing random in CI."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, cast

import certifi
import pytest
from dbt_common.tests import enable_test_caching
from hypothesis import HealthCheck, settings

from prefect_sluice.runtime.collector import quieten
from prefect_sluice.runtime.process import QUIET
from tests.warm_commands import Commands, commands

_FOREIGN = ("DBT_", "GIT_", "PREFECT_", "SLUICE_")
"""Variables of the user's own. A git hook that runs the tests, for one, sets GIT_DIR to their repository."""
_OURS = "SLUICE_TEST_"
"""What a developer may set to steer the tests themselves."""

# Commits made by tests need a name, and must not meet the user's hooks, signing keys or templates.
_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TEMPLATE_DIR": "",  # fourteen sample hooks in each repository, and in each copy of it
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}
_HOME = pytest.StashKey[str]()

# No deadline: two shared cores make any single example slow now and then.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.register_profile("thorough", parent=settings.get_profile("dev"), max_examples=2_000)


def pytest_configure(config: pytest.Config) -> None:
    """Set the surroundings before any test module is imported: dbt and Prefect read them at import."""
    for name in [name for name in os.environ if name.startswith(_FOREIGN) and not name.startswith(_OURS)]:
        del os.environ[name]
    config.stash[_HOME] = tempfile.mkdtemp(prefix="sluice-tests-")
    home = Path(config.stash[_HOME])
    os.environ.update(
        {**QUIET, **_GIT, **_few_certificates(home), "PREFECT_HOME": str(home), "SLUICE_WARM": "1"}
    )
    quieten()  # as the command line does in its own process
    enable_test_caching()  # dbt's own, of its own tests: the same macro's text is taken apart once in a process
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


def _few_certificates(home: Path) -> Mapping[str, str]:
    """Have HTTP clients trust one authority instead of a hundred and fifty: each client that is made reads them all, a
    fiftieth of a second long, and the tests' servers are this machine's own, without TLS."""
    end = "-----END CERTIFICATE-----\n"
    first = Path(certifi.where()).read_text(encoding="utf-8").partition(end)[0] + end
    (home / "certificates.pem").write_text(first, encoding="utf-8")
    place = str(home / "certificates.pem")
    return {"SSL_CERT_FILE": place, "PREFECT_API_SSL_CERT_FILE": place}


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    shutil.rmtree(config.stash[_HOME], ignore_errors=True)


@pytest.fixture(scope="session")
def warm_commands() -> Generator[Commands]:
    """What runs `sluice` and plain `dbt` as processes of their own, without a cold start for each."""
    with commands() as started:
        yield started


@pytest.fixture(scope="session")
def prefect_server() -> Generator[str]:
    """The URL of the session's one Prefect server. Tests that use it bear `pytest.mark.xdist_group("prefect")`: one process
    runs them all, so that there is one server. Workers in other processes are given the URL as PREFECT_API_URL."""
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_LOGGING_TO_API_ENABLED,
        temporary_settings,
    )
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        quiet = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
        with temporary_settings(cast(dict[Any, Any], quiet)):
            yield str(PREFECT_API_URL.value())
