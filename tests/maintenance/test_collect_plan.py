"""What the collector would take: never what anything needs, always what nothing does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.maintenance.collect_plan import CollectInputs, Retention, plan_collection, whole
from prefect_sluice.warehouse.base import References
from prefect_sluice.warehouse.inventory import Inventory, PointerSpan, PublicRelation, StoredRelation

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STORE = "sluice_store"


def address(text: str) -> Name:
    return Name(STORE, text)


def reads(sql: str) -> References | None:
    """Read `from a, b`; `pivot` is what no parser understands."""
    if sql.startswith("pivot"):
        return None
    names = sql.removeprefix("from ").split(", ")
    return References(tuple(sorted(Name(*name.split(".", 1)) for name in names)))


@dataclass
class History:
    """Writes generations as a warehouse would."""

    generations: list[Generation] = field(default_factory=list[Generation])
    spans: list[PointerSpan] = field(default_factory=list[PointerSpan])
    physical: dict[Name, StoredRelation] = field(default_factory=dict[Name, StoredRelation])
    at: datetime = NOW - timedelta(days=30)

    def write(self, environment: str, tables: dict[str, str], after: timedelta = timedelta(hours=1)) -> None:
        """Write a generation: public name to address, or to `address from x, y` for a view that reads those."""
        self.at += after
        number = 1 + sum(item.environment == environment for item in self.generations)
        pointers = {name: self._built(name, text) for name, text in tables.items()}
        self.generations.insert(
            0,
            Generation(
                environment, number, f"r{number}", f"p{number}", 1, Cause.RELEASE, number, self.at, ()
            ),
        )
        live = {(s.environment, s.pointer.name.identifier): s for s in self.spans if s.until is None}
        for (owner, name), span in live.items():
            if owner == environment and pointers.get(name) != span.pointer:
                self.spans[self.spans.index(span)] = PointerSpan(owner, span.pointer, span.since, number)
        for name, pointer in pointers.items():
            old = live.get((environment, name))
            if old is None or old.pointer != pointer:
                self.spans.append(PointerSpan(environment, pointer, number, None))

    def _built(self, name: str, text: str) -> Pointer:
        short, view, query = text.partition(" ")
        made = address(short)
        if made not in self.physical:
            sql = ", ".join(f"{STORE}.{item}" for item in query.removeprefix("from ").split(", "))
            self.physical[made] = StoredRelation(made, bool(view), f"from {sql}" if view else "", 10, 100)
        return Pointer(Name("main", name), made, f"model.x.{name}", NodeKind.TABLE, "f", "i")

    def inventory(self, *public: PublicRelation) -> Inventory:
        return Inventory(tuple(self.generations), tuple(self.spans), tuple(self.physical.values()), public)


LAST_TWO = {"prod": Retention(2, timedelta(0))}


def drops(history: History, keep: dict[str, Retention] = LAST_TWO, **more: object) -> list[str]:
    public = more.pop("public", ())
    asked = CollectInputs(history.inventory(*public), keep, NOW, **more)  # type: ignore[arg-type, misc]  # pyright: ignore
    return [item.address.identifier for item in plan_collection(asked, reads).drops]


def test_the_last_generations_stay() -> None:
    history = History()
    for number in range(1, 6):
        history.write("prod", {"a": f"a{number}", "b": "b1"})
    assert drops(history) == ["a1", "a2", "a3"]
    asked = CollectInputs(history.inventory(), LAST_TWO, NOW)
    plan = plan_collection(asked, reads)
    assert plan.generations == (("prod", 1), ("prod", 2), ("prod", 3))
    assert plan.kept[address("b1")] == "generation 5 of prod"
    assert (plan.rows, plan.size, plan.bases) == (30, 300, {"prod": 5})


def test_a_generation_that_loses_nothing_is_not_collected() -> None:
    history = History()
    for content in ("a1", "a2", "a1", "a2"):
        history.write("prod", {"a": content})
    plan = plan_collection(CollectInputs(history.inventory(), LAST_TWO, NOW), reads)
    assert (plan.drops, plan.generations) == ((), ())


@pytest.mark.parametrize(
    ("count", "age", "target", "numbers"),
    [
        (1, timedelta(0), 0, {5}),
        (1, timedelta(0), 2, {5, 2}),
        (2, timedelta(0), 4, {5, 4}),
        (1, timedelta(days=25, hours=-1), 0, {5, 4, 3}),
        (9, timedelta(0), 0, {1, 2, 3, 4, 5}),
        (1, timedelta(days=99), 0, {1, 2, 3, 4, 5}),
        (1, timedelta(0), 77, {5}),
    ],
)
def test_count_age_and_the_way_back(count: int, age: timedelta, target: int, numbers: set[int]) -> None:
    history = History()
    for number in range(1, 6):
        history.write("prod", {"a": f"a{number}"}, timedelta(hours=1) if number != 3 else timedelta(days=5))
    assert whole(history.generations, Retention(count, age, frozenset({target})), NOW) == numbers


def test_what_a_kept_view_reads_stays_though_no_pointer_leads_there() -> None:
    history = History()
    history.write("prod", {"t": "t1", "v": "v1 from t1", "w": "w1 from v1"})
    history.write("prod", {"t": "t2", "w": "w1 from v1"})
    history.write("prod", {"t": "t3", "w": "w1 from v1"})
    assert drops(history) == []
    history.write("prod", {"t": "t4"})
    history.write("prod", {"t": "t5"})
    assert drops(history) == ["t1", "t2", "t3", "v1", "w1"]


def test_a_view_that_nobody_can_parse_keeps_whatever_it_names() -> None:
    history = History()
    history.write("prod", {"t": "t1", "u": "u1", "v": "v1 from t1"})
    sql = f'pivot "{STORE}"."T1" on x'
    history.physical[address("v1")] = StoredRelation(address("v1"), True, sql)
    for number in range(2, 4):
        history.write("prod", {"t": f"t{number}", "v": "v1 from t1"})
    assert drops(history) == ["u1"]


def test_an_environment_that_is_not_asked_for_stays_whole() -> None:
    history = History()
    for number in range(1, 5):
        history.write("prod", {"a": f"a{number}"})
        history.write("other", {"a": f"o{number}", "b": "a1"})
    assert drops(history) == ["a2"]


def test_what_a_promotion_waits_with_stays() -> None:
    history = History()
    for number in range(1, 5):
        history.write("prod", {"a": f"a{number}"})
    assert drops(history, promised={address("a1"): "promotion x of prod"}) == ["a2"]


def test_what_sluice_did_not_make_stays_with_all_that_it_reads() -> None:
    history = History()
    for number in range(1, 5):
        history.write("prod", {"a": f"a{number}"})
    history.physical[address("hand")] = StoredRelation(address("hand"), False)
    history.physical[address("view")] = StoredRelation(address("view"), True, f"from {STORE}.a1")
    outside = PublicRelation(Name("me", "mine"), True, f"from {STORE}.a2")
    plan = plan_collection(CollectInputs(history.inventory(outside), LAST_TWO, NOW), reads)
    assert plan.drops == ()
    assert plan.strangers == (address("hand"), address("view"))
    assert plan.kept[address("a2")] == "view me.mine reads it"
    ours = CollectInputs(history.inventory(outside), LAST_TWO, NOW, ours=frozenset({address("hand")}))
    assert [item.address for item in plan_collection(ours, reads).drops] == [address("hand")]


names = st.sampled_from("abc")
versions = st.integers(1, 4)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Generations of two environments; a view reads one relation or two, of any age."""
    history = History()
    for _ in range(draw(st.integers(1, 8))):
        environment = draw(st.sampled_from(["prod", "dev"]))
        tables = {name: f"{name}{draw(versions)}" for name in draw(st.sets(names))}
        for name in draw(st.sets(st.sampled_from("vw"))):
            base = draw(st.sets(names, min_size=1, max_size=2))
            made = [f"{item}{draw(versions)}" for item in sorted(base)]
            for one in made:
                history.physical.setdefault(address(one), StoredRelation(address(one), False, "", 10, 100))
            tables[name] = f"{name}{draw(versions)} from {', '.join(made)}"
        history.write(environment, tables, timedelta(hours=draw(st.integers(0, 400))))
    return history


