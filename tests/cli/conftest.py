"""One small project, released a few times; tests read it as it is, and change copies of it."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from prefect_sluice.cli import main
from tests.flights import QUICK_SUITE, WHOLE_SUITE, Flights

FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": (
        "shop:\n  target: dev\n  outputs:\n"
        "    dev: {type: duckdb, path: dev.duckdb}\n    prod: {type: duckdb, path: prod.duckdb}\n"
    ),
    "sluice.yml": (
        "environments:\n  dev: {target: dev}\n  prod: {target: prod, approvals: 1}\n"
        "warehouse: {patience: 1s}\n"
    ),
    ".gitignore": "*.duckdb\n",
    "models/orders.sql": "select range as id, range * 10 as amount from range(30)\n",
    "models/customers.sql": "select 1 as id, 'Ada' as name\n",
    "models/totals.sql": "select count(*) as orders, sum(amount) as amount from {{ ref('orders') }}\n",
    "models/models.yml": (
        "models:\n- name: orders\n  columns:\n  - name: id\n    data_tests: [unique]\n"
        "  - {name: amount, data_tests: [not_null]}\n"
    ),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str


Run = Callable[..., Answer]
Make = Callable[[str], Path]


def _run(*arguments: str | Path) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Answer(code, out.getvalue(), err.getvalue())


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def _commit(folder: Path, message: str, **files: str) -> None:
    for name, content in files.items():
        (folder / "models" / f"{name}.sql").write_text(content)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def _project(folder: Path) -> Path:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    _commit(folder, "First orders")
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have one process run the tests that read or copy the shared project: it takes four releases to make."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and "shared" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("shared"))


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command in this process."""
    return _run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in git that was never released."""
    return _project(tmp_path)


@pytest.fixture
def commit() -> Callable[..., None]:
    """Change models, by name, and commit: `commit(folder, "message", orders="select 1")`."""
    return _commit


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose dev serves generation 2 and refused a third; a promotion to prod waits. Read only."""
    folder = _project(tmp_path_factory.mktemp("shop"))
    assert _run("release", "-C", folder, "--as", "Ada").code == 0
    _commit(
        folder,
        "Dearer",
        orders="select range as id, range * 10 + (range < 3)::int as amount from range(30)\n",
    )
    assert _run("release", "-C", folder, "--as", "Ada").code == 0
    assert _run("release", "-C", folder, "--as", "Ada", "--env", "prod").code == 3
    _commit(folder, "Broken", orders="select range // 2 as id, range as amount from range(30)\n")
    assert _run("release", "-C", folder, "--as", "Ada").code == 1
    return folder


@pytest.fixture
def released(shared: Path, tmp_path: Path) -> Path:
    """A copy of the shared project, to be changed."""
    folder = tmp_path / "copy"
    shutil.copytree(shared, folder, symlinks=True)
    return folder


@pytest.fixture(scope="session")
def released_flights(tmp_path_factory: pytest.TempPathFactory) -> Flights:
    """The demo's project, released to dev; of its own tests it runs one file. Tests that use it bear
    `pytest.mark.xdist_group("flights")`, and change copies."""
    made = Flights.made(tmp_path_factory.mktemp("flights") / "nyc", through="2013-01-04")
    made.edit("pytest.ini", WHOLE_SUITE, QUICK_SUITE)
    made.commit("Run the quick tests")
    answer = made.run("release", "--env", "dev")
    assert answer.code == 0, answer.text
    return made
