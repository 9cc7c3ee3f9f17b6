"""Whatever is published and rolled back, in any order: readers see what a dictionary would hold."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import Publication
from tests.warehouse.scenes import ADAPTERS, Scene

NAMES = (Name("main", "a"), Name("main", "b"), Name("mart", "c"))
SPELLED = {
    "prod": dict(zip("abc", NAMES, strict=True)),
    "staging": {key: Name("staging", name.identifier) for key, name in zip("abc", NAMES, strict=True)},
}


@dataclass(frozen=True, slots=True)
class Release:
    """Publish these relations anew, and let those go."""

    environment: str
    made: frozenset[str]
    gone: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rollback:
    """Publish an earlier generation again, counted from the first."""

    environment: str
    to: int


environments = st.sampled_from(["prod", "prod", "staging"])
letters = st.frozensets(st.sampled_from("abc"), max_size=2)
acts = st.one_of(
    st.builds(Release, environments, letters, letters),
    st.builds(Release, environments, letters, st.just(frozenset[str]())),
    st.builds(Rollback, environments, st.integers(1, 8)),
)


class Oracle:
    """What each generation of each environment holds, by name."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[Name, int]]] = {"prod": [{}], "staging": [{}]}
        self.count = 0

    def release(self, act: Release) -> tuple[dict[Name, int], list[Name]]:
        now, spelled = self.tables[act.environment][-1], SPELLED[act.environment]
        self.count += 1
        made = {spelled[key]: self.count for key in sorted(act.made)}
        gone = [spelled[key] for key in sorted(act.gone - act.made) if spelled[key] in now]
        self.tables[act.environment].append(
            {name: value for name, value in (now | made).items() if name not in gone}
        )
        return made, gone

    def rollback(self, act: Rollback) -> int:
        number = 1 + (act.to - 1) % (len(self.tables[act.environment]) - 1)
        self.tables[act.environment].append(self.tables[act.environment][number])
        return number


def do(scene: Scene, oracle: Oracle, act: Release | Rollback) -> None:
    """Do one act in the warehouse and in the oracle."""
    if isinstance(act, Release):
        made, gone = oracle.release(act)
        views = {name: f"select {value} as v" for name, value in made.items()}
        scene.warehouse.publish(scene.publication({}, environment=act.environment, views=views, gone=gone))
    elif len(oracle.tables[act.environment]) > 1:
        number = oracle.rollback(act)
        target = scene.warehouse.generation(act.environment, number)
        scene.warehouse.publish(again(target, scene.warehouse.generation(act.environment).number))


def again(target: Generation, base: int) -> Publication:
    """Return the publication that writes `target` again."""
    back = replace(target, number=base + 1, promotion=f"back-{base}", cause=Cause.ROLLBACK)
    return Publication(back, base)


def check(scene: Scene, oracle: Oracle) -> None:
    """Every generation is as it was, and readers see the last one and no other name."""
    served = {item.name for item in scene.warehouse.relations()}
    assert served == {name for tables in oracle.tables.values() for name in tables[-1]}
    for environment, tables in oracle.tables.items():
        assert scene.values(*tables[-1]) == list(tables[-1].values()) if tables[-1] else True
        for number, table in enumerate(tables):
            found = scene.warehouse.generation(environment, number)
            assert (found.number, set(found.by_name())) == (number, set(table))
        assert [item.number for item in scene.warehouse.history(environment)] == [
            *range(len(tables) - 1, 0, -1)
        ]


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=20)
@given(st.lists(acts, min_size=2, max_size=8))
def test_any_sequence_of_releases_and_rollbacks(adapter: str, sequence: list[Release | Rollback]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scene, oracle = Scene(ADAPTERS[adapter](Path(folder)), Path(folder)), Oracle()
        scene.publish({})  # the file is there
        oracle.tables["prod"].append({})
        for act in sequence:
            do(scene, oracle, act)
        check(scene, oracle)
