"""The plan of a collection: relations of kept generations, open promotions and views stay, the rest is dropped. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from prefect_sluice.domain import old_names
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.inventory import Collection, Inventory, PointerSpan, StoredRelation
from prefect_sluice.warehouse.references import Reads, read_by


@dataclass(frozen=True, slots=True)
class Retention:
    """The generations of an environment that stay: the last `generations`, all younger than `age`, the current one, and
    `target`, the one that a rollback goes to (0: there is none)."""

    generations: int
    age: timedelta
    targets: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class CollectInputs:
    """The inputs of a plan.

    `keep` says how much stays, by environment; one that is not in it stays whole (another project's, perhaps).
    `promised` are addresses that open promotions name, and why; `ours` those that the state store knows as built
    by Sluice, beside those that a pointer ever led to. `ended` are environments that have come to their end: nothing of them
    stays.
    """

    inventory: Inventory
    keep: Mapping[str, Retention]
    now: datetime
    promised: Mapping[Name, str] = field(default_factory=dict[Name, str])
    ours: frozenset[Name] = frozenset()
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CollectPlan:
    """What goes: `drops` in the order of their names, `generations` (environment, number) that lose a relation.

    `kept` says of every relation that stays what needs it; `strangers` are those of them that Sluice never made.
    `bases` are the current generations the plan is for; `resting` the public names, with their environment, that nothing
    serves and whose history stays, `ended` those whose history goes because somebody said so; `over` are old names whose day
    has come; `forgets` environments that have come to their end.
    """

    drops: tuple[StoredRelation, ...]
    generations: tuple[tuple[str, int], ...]
    kept: Mapping[Name, str]
    strangers: tuple[Name, ...]
    bases: Mapping[str, int]
    resting: tuple[tuple[str, Name], ...] = ()
    ended: tuple[tuple[str, Name], ...] = ()
    over: tuple[tuple[str, Name], ...] = ()
    forgets: tuple[str, ...] = ()

    @property
    def does_something(self) -> bool:
        """Say whether anything goes."""
        return bool(self.drops or self.generations or self.over or self.forgets)

    @property
    def rows(self) -> int:
        """The rows that go."""
        return sum(drop.rows for drop in self.drops)

    @property
    def size(self) -> int:
        """The bytes that go, as far as they were measured."""
        return sum(drop.size or 0 for drop in self.drops)

    def collection(self, run: str, at: datetime) -> Collection:
        """Return the plan as the warehouse takes it."""
        return Collection(
            run,
            at,
            tuple(drop.address for drop in self.drops),
            self.generations,
            dict(self.bases),
            self.over,
            self.forgets,
        )

    def document(self) -> Json:
        """Return it as JSON."""
        return {
            "relations": [
                {"address": str(drop.address), "view": drop.is_view, "rows": drop.rows, "bytes": drop.size}
                for drop in self.drops
            ],
            "generations": [{"environment": name, "number": number} for name, number in self.generations],
            "rows": self.rows,
            "bytes": self.size,
            "kept": len(self.kept),
            "strangers": [str(name) for name in self.strangers],
            "history_kept": [{"environment": where, "name": str(name)} for where, name in self.resting],
            "history_dropped": [{"environment": where, "name": str(name)} for where, name in self.ended],
            "old_names_dropped": [{"environment": where, "name": str(name)} for where, name in self.over],
            "previews_forgotten": list(self.forgets),
        }


def whole(history: Iterable[Generation], keep: Retention, now: datetime) -> frozenset[int]:
    """Return the numbers of the generations of one environment that stay whole."""
    numbers = sorted((generation.number for generation in history), reverse=True)
    young = {generation.number for generation in history if generation.at > now - keep.age}
    return frozenset({*numbers[: max(keep.generations, 1)], *young, *keep.targets} & set(numbers))


def dependencies(inventory: Inventory, reads: Reads) -> Mapping[Name, frozenset[Name]]:
    """Return the physical relations that each physical view reads itself.

    Where the parser cannot tell, every relation whose name stands in the text counts.
    """
    addresses = {relation.address.folded: relation.address for relation in inventory.physical}
    return {
        relation.address: read_by(relation.sql, addresses, reads) - {relation.address}
        for relation in inventory.physical
        if relation.is_view
    }


def _foreign(inventory: Inventory, reads: Reads) -> Mapping[Name, str]:
    """Return relations that a view outside the store reads, which no pointer made: it would break."""
    ours = {span.pointer.name.folded for span in inventory.spans if span.until is None}
    addresses = {relation.address.folded: relation.address for relation in inventory.physical}
    schemas = {name.schema for name in addresses}
    readers: dict[Name, str] = {}
    for view in inventory.public:
        if not view.is_view or view.name.folded in ours or not any(s in view.sql.lower() for s in schemas):
            continue
        readers |= dict.fromkeys(read_by(view.sql, addresses, reads), f"view {view.name} reads it")
    return readers


def roots(inputs: CollectInputs, reads: Reads) -> Mapping[Name, str]:
    """Return every address that must stay, and why; of several reasons the newest generation's."""
    kept = {name: sorted(_whole(inputs, name)) for name in inputs.inventory.environments}
    strangers = dict.fromkeys(_strangers(inputs), "Sluice did not make it")
    reasons: dict[Name, str] = {**strangers, **_foreign(inputs.inventory, reads), **inputs.promised}
    for span in inputs.inventory.spans:
        newest = _newest(kept.get(span.environment, ()), span)
        if newest is not None:
            reasons[span.pointer.address] = f"generation {newest} of {span.environment}"
        elif span.environment not in inputs.keep and span.environment not in inputs.ended:
            # Also where its generation was collected: it may be built upon as long as it is there.
            reasons[span.pointer.address] = f"{span.environment}, which is not looked at here"
    reachable = dict(reasons)
    reading = dependencies(inputs.inventory, reads)
    todo = list(reasons)
    while todo:
        reader = todo.pop()
        for name in reading.get(reader, frozenset()) - reachable.keys():
            reachable[name] = f"{reader} reads it"
            todo.append(name)
    return reachable


def _newest(numbers: Sequence[int], span: PointerSpan) -> int | None:
    """Return the newest of these generations (ascending) that has a pointer, None where none has."""
    end = len(numbers) if span.until is None else bisect_left(numbers, span.until)
    return numbers[end - 1] if end and numbers[end - 1] >= span.since else None


def _whole(inputs: CollectInputs, environment: str) -> frozenset[int]:
    history = [
        generation for generation in inputs.inventory.generations if generation.environment == environment
    ]
    keep = inputs.keep.get(environment)
    if environment in inputs.ended:
        return frozenset()
    if keep is None:
        return frozenset(generation.number for generation in history)
    return whole(history, keep, inputs.now)


def plan_collection(inputs: CollectInputs, reads: Reads) -> CollectPlan:
    """Return what goes. The same inputs give the same plan; after it was carried out, the next plan is empty."""
    kept = roots(inputs, reads)
    free = (relation for relation in inputs.inventory.physical if relation.address not in kept)
    drops = tuple(sorted(free, key=lambda relation: relation.address))
    present = {relation.address for relation in inputs.inventory.physical}
    return CollectPlan(
        drops,
        _losing(inputs, {relation.address for relation in drops}, present),
        {name: why for name, why in kept.items() if name in present},
        _strangers(inputs),
        {name: inputs.inventory.current(name) for name in inputs.inventory.environments},
        over=_over(inputs),
        forgets=tuple(sorted(inputs.ended & set(inputs.inventory.environments))),
    )


def _over(inputs: CollectInputs) -> tuple[tuple[str, Name], ...]:
    """Return the old names that are served although their last day is over."""
    spans = (
        span for span in inputs.inventory.spans if span.until is None and span.environment in inputs.keep
    )
    today = inputs.now.astimezone(UTC).date()
    names = (
        (span.environment, span.pointer.name)
        for span in spans
        if span.pointer.is_old_name and old_names.of_pointer(span.pointer).is_over(today)
    )
    return tuple(sorted(names))


def _strangers(inputs: CollectInputs) -> tuple[Name, ...]:
    made = inputs.ours | {span.pointer.address for span in inputs.inventory.spans}
    return tuple(
        sorted(relation.address for relation in inputs.inventory.physical if relation.address not in made)
    )


def _losing(inputs: CollectInputs, gone: set[Name], present: set[Name]) -> tuple[tuple[str, int], ...]:
    """Return the generations that lose a relation now, and older ones that lost one without Sluice."""
    marked = {(i.environment, i.number) for i in inputs.inventory.generations if i.collected_at is not None}
    numbers: dict[str, list[int]] = {}
    for generation in reversed(inputs.inventory.generations):
        if generation.environment not in inputs.ended:
            numbers.setdefault(generation.environment, []).append(generation.number)
    lost: dict[str, list[PointerSpan]] = {}
    for span in inputs.inventory.spans:
        left = (
            span.pointer.address not in present and span.until is not None and span.environment in inputs.keep
        )
        if left or span.pointer.address in gone:
            lost.setdefault(span.environment, []).append(span)
    incomplete = {
        (environment, number)
        for environment, spans in lost.items()
        for number in _holding(numbers.get(environment, ()), spans)
    }
    return tuple(sorted(incomplete - marked))


def _holding(numbers: Sequence[int], spans: Iterable[PointerSpan]) -> Iterator[int]:
    """Yield those of an environment's generations (ascending) that have one of the pointers. Each pointer is looked at once, not
    once for each generation: an environment has thousands of both after years."""
    changes = [0] * (len(numbers) + 1)
    for span in spans:
        changes[bisect_left(numbers, span.since)] += 1
        changes[len(numbers) if span.until is None else bisect_left(numbers, span.until)] -= 1
    return (number for number, pointers in zip(numbers, accumulate(changes), strict=False) if pointers)
