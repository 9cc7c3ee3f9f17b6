"""What the columns that a change touches reach below: a line of origin for people, by which nothing is decided. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import Name, short_name
from prefect_sluice.planning.lineage_graph import ANY, LineageGraph, LineageStep
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.reasons import Because
from prefect_sluice.sql.column_lineage import ROWS, Origin

_FROM_ABOVE = frozenset({Because.READS, Because.NEW_DATA, Because.UNCHANGED})
"""Reasons that are no code of the relation's own, nor settings."""


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that a release drops or retypes, or that has other values in it: of which node and public name; `change` says
    it in words."""

    node: str
    relation: Name
    column: str
    change: str

    @property
    def origin(self) -> Origin:
        """The column as a graph names it."""
        return self.relation.folded, self.column.lower()


@dataclass(frozen=True, slots=True)
class ReachedPlace:
    """Where a column goes: another `column`, the rows of a relation (`ROWS`), or nobody can tell which column (`ANY`). `how` says
    how it is made, `change` what the comparison with what serves found there, "" for nothing."""

    relation: str
    column: str
    how: str
    change: str = ""

    def document(self) -> Json:
        """Return it as JSON."""
        what = {ROWS: "rows", ANY: "unknown"}.get(self.column, "column")
        own = self.column if what == "column" else ""
        return {
            "relation": self.relation,
            "column": own,
            "what": what,
            "how": self.how,
            "change": self.change,
        }

    @classmethod
    def read(cls, document: Mapping[str, str]) -> ReachedPlace:
        """Read what `document` wrote."""
        column = {"rows": ROWS, "unknown": ANY}.get(document["what"], document["column"])
        return cls(document["relation"], column, document["how"], document["change"])


@dataclass(frozen=True, slots=True)
class ReachingConsumer:
    """A declared consumer that reads one of the places, or the column itself."""

    consumer: str
    name: str


@dataclass(frozen=True, slots=True)
class ColumnReach:
    """One changed column with all that it reaches, in the order of the graph: what is made of it directly, and of that."""

    relation: str
    column: str
    change: str
    places: tuple[ReachedPlace, ...] = ()
    consumers: tuple[ReachingConsumer, ...] = ()

    @property
    def name(self) -> str:
        """The column with its relation."""
        return f"{self.relation}.{self.column}"


@dataclass(frozen=True, slots=True)
class ChangeReach:
    """The reach of all columns that a release changes, in the order of its build; a column that another one reaches has a line
    of its own only if its relation's own code changed. `untold` says why nobody can tell ("": it can)."""

    columns: tuple[ColumnReach, ...] = ()
    untold: str = ""

    def document(self) -> Json:
        """Return it as JSON."""
        columns: list[Json] = [
            {
                "relation": column.relation,
                "column": column.column,
                "change": column.change,
                "reaches": [place.document() for place in column.places],
                "consumers": [cast(Json, asdict(consumer)) for consumer in column.consumers],
            }
            for column in self.columns
        ]
        return {"columns": columns, "untold": self.untold}

    @classmethod
    def read(cls, document: Json) -> ChangeReach:
        """Read what `document` wrote."""
        raw = cast(Mapping[str, Any], document)
        columns = (
            ColumnReach(
                column["relation"],
                column["column"],
                column["change"],
                tuple(ReachedPlace.read(place) for place in column["reaches"]),
                tuple(ReachingConsumer(**consumer) for consumer in column["consumers"]),
            )
            for column in raw["columns"]
        )
        return cls(tuple(columns), raw["untold"])


def of_the_code(plan: Plan) -> frozenset[str]:
    """Return the nodes that move because of code or settings, their own or above: what only new data moves is left out."""
    moved: set[str] = set()
    for step in plan.steps:
        above = step.node in plan.notes.makeup and not moved.isdisjoint(plan.notes.makeup[step.node].reads)
        if step.moves and (above or step.reason.kind not in _FROM_ABOVE):
            moved.add(step.node)
    return frozenset(moved)


def below(plan: Plan, nodes: Collection[str]) -> tuple[str, ...]:
    """Return what the plan moves below these nodes, in build order: what it leaves as it is reads none of what changed."""
    reached = set(nodes)
    under: list[str] = []
    for step in plan.steps:
        makeup = plan.notes.makeup.get(step.node)
        if step.moves and makeup is not None and not reached.isdisjoint(makeup.reads):
            reached.add(step.node)
            under.append(step.node)
    return tuple(under)


def change_reach(graph: LineageGraph, changes: Sequence[ColumnChange], plan: Plan) -> ChangeReach:
    """Return what each changed column reaches in a graph of the relations below; `changes` are in build order."""
    own = {step.node for step in plan.steps if step.reason.kind not in _FROM_ABOVE}
    words = {change.origin: change.change for change in changes}
    covered: set[Origin] = set()
    lines: list[ColumnReach] = []
    for change in changes:
        name = change.relation.folded
        if change.node not in own and covered.intersection((change.origin, (name, ROWS), (name, ANY))):
            continue
        steps = [*_flat(graph.down(change.origin))]
        places = {
            (step.relation, step.column.lower()): _place(graph, step, words)
            for step in steps
            if not step.consumer
        }
        covered.update(places)
        read_by = [step.consumer for step in steps if step.consumer]
        consumers = {consumer.unique_id: consumer.label or consumer.name for consumer in read_by}
        lines.append(
            ColumnReach(
                _short(graph, name),
                change.column,
                change.change,
                tuple(places.values()),
                tuple(ReachingConsumer(uid, name) for uid, name in consumers.items()),
            )
        )
    return ChangeReach(tuple(lines))


def _flat(steps: Iterable[LineageStep]) -> Iterator[LineageStep]:
    for step in steps:
        if not step.seen:
            yield step
            yield from _flat(step.then)


def _place(graph: LineageGraph, step: LineageStep, words: Mapping[Origin, str]) -> ReachedPlace:
    change = words.get((step.relation.folded, step.column.lower()), "")
    return ReachedPlace(_short(graph, step.relation), step.column, step.how, change)


def _short(graph: LineageGraph, name: Name) -> str:
    relation = graph.relations.get(name.folded)
    return (short_name(relation.node) if relation else "") or str(name)
