"""What columns come from and what they reach, from relation to relation: the graph, and the walks through it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import Name, short_name
from prefect_sluice.sql.column_lineage import ROWS, Origin, QueryLineage

Follow = Callable[[Origin], Mapping[Origin, str]]

ANY = "?"
"""Stands for a column of which nobody can tell which it is."""
_EPHEMERAL = "__dbt__cte__"
"""What dbt writes before the name of an ephemeral model in the queries that it is part of."""


@dataclass(frozen=True, slots=True)
class LineageRelation:
    """One relation that is served, or a source. `columns` are as the warehouse writes them, in order; `made` is None for a
    source, a seed, and where nobody reads its code: then `why` says so. `parents` are what it reads, as far as that is known
    beside its SQL."""

    name: Name
    node: str = ""
    kind: str = "source"
    columns: tuple[str, ...] = ()
    made: QueryLineage | None = None
    why: str = ""
    parents: tuple[Name, ...] = ()

    @property
    def titles(self) -> frozenset[str]:
        """The names that people may use of it, in lower case: with its schema, without, and that of its node."""
        return frozenset(
            {str(self.name.folded), self.name.folded.identifier, short_name(self.node).lower()} - {""}
        )


@dataclass(frozen=True, slots=True)
class LineageStep:
    """One place on the way of a column: `column` is `ROWS` where it decides which rows there are, `ANY` where it is not known
    which column is meant. `how` says how it is made. `consumer` is set where a consumer is reached. `seen`: it stands above, with
    all that follows."""

    relation: Name
    column: str
    how: str = ""
    consumer: Consumer | None = None
    seen: bool = False
    then: tuple[LineageStep, ...] = ()

    def document(self, depth: int = 0) -> Json:
        """Return it as JSON, with what follows so many steps far (0: all)."""
        if self.consumer:
            return {"consumer": self.consumer.unique_id, "name": self.consumer.label or self.consumer.name}
        what = {ROWS: "rows", ANY: "unknown"}.get(self.column, "column")
        return {
            "relation": str(self.relation),
            "column": self.column if what == "column" else "",
            "what": what,
            "how": self.how,
            "seen": self.seen,
            "then": [] if depth == 1 else [step.document(max(depth - 1, 0)) for step in self.then],
        }


@dataclass(slots=True)
class LineageGraph:
    """The relations by name in lower case, and who reads which of their columns (None: all).

    `ephemeral` are the names of models that have no relation."""

    relations: Mapping[Name, LineageRelation]
    consumers: tuple[tuple[Consumer, Mapping[Name, frozenset[str] | None]], ...] = ()
    ephemeral: frozenset[str] = frozenset()
    _readers: dict[Origin, dict[Origin, str]] = field(default_factory=dict[Origin, "dict[Origin, str]"])

    def __post_init__(self) -> None:
        """Turn the edges round."""
        for name, relation in self.relations.items():
            for column in (*(column.lower() for column in relation.columns), ROWS):
                for origin, note in self.origins((name, column)).items():
                    self._readers.setdefault(origin, {})[(name, column)] = note

    def origins(self, of: Origin) -> Mapping[Origin, str]:
        """Return what one column is made of, each with a note ("": it is known); nothing for one of a source."""
        relation = self.relations.get(of[0])
        if relation is None or (relation.made is None and not relation.parents):
            return {}
        made, column = relation.made, of[1]
        if made is None or made.unread:
            note = made.unread if made else relation.why
            return {(name, ANY): note for name in relation.parents}
        if column == ROWS:
            return dict.fromkeys(made.rows, "")
        if column in made.columns:
            return dict.fromkeys(made.columns[column], "")
        note = made.unknown.get(column) or made.unknown.get(ROWS, "no part of its query")
        above = {name for name, _ in made.rows if name != of[0]} or set(relation.parents)
        return {(name, ANY): note for name in sorted(above)}

    def matches(self, text: str) -> Iterator[tuple[LineageRelation, str]]:
        """Yield each relation, with a column or "", that a text may name: `orders`, `main.orders`, `orders.amount`."""
        words = text.lower()
        for relation in self.relations.values():
            for title in relation.titles:
                if words == title:
                    yield relation, ""
                yield from (
                    (relation, column) for column in relation.columns if words == f"{title}.{column.lower()}"
                )

    def suggestions(self, text: str) -> list[str]:
        """Return the names that a text may be a slip of: columns where it names a relation that is there, else relations."""
        titles = [
            (title, relation) for relation in self.relations.values() for title in sorted(relation.titles)
        ]
        columns = [
            (title, f"{title}.{column.lower()}") for title, relation in titles for column in relation.columns
        ]
        of_one = [name for title, name in columns if text.lower().startswith(f"{title}.")]
        others = [name for _, name in columns] if "." in text else []
        return of_one or [*others, *(title for title, _ in titles)]

    def how(self, of: Origin, note: str = "") -> str:
        """Return how a column is made, or that it is not known, and why."""
        relation, column = self.relations.get(of[0]), of[1]
        if column == ROWS:
            return "decides which rows"
        if column == ANY:
            return f"not known: {note}"
        if relation is None or (relation.made is None and not relation.why):
            return relation.kind if relation else "source"
        if relation.made is None or relation.made.unread:
            return f"not known: {relation.made.unread if relation.made else relation.why}"
        made = relation.made
        text = made.texts.get(column, "").replace(_EPHEMERAL, "")
        if column not in made.columns:
            why = f"not known: {made.unknown.get(column) or made.unknown.get(ROWS, 'no part of its query')}"
            return f"= {text}; {why}" if text else why
        if text:
            return f"= {text}"
        return "as it is" if all(name == column for _, name in made.columns[column]) else "renamed"

    def deciding(self, name: Name) -> tuple[Origin, ...]:
        """Return the columns that decide which rows a relation has, as far as its own query says."""
        relation = self.relations.get(name)
        rows = relation.made.rows if relation and relation.made else ()
        return tuple((of, self._written(of, column)) for of, column in rows if column != ROWS)

    def up(self, start: Origin) -> tuple[LineageStep, ...]:
        """Return what a column's values come from, down to the sources' columns."""
        return self._walk(start, set(), self.origins)

    def down(self, start: Origin) -> tuple[LineageStep, ...]:
        """Return what a column reaches: columns, the rows of relations, and consumers."""
        return self._walk(start, set(), self._reached, consumers=True)

    def _reached(self, at: Origin) -> Mapping[Origin, str]:
        relation, column = at
        if column == ANY:
            steps = [reader for origin, reader in self._readers.items() if origin[0] == relation]
            return {key: note for readers in steps for key, note in readers.items()}
        direct = dict(self._readers.get(at, {}))
        unsure = self._unsure(relation)
        if column == ROWS:  # a query that is read says itself that it has these rows
            unsure = {key: note for key, note in unsure.items() if (key[0], ROWS) not in direct}
        return direct | unsure

    def _unsure(self, relation: Name) -> dict[Origin, str]:
        """Return the relations of whose columns it is not known what of `relation` they read: each once."""
        unsure = self._readers.get((relation, ANY), {})
        return {(name, ANY): note for (name, _), note in unsure.items()}

    def _walk(
        self, at: Origin, done: set[Origin], follow: Follow, *, consumers: bool = False
    ) -> tuple[LineageStep, ...]:
        steps: list[LineageStep] = []
        for (name, column), note in sorted(follow(at).items()):
            if name == at[0] and column in (ROWS, ANY):
                continue
            seen = (name, column) in done
            done.add((name, column))
            then = () if seen else self._walk((name, column), done, follow, consumers=consumers)
            how = self.how((name, column), note)
            steps.append(
                LineageStep(
                    name,
                    self._written(name, column),
                    how,
                    seen=seen and bool(follow((name, column))),
                    then=then,
                )
            )
        return (*steps, *(self._read_by(at) if consumers else ()))

    def _read_by(self, at: Origin) -> Iterator[LineageStep]:
        relation, column = at
        for consumer, reads in self.consumers:
            if relation in reads:
                wanted = reads[relation]
                if wanted is None or column in (ROWS, ANY) or column in wanted:
                    yield LineageStep(relation, column, consumer=consumer)

    def _written(self, name: Name, column: str) -> str:
        """Return a column as the warehouse writes it."""
        relation = self.relations.get(name)
        columns = relation.columns if relation else ()
        return next((one for one in columns if one.lower() == column), column)
