"""The page of each gate says what the gate takes and tells: its settings with their defaults, its findings as people see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from prefect_sluice.config import GateSettings
from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.gates.catalog import GATES, gate_classes

PAGES = Path(__file__).resolve().parents[2] / "docs" / "gates"
VERDICTS = "|".join(verdict.name for verdict in Verdict)


def page_of(gate: str) -> str:
    return (PAGES / f"{gate}.md").read_text("utf-8")


# ---- settings ------------------------------------------------------------------------------------------


def own_settings(gate: str) -> Iterator[str]:
    """Yield `on`, and the settings of a gate that are its own or have a default of their own."""
    common = GateSettings.model_fields
    yield "on"
    for name, field in gate_classes()[gate].Settings.model_fields.items():
        if name not in common or field.default != common[name].default:
            yield name


def told_default(page: str, gate: str, key: str) -> str | None:
    """Return the default that a page's `How to tune it` gives a setting, as written there; None where it gives none."""
    tuning = page.partition("## How to tune it")[2]
    blocks = re.findall(rf"^```yaml\ngates:\n  {gate}:\n(.*?)^```", tuning, re.DOTALL | re.MULTILINE)
    found = re.search(rf"^    {key}:.*# (?:.*; )?default: ([^;\n]+)$", "".join(blocks), re.MULTILINE)
    return found[1].strip() if found else None


def is_default(gate: str, key: str, told: str) -> bool:
    """Say whether a text is the default of a setting: read as in sluice.yml; "none" or "no limit" for a setting without one."""
    settings = gate_classes()[gate].Settings
    default = getattr(settings(), key)
    if default in (None, (), {}):
        return told.split(",")[0] in {"none", "no limit"}
    raw = yaml.safe_load(f"[{told}]" if isinstance(default, tuple) else told)
    return getattr(settings.model_validate({key: raw}), key) == default


@pytest.mark.parametrize("gate", GATES)
def test_the_page_gives_the_default_of_each_setting(gate: str) -> None:
    told = {key: told_default(page_of(gate), gate, key) for key in own_settings(gate)}
    assert {key: text for key, text in told.items() if text is None or not is_default(gate, key, text)} == {}


def test_a_default_that_is_not_so_is_found() -> None:
    lines = "    minimum: 4  # builds; default: 4\n    slow: warn\n    # history: 20; default: 20\n"
    page = f"## How to tune it\n```yaml\ngates:\n  budget:\n{lines}```\n"
    assert [told_default(page, "budget", key) for key in ("minimum", "slow", "history")] == ["4", None, None]
    assert not is_default("budget", "minimum", "4")
    assert not is_default("budget", "models", "3")
    assert not is_default("secrets", "plugins_off", "HexHighEntropyString")
    assert is_default("budget", "minimum", "3")
    assert is_default("project_tests", "timeout", "600s")
    assert "timeout" in own_settings("project_tests")


# ---- findings ------------------------------------------------------------------------------------------


def shown(page: str) -> list[str]:
    """Return the lines of a page's examples that begin with a verdict."""
    blocks = "".join(re.findall(r"^```text\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    return re.findall(rf"^(?:{VERDICTS})\b.*$", blocks, re.MULTILINE)


def strange(page: str, gate: str) -> list[str]:
    """Return the findings in a page's examples that do not begin as a terminal shows them: verdict, gate, check."""
    return [line for line in shown(page) if not re.fullmatch(rf"(?:{VERDICTS}) {gate} \S.*", line)]


@pytest.mark.parametrize("gate", GATES)
def test_an_example_of_a_refusal_looks_as_in_a_terminal(gate: str) -> None:
    assert any(line.startswith("FAILED ") for line in shown(page_of(gate)))
    assert strange(page_of(gate), gate) == []


def test_a_finding_that_looks_otherwise_is_found() -> None:
    page = "```text\nFAILED  secret  a.yml\nFAILED lint CP01 x\nFAILED build built\n```\n"
    assert strange(page, "lint") == ["FAILED  secret  a.yml", "FAILED build built"]
