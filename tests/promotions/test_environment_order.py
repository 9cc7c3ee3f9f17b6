"""The order of environments: as written, production last, or as `after` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_sluice.config import EnvironmentPolicy
from prefect_sluice.dbt.profile import Target
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.promotions.environment_order import before, comes_after, ordered
from prefect_sluice.warehouse.duckdb.database_file import DatabaseFile
from prefect_sluice.workspace.workspace import Environment


def places(**after: str | None) -> dict[str, Environment]:
    """Return environments by name, each with its `after`."""
    return {
        name: Environment(
            name,
            Target("shop", name, {}, {}, DatabaseFile(Path(f"{name}.duckdb"))),
            EnvironmentPolicy(after=value),
        )
        for name, value in after.items()
    }


def test_as_written_with_production_last() -> None:
    known = places(prod=None, dev=None, staging=None)
    assert ordered(known) == ("dev", "staging", "prod")
    assert [before(known[name], known) for name in ordered(known)] == ["", "dev", "staging"]


def test_after_says_otherwise() -> None:
    known = places(dev=None, qa="dev", staging="dev", prod="any")
    assert [before(place, known) for place in known.values()] == ["", "dev", "dev", ""]


def test_what_comes_after_what() -> None:
    known = places(dev=None, qa="dev", staging="dev", prod=None)
    assert comes_after("prod", "dev", known)
    assert comes_after("prod", "staging", known)
    assert not comes_after("prod", "qa", known)
    assert not comes_after("dev", "prod", known)
    assert not comes_after("dev", "dev", known)


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ({"dev": None, "prod": "stagin"}, "no environment 'stagin'; name one of: dev, any"),
        ({"dev": "prod", "prod": None}, "comes after 'dev' itself"),
        ({"dev": "dev"}, "comes after 'dev' itself"),
    ],
)
def test_an_order_that_cannot_be(after: dict[str, str | None], why: str) -> None:
    known = places(**after)
    with pytest.raises(ConfigInvalid, match=why):
        before(next(reversed([*known.values()])) if "prod" in why or "stagin" in why else known["dev"], known)
