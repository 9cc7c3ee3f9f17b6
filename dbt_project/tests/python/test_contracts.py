"""Every mart has a contract, and a contract names columns that the mart documents."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

MARTS = Path(__file__).parents[2] / "models" / "marts"
MODELS: list[dict[str, Any]] = yaml.safe_load((MARTS / "_marts.yml").read_text(encoding="utf-8"))["models"]


def test_every_mart_is_documented() -> None:
    files = {path.stem for path in MARTS.iterdir() if path.suffix in {".sql", ".py"}}
    assert {model["name"] for model in MODELS} == files


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["name"])
def test_the_contract_of_a_mart_names_documented_columns(model: dict[str, Any]) -> None:
    module, _, name = model["config"]["meta"]["sluice"]["contract"].partition(":")
    promised = set(getattr(import_module(module), name).to_schema().columns)
    assert promised
    assert promised <= {column["name"] for column in model["columns"]}
