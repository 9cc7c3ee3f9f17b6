"""Which files a node needs, and what dbt's selectors match: on a project that dbt parsed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from prefect_sluice.dbt.core.hooks import has_operations, hooked
from prefect_sluice.dbt.core.node_files import parts
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.planning.compose import Parts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def files(found: Parts, name: str) -> set[str]:
    """Return the files of the model, seed or snapshot of that name."""
    return set(next(part.files for uid, part in found.nodes.items() if uid.endswith(f".{name}")))


@pytest.fixture(scope="module")
def found(parsed: Any) -> Parts:
    """The parts of the project, in a repository where it lies in the folder `analytics`."""
    parsed.reset()
    project = parsed.read(compiled=True)
    return parts(parsed.commands().parse(), project, "analytics", parsed.folder)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("numbers", ["seeds/numbers.csv"]),
        ("a", ["models/a.sql", "models/schema.yml", "macros/money.sql"]),
        ("b", ["models/b.sql"]),
        ("outer", ["models/outer.sql", "models/inner.sql"]),
        ("orders", ["models/orders.sql", "models/schema.yml"]),
        ("python", ["models/python.py", "lib/pricing.py", "lib/rounding.py"]),
        ("files", ["models/files.sql", "data/x.csv", "data/y.parquet"]),
        ("history", ["snapshots/history.sql"]),
    ],
)
def test_what_a_node_needs(found: Parts, name: str, needs: Iterable[str]) -> None:
    assert files(found, name) == {f"analytics/{path}" for path in needs}


def test_tests_need_their_files_and_look_at_nodes(found: Parts) -> None:
    looked_at = {tuple(sorted(uid.split(".")[-1] for uid in nodes)) for nodes, _ in found.tests}
    assert ("a",) in looked_at
    assert all("analytics/models/schema.yml" in needed for _, needed in found.tests)


def test_dbts_own_selectors(shop: Any) -> None:
    commands = shop.commands()
    manifest = commands.parse()
    assert commands.select(manifest, "a b") == ("model.shop.a", "model.shop.b")
    assert "seed.shop.numbers" in commands.select(manifest, "+a")
    assert commands.select(manifest, "resource_type:snapshot") == ("snapshot.shop.history",)
    assert commands.select(manifest, "nothing") == ()
    with pytest.raises(BadInput, match=r"'colour:blue'.*mend it"):
        commands.select(manifest, "colour:blue")


def test_who_has_hooks(shop: Any) -> None:
    manifest = shop.commands().parse()
    assert hooked(manifest) == {"model.shop.c"}
    assert has_operations(manifest)
