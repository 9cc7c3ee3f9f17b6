"""What is built is what is in the tree, and what is installed runs without the tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_sluice import __version__

ROOT = Path(__file__).resolve().parents[2]
BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE", "prefect_sluice", "flows", "tasks", "deployments")
MAPPED = {
    "flows": "prefect_sluice/flows",
    "tasks": "prefect_sluice/tasks",
    "deployments": "prefect_sluice/deployments",
}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]  # which is built once


def run(*command: str | Path, cwd: Path) -> str:
    """Return what `command` prints; fail the test, with its errors, unless it exits with 0."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def installed_name(path: str) -> str:
    """Return where a file of the tree lies in the wheel: `flows/a.py` is `prefect_sluice/flows/a.py`."""
    folder, _, rest = path.partition("/")
    return f"{MAPPED.get(folder, folder)}/{rest}"


def product_files() -> Iterator[str]:
    """Yield every file of the product, relative to the root, as git would hold it."""
    for folder in ("prefect_sluice", *MAPPED):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix()


def project() -> dict[str, Any]:
    """Return pyproject.toml, as TOML has it."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it, as a publisher does."""
    tree = tmp_path_factory.mktemp("tree")
    for name in BUILT_FROM:  # a copy: a build leaves folders behind
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, tree / name)
    run(sys.executable, "-P", "-m", "build", "--no-isolation", "--outdir", "dist", ".", cwd=tree)
    return tree / "dist"


@pytest.fixture(scope="module")
def wheel_files(built: Path) -> frozenset[str]:
    """The names in the wheel."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


@pytest.fixture(scope="module")
def elsewhere(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel; all that it depends on is seen through to this environment.

    So it needs no network. The path goes in by a .pth file, whose own .pth files Python does not read: the
    editable install of this checkout stays unseen.
    """
    home = tmp_path_factory.mktemp("elsewhere") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home.parent)
    (wheel,) = built.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", home / "bin" / "python", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=home.parent)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


def test_every_package_is_listed() -> None:
    listed = project()["tool"]["setuptools"]["packages"]
    found = {
        installed_name(f"{Path(path).parent.as_posix()}/").rstrip("/").replace("/", ".")
        for path in product_files()
        if path.endswith(".py")
    }
    assert sorted(found) == sorted(listed)


def test_every_folder_with_code_is_a_package() -> None:
    folders = {Path(path).parent for path in product_files() if path.endswith(".py")}
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()] == []


def test_the_wheel_holds_the_product_and_nothing_else(wheel_files: frozenset[str]) -> None:
    code = {name for name in wheel_files if ".dist-info/" not in name}
    assert code == {installed_name(path) for path in product_files()}
    assert {name.partition("/")[0] for name in code} == {"prefect_sluice"}


@pytest.mark.parametrize(
    "name",
    ["flows/release.py", "tasks/__init__.py", "state/migrations/env.py", "py.typed", "cli/__init__.py"],
)
def test_the_wheel_holds(wheel_files: frozenset[str], name: str) -> None:
    assert f"prefect_sluice/{name}" in wheel_files


def test_the_wheel_carries_license_and_command(wheel_files: frozenset[str]) -> None:
    information = f"prefect_sluice-{__version__}.dist-info"
    assert {f"{information}/licenses/LICENSE", f"{information}/entry_points.txt"} <= wheel_files


def test_the_sdist_holds_flows_and_tasks(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(product_files()) | {"pyproject.toml", "README.md", "LICENSE"} <= names


def test_versions_agree(built: Path) -> None:
    assert project()["project"]["version"] == __version__
    assert {re.split(r"-|\.tar", path.name)[1] for path in built.iterdir()} == {__version__}


def test_the_installed_command_runs_outside_the_tree(elsewhere: Path, tmp_path: Path) -> None:
    assert "Usage" in run(elsewhere / "bin" / "sluice", "--help", cwd=tmp_path)
    assert __version__ in run(elsewhere / "bin" / "sluice", "--version", cwd=tmp_path)


WHERE = """
import importlib.util, {module} as module, prefect_sluice
print(prefect_sluice.__file__)
print(module.__file__)
print([name for name in ("flows", "tasks", "deployments") if importlib.util.find_spec(name)])
"""


@pytest.mark.parametrize("module", ["prefect_sluice.flows.release", "prefect_sluice.tasks"])
def test_flows_are_imported_from_the_wheel_alone(elsewhere: Path, tmp_path: Path, module: str) -> None:
    core, found, leaked = run(
        elsewhere / "bin" / "python", "-c", WHERE.format(module=module), cwd=tmp_path
    ).split("\n")[:3]
    assert Path(core).is_relative_to(elsewhere)
    assert Path(found).is_relative_to(elsewhere)
    assert leaked == "[]"
