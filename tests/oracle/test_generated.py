"""A few generated histories with fixed seeds; `make soak` plays new ones for as long as asked."""

from __future__ import annotations

import inspect
import random
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from prefect_sluice.domain.node import Name
from tests.oracle.blueprint import Blueprint, Column, Model
from tests.oracle.history import History, Player, Wrong
from tests.oracle.moves import MOVES, any_move, start
from tests.oracle.planted import FAULTS
from tests.oracle.served import Content, differences


@pytest.fixture(scope="module")
def player() -> Generator[Player]:
    """The process that forks a child for each command."""
    player = Player.started()
    yield player
    player.close()


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("player")
@pytest.mark.parametrize(("seed", "steps"), [(1, 3), (3, 3)])
def test_after_each_step_what_is_served_is_what_dbt_gives(
    player: Player, tmp_path: Path, seed: int, steps: int
) -> None:
    """Table by table and type by type; a failure prints the steps, and `make soak` repeats it by the seed."""
    History(tmp_path / "history", seed, player).play(steps)


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("player")
@pytest.mark.parametrize(
    ("fault", "seed", "steps", "found"),
    [("parents", 8, 2, "too many"), ("sources", 4, 1, "missing")],
)
def test_a_fault_that_is_planted_is_found(
    player: Player, tmp_path: Path, fault: str, seed: int, steps: int, found: str
) -> None:
    """An engine that forgets parents, or new rows, is caught within two steps. `make soak ARGS="--fault columns"` has more."""
    with pytest.raises(Wrong, match=found):
        History(tmp_path / "history", seed, replace(player, planted=fault)).play(steps)


def test_each_fault_has_its_place_in_the_engine() -> None:
    """Only some of them are played; the others would be found missing by whoever plays them a year later."""
    for owner, name, wrong in FAULTS.values():
        real = getattr(owner, name)
        taken = [len(inspect.signature(each).parameters) for each in (real, wrong)]
        several = any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(wrong).parameters.values())
        assert several or taken[0] == taken[1], (owner, name)


def test_a_seed_always_gives_the_same_history() -> None:
    """Or a failure could not be repeated."""

    def moves(seed: int) -> list[tuple[str, Blueprint]]:
        dice = random.Random(seed)
        found = [("start", start(dice))]
        for _ in range(30):
            found.append(any_move(dice, found[-1][1]))
        return found

    assert moves(7) == moves(7)
    assert moves(7) != moves(8)


def test_every_kind_of_move_is_made() -> None:
    """Within a few hundred steps."""
    dice, made = random.Random(0), set[str]()
    blueprint = start(dice)
    for _ in range(400):
        name, blueprint = any_move(dice, blueprint)
        made.add(name)
    assert made == set(MOVES)


def test_the_oracle_sees_a_difference() -> None:
    """A comparison that never fails proves nothing."""
    one = Content((("id", "INTEGER"),), ("(1,)",))
    assert differences({"main.a": one}, {"main.a": one}) == []
    assert differences({"main.a": one}, {}) == ["main.a is missing"]
    assert differences({}, {"main.a": one}) == ["main.a should not be there"]
    retyped = Content((("id", "BIGINT"),), ("(1,)",))
    assert "BIGINT" in differences({"main.a": one}, {"main.a": retyped})[0]
    other = Content((("id", "INTEGER"),), ("(2,)",))
    assert "(2,)" in differences({"main.a": one}, {"main.a": other})[0]


def test_a_blueprint_writes_a_project() -> None:
    """The files of a small one."""
    model = Model("incremental", ("raw.events",), (Column("v", "t0.v"),), tests=(("id", "unique"),))
    files = Blueprint({"m1": model}, snapshots={"k1": "m1"}).files()
    assert "materialized='incremental'" in files["models/m1.sql"]
    assert "source('raw', 'events')" in files["models/m1.sql"]
    assert "data_tests: [unique]" in files["models/schema.yml"]
    assert str(Name("main", "m1")) not in files["models/m1.sql"]
    assert "ref('m1')" in files["snapshots/k1.sql"]