@given(
    histories(),
    st.dictionaries(
        st.sampled_from(["prod", "dev"]),
        st.builds(
            Retention,
            st.integers(1, 4),
            st.integers(0, 40).map(lambda d: timedelta(days=d)),
            st.integers(0, 8).map(lambda number: frozenset({number})),
        ),
    ),
    st.sets(st.tuples(names, versions).map(lambda pair: address(f"{pair[0]}{pair[1]}")), max_size=2),
)
def test_nothing_needed_goes_and_everything_else_does(
    history: History, keep: dict[str, Retention], waiting: set[Name]
) -> None:
    """Against a second way to say it: walk from every kept table of pointers, and see what is never met."""
    inventory = history.inventory()
    ours = frozenset(history.physical)
    asked = CollectInputs(inventory, keep, NOW, dict.fromkeys(waiting, "waits"), ours)
    plan = plan_collection(asked, reads)
    met = set(waiting)
    for generation in inventory.generations:
        policy = keep.get(generation.environment)
        number = generation.number
        current = inventory.current(generation.environment)
        if (
            policy is None
            or number > current - policy.generations
            or number in policy.targets
            or generation.at > NOW - policy.age
        ):
            met |= {
                span.pointer.address
                for span in inventory.spans
                if span.environment == generation.environment and span.holds(number)
            }
    while True:
        more = {
            item.address
            for view in inventory.physical
            if view.is_view and view.address in met
            for item in inventory.physical
            if f"{item.address}" in view.sql.removeprefix("from ").split(", ")
        } - met
        if not more:
            break
        met |= more
    assert {item.address for item in plan.drops} == set(history.physical) - met
    assert all(inventory.current(name) != number for name, number in plan.generations)
    gone = {item.address for item in plan.drops}
    losing = {
        (generation.environment, generation.number)
        for generation in inventory.generations
        for span in inventory.spans
        if span.environment == generation.environment
        and span.holds(generation.number)
        and span.pointer.address in gone
    }
    assert set(plan.generations) == losing
    left = Inventory(
        inventory.generations,
        inventory.spans,
        tuple(item for item in inventory.physical if item not in plan.drops),
    )
    again = plan_collection(CollectInputs(left, keep, NOW, dict.fromkeys(waiting, "waits"), ours), reads)
    assert again.drops == ()
