"""Which gates there are, and how they are made from sluice.yml."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest

from prefect_sluice.config import GateSettings as Own
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.gates import catalog
from prefect_sluice.gates.base import views
from prefect_sluice.gates.project_tests.gate import ProjectTests

THEIRS = """
from typing import ClassVar
from prefect_sluice import config
from prefect_sluice.gates.base import DeclarationsView
from prefect_sluice.domain.verdict import GateReport


class Settings(config.Gate):
    teams: tuple[str, ...] = ()


class Owners:
    id = "owners"
    Settings = Settings

    def __init__(self, settings):
        self.settings = settings

    def check(self, declarations: DeclarationsView):
        return GateReport(self.id, not_applicable=", ".join(self.settings.teams))
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Give a folder that is on the path, as site-packages is."""
    monkeypatch.syspath_prepend(str(tmp_path))  # pyright: ignore[reportUnknownMemberType]  # pytest's own
    catalog.gate_classes.cache_clear()
    yield tmp_path
    catalog.gate_classes.cache_clear()


def package(folder: Path, points: str, code: str = THEIRS, module: str = "their_gates") -> None:
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[prefect_sluice.gates]\n{points}\n", "utf-8")


def test_every_gate_bears_the_name_it_is_listed_by() -> None:
    assert {name: gate.id for name, gate in catalog.gate_classes().items()} == {
        name: name for name in catalog.GATES
    }


def test_a_gate_has_the_defaults_of_its_own_settings() -> None:
    asked = catalog.make_gates({"project_tests": Own(on="warn")}, of_candidate=False)
    (tests,) = [gate for gate in asked if isinstance(gate, ProjectTests)]
    assert tests.settings.timeout == ProjectTests.Settings().timeout
    assert tests.settings.on == "warn"


def test_gates_are_asked_by_what_they_need() -> None:
    early = catalog.make_gates({}, of_candidate=False)
    late = catalog.make_gates({}, of_candidate=True)
    assert [gate.id for gate in early] + [gate.id for gate in late] == list(catalog.GATES)
    assert all("candidate" in views(gate) for gate in late)
    assert not any("candidate" in views(gate) for gate in early)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lnt": {}}, r"there is no such gate; did you mean 'lint'\?"),
        ({"lint": {"procesess": 2}}, r"lint\.procesess: unknown key; did you mean 'processes'\?"),
        ({"lint": {"processes": 0}}, r"x/sluice.yml: gates\.lint\.processes: must be at least 1"),
        ({"build": {"keys": 1}}, r"build\.keys: unknown key"),
    ],
)
def test_settings_that_no_gate_takes_are_an_error(settings: dict[str, dict[str, int]], said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        catalog.checked({name: Own.model_validate(own) for name, own in settings.items()}, "x/sluice.yml")


def test_an_installed_package_adds_gates_and_their_settings(install: Path) -> None:
    package(install, "owners = their_gates:Owners")
    assert list(catalog.gate_classes()) == [*catalog.GATES, "owners"]
    own = Own.model_validate({"teams": ["web", "ops"]})
    catalog.checked({"owners": own}, "sluice.yml")
    assert catalog.make_gates({"owners": own}, of_candidate=False)[-1].id == "owners"
    with pytest.raises(ConfigInvalid, match=r"did you mean 'teams'"):
        catalog.checked({"owners": Own.model_validate({"team": ["web"]})}, "sluice.yml")


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("lint = their_gates:Owners", "there are two gates 'lint'"),
        ("owner = their_gates:Owners", "gate 'owner' calls itself 'owners'"),
        ("owners = their_gates:Settings", "gate 'owners' has no 'id'"),
        ("owners = their_gates:Nobody", "gate 'owners' cannot be loaded"),
        ("owners = nowhere:Owners", r"installed by their_gates.*cannot be loaded .*mend or uninstall"),
    ],
)
def test_a_package_that_is_wrong_is_named(install: Path, points: str, said: str) -> None:
    package(install, points)
    with pytest.raises(ConfigInvalid, match=said):
        catalog.gate_classes()


_GONE = r"\(ImportError: there is no Needs any more: "


@pytest.mark.parametrize(
    ("module", "face", "said"),
    [
        ("of_base", "from prefect_sluice.gates.base import Needs", f"cannot be loaded {_GONE}"),
        ("of_gates", "from prefect_sluice.gates import Needs", f"cannot be loaded {_GONE}"),
        ("of_neither", "", r"asks for 'subject'.*"),
    ],
)
def test_a_gate_of_before_there_were_views_is_told_what_to_change(
    install: Path, module: str, face: str, said: str
) -> None:
    old = f"{face}\n{THEIRS}".replace("self, declarations:", "self, subject:")
    package(install, f"owners = {module}:Owners", old, module)
    with pytest.raises(ConfigInvalid) as refused:
        catalog.gate_classes()
    told = str(refused.value)
    assert re.search(
        said + r"name the views that its check reads as its parameters \(release, candidate, ", told
    )
    assert f"installed by {module}" in told
    assert "\n" not in told
