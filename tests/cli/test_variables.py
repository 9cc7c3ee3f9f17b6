"""A release whose code looks for secrets in its environment: pytest, Jinja, a contract and a Python model find none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import git

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LOOK = "import json, os, pathlib\npathlib.Path('{0}/{1}.json').write_text(json.dumps(dict(os.environ)))\n"
SECRETS = {
    "PREFECT_API_AUTH_STRING": "admin:hunter22",
    "SLUICE_BUNDLES_OPTIONS": '{"mode": 384}',
    "LAKE": "https://ada:hunter22@lake.example.com",
    "SHOP_PASSWORD": "hunter22",
}
PLAIN = {"REGION": "eu", "FLAG": "on", "OTHER": "1"}


def test_code_of_a_change_sees_no_secret(
    run: Run, released: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path_factory.mktemp("seen")
    files = {
        # The tests are shut in: they write to their own checkout.
        "tests/test_shop.py": f"{LOOK.format('.', 'pytest')}\ndef test_it():\n    pass\n",
        "contracts/orders.py": (
            # It can write nowhere that stays: what it sees decides whether it can be loaded.
            f"import os\nassert {set(SECRETS)!r}.isdisjoint(os.environ), sorted(os.environ)\n"
            "assert os.environ['REGION'] == 'eu'\n"
            "import pandera.ibis as pa\nclass Orders(pa.DataFrameModel):\n    id: int\n"
        ),
        "models/looks.py": (
            "def model(dbt, session):\n"
            + "".join(f"    {line}\n" for line in LOOK.format(seen, "model").splitlines())
            + "    return session.sql('select 1 as id')\n"
        ),
        "models/orders.sql": "select range as id, range * 7 as amount from range(30)\n",
        "models/customers.sql": (
            "select '{{ env_var('REGION') }}' as region, '{{ env_var('PREFECT_API_AUTH_STRING', 'none') }}' as secret,"
            " '{{ env_var('SHOP_PASSWORD', 'none') != '' }}' as password, 1 as id\n"
        ),
    }
    for name, text in files.items():
        (released / name).parent.mkdir(exist_ok=True)
        (released / name).write_text(text)
    policy = (released / "sluice.yml").read_text()
    (released / "sluice.yml").write_text(
        f"{policy}gates: {{project_tests: {{env: [FLAG]}}}}\nbuild: {{may_write: [{seen}]}}\n"
    )
    git(released, "add", "--all")
    git(released, "commit", "--quiet", "--message", "Look around")
    for name, value in {**SECRETS, **PLAIN, "SLUICE_STATE": str(released / ".sluice" / "state.db")}.items():
        monkeypatch.setenv(name, value)
    answer = run("release", "-C", released, "--json")
    assert answer.code == 0, answer.out + answer.err

    written = [*seen.iterdir(), *(released / ".sluice" / "checkouts").glob("*-tests/pytest.json")]
    found = {path.stem: json.loads(path.read_text()) for path in written}
    assert set(found) == {"pytest", "model"}
    own = {"SLUICE_STATE", "SLUICE_BUNDLES_OPTIONS", "PREFECT_API_AUTH_STRING"}
    assert all(own.isdisjoint(one) for one in found.values())
    tested = found["pytest"]
    assert SECRETS.keys().isdisjoint(tested)
    assert (tested["REGION"], tested["FLAG"], "OTHER" in tested, "PATH" in tested) == (
        "eu",
        "on",
        False,
        True,
    )
    import duckdb

    with duckdb.connect(str(released / "dev.duckdb"), read_only=True) as connection:
        assert connection.sql("select region, secret from customers").fetchall() == [("eu", "none")]
