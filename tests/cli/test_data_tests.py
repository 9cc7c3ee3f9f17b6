"""Data tests through the command line: could not tell, and then a word that it may be so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow

EMPTY = "select range as id, range as amount from range(30) where range < 0\n"


def test_a_table_that_lost_all_rows_is_no_proof_of_anything(
    run: Run, released: Path, commit: Callable[..., None]
) -> None:
    commit(released, "Nothing left", orders=EMPTY)
    answer = run("release", "-C", released)
    assert answer.code == 1
    told = " ".join(answer.out.split())
    assert (
        "INCONCLUSIVE data_tests rows no rows: its 2 tests prove nothing, and what is served now has some"
        in told
    )

    with (released / "sluice.yml").open("a") as file:
        file.write("gates: {diff: {on: warn}, budget: {on: warn}, data_tests: {allow_empty: [ord*]}}\n")
    commit(released, "It may be empty")
    answer = run("release", "-C", released)
    assert answer.code == 0, answer.out
