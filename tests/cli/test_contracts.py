"""Contracts through the command line: yes, no, and what could not be told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Answer, Run

CONTRACT = """
import pandera.ibis as pa

class Orders(pa.DataFrameModel):
    id: int = pa.Field(ge=0)
    amount: int = pa.Field(ge=0, le={limit}{more})
"""
PROPERTIES = """
models:
- name: totals
  config: {{contract: {{enforced: true}}}}
  columns:
  - {{name: orders, data_type: {kind}}}
  - {{name: amount, data_type: hugeint}}
"""


@pytest.mark.slow
def test_contracts_say_yes_no_and_that_they_cannot_tell(
    project: Path, run: Run, commit: Callable[..., None]
) -> None:
    def release(message: str, *, kind: str = "bigint", contract: str = "", **fields: object) -> Answer:
        text = contract or CONTRACT.format(**{"limit": 1000, "more": "", **fields})
        (project / "contracts").mkdir(exist_ok=True)
        (project / "contracts/orders.py").write_text(text)
        (project / "models/models.yml").write_text(PROPERTIES.format(kind=kind))
        commit(project, message)
        return run("release", "-C", project, "--as", "Ada")

    first = release("A contract beside the models, and one of dbt's")
    assert first.code == 0, first.out
    assert [line.split()[1] for line in first.out.splitlines() if line.startswith("  promises")] == ["PASSED"]

    wrong = release("Another type", kind="varchar")
    assert wrong.code == 1
    assert "orders is BIGINT, the contract says VARCHAR" in " ".join(wrong.out.split())
    assert "Stage" not in wrong.out, "it was told before anything was built"

    weaker = release("Larger amounts may come", limit=5000)
    assert weaker.code == 1
    assert "orders.amount may be above 1000 now, to 5000: breaking for consumers" in " ".join(
        weaker.out.split()
    )

    tighter = release("Only the contract changed", limit=200)
    assert tighter.code == 1
    assert "9 of 30 rows: amount above 200" in " ".join(tighter.out.split())

    unsure = release(
        "In Python",
        contract=CONTRACT.format(limit=1000, more="")
        + "    @pa.check('id', element_wise=True)\n    def whole(cls, value):\n        return value % 1 == 0\n",
    )
    assert unsure.code == 1
    assert "INCONCLUSIVE contracts id whole" in unsure.out

    broken = release(
        "Does not import", contract="import nowhere_at_all\n" + CONTRACT.format(limit=1000, more="")
    )
    assert broken.code == 1
    assert "ERRORED promises loads" in broken.out

    settings = project / "sluice.yml"
    settings.write_text(
        settings.read_text()
        + "gates:\n  promises:\n    except:\n    - {node: orders, check: weaker *, reason: agreed, until: 2999-01-01}\n"
    )
    agreed = release("Larger amounts may come, and it is declared", limit=5000)
    assert agreed.code == 0, agreed.out
    assert "let pass until 2999-01-01: agreed" in " ".join(agreed.out.split())


@pytest.mark.slow
def test_a_contract_that_only_production_has_is_missed_there(
    project: Path, run: Run, commit: Callable[..., None]
) -> None:
    """The same release is known apart by environment: what is enforced, enabled and tested may hang on the target."""
    asked = project / "sluice.yml"
    asked.write_text(asked.read_text().replace("approvals: 1", "approvals: 0, after: any"))
    enforced = "config: {contract: {enforced: \"{{ target.name == 'prod' }}\"}}"
    columns = "columns: [{name: orders, data_type: bigint}, {name: amount, data_type: hugeint}]"
    (project / "models/models.yml").write_text(f"models:\n- name: totals\n  {enforced}\n  {columns}\n")
    commit(project, "A contract for production")
    assert run("release", "-C", project, "--as", "Ada").code == 0
    assert run("release", "-C", project, "--as", "Ada", "--env", "prod").code == 0

    (project / "models/models.yml").write_text(f"models:\n- name: totals\n  {columns}\n")
    commit(project, "No contract")
    gone = run("release", "-C", project, "--as", "Ada", "--env", "prod")
    assert gone.code == 1
    assert "totals dbt does not enforce its contract now" in " ".join(gone.out.split())
