"""Impact of a change: which consumers it reaches by the relations and columns that they read, and what changes for each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from prefect_sluice.domain.counting import noun
from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.node import FingerprintParts, Name, short_name
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import some
from prefect_sluice.planning.type_changes import narrows, widens

Schema = Mapping[str, str]
"""The columns of one relation, in order: types by name, as the engine writes them."""


class EffectKind(StrEnum):
    """What becomes of a relation, or of one column of it, for who reads it."""

    REMOVED = "removed"
    MOVED = "moved"
    DROPPED = "dropped"
    NARROWED = "narrowed"
    RETYPED = "retyped"
    WIDENED = "widened"
    VALUES = "computed otherwise"
    """The column is computed otherwise."""
    LOST = "computed otherwise or dropped"
    """Computed otherwise, or gone: what is known before it is built does not tell."""
    ROWS = "rows"
    """Which rows there are is decided otherwise."""
    DATA = "new data"
    ADDED = "new column"
    ANY = "any"
    """Built otherwise, and which columns that touches is not known."""

    @property
    def is_breaking(self) -> bool:
        """Say whether a query that worked before may fail, or mean something else."""
        return self in {
            EffectKind.REMOVED,
            EffectKind.MOVED,
            EffectKind.DROPPED,
            EffectKind.NARROWED,
            EffectKind.RETYPED,
        }


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that changes in a relation. `column` is "" where it is the relation; `before` and `after` are types, or
    public names; `note` says more."""

    relation: str
    what: EffectKind
    column: str = ""
    before: str = ""
    after: str = ""
    note: str = ""

    @property
    def change(self) -> str:
        """The change in words, without the names of relation and column."""
        if not self.column:
            return self.text
        types = f"{self.what.value}: {self.after}, was {self.before}" if self.before else self.what.value
        return f"{types} ({self.note})" if self.note else types

    @property
    def text(self) -> str:
        """The change in words, without the relation's name."""
        kind = f"{self.column} is {self.after}, was {self.before}"
        more = f" ({self.note})" if self.note else ""
        return {
            EffectKind.REMOVED: "is removed",
            EffectKind.MOVED: f"is now {self.after}, was {self.before}",
            EffectKind.DROPPED: f"{self.column} is dropped{more}",
            EffectKind.NARROWED: f"{kind}: narrowed",
            EffectKind.RETYPED: kind,
            EffectKind.WIDENED: f"{kind}: every value fits",
            EffectKind.VALUES: f"{self.column} changes",
            EffectKind.LOST: f"{self.column} changes or is dropped",
            EffectKind.ROWS: self.note or "its rows may change",
            EffectKind.DATA: "new data",
            EffectKind.ADDED: f"new column: {self.column}",
            EffectKind.ANY: f"any column may change{more}",
        }[self.what]

    def document(self) -> Json:
        """Return it as JSON."""
        return {
            "relation": self.relation,
            "column": self.column,
            "change": self.what.name.lower(),
            "breaking": self.what.is_breaking,
            "before": self.before,
            "after": self.after,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class ReachedConsumer:
    """A consumer that a change reaches, and what changes in what it reads; `effects` are never empty."""

    consumer: Consumer
    effects: tuple[Effect, ...]

    @property
    def title(self) -> str:
        """The consumer's name as people know it, with its owner: `Carrier scorecard (Airline relations)`."""
        return title(self.consumer)

    @property
    def breaking(self) -> tuple[Effect, ...]:
        """What may break the consumer's queries."""
        return tuple(effect for effect in self.effects if effect.what.is_breaking)

    @property
    def relations(self) -> tuple[str, ...]:
        """The unique ids of the relations in which something changes, in the order in which they are declared."""
        return tuple(dict.fromkeys(effect.relation for effect in self.effects))

    def told(self, relations: Iterable[str] | None = None) -> str:
        """Return in words what changes, relation by relation."""
        chosen = self.relations if relations is None else relations
        return "; ".join(f"{_short(uid)}: {in_words(self._of(uid))}" for uid in chosen)

    def _of(self, uid: str) -> list[Effect]:
        return [effect for effect in self.effects if effect.relation == uid]

    def document(self) -> Json:
        """Return it as JSON."""
        return {
            "consumer": self.consumer.unique_id,
            "name": self.consumer.label or self.consumer.name,
            "kind": self.consumer.kind,
            "owner": self.consumer.owner,
            "url": self.consumer.url,
            "breaking": bool(self.breaking),
            "effects": [effect.document() for effect in self.effects],
        }


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What a comparison of a relation's rows found: the columns with other values, and what becomes of rows, in words ("" for
    nothing)."""

    columns: tuple[str, ...] = ()
    rows: str = ""


@dataclass(frozen=True, slots=True)
class ImpactInputs:
    """What is known of the two sides. `served` are the pointers by unique id, `before` the notes of the plan behind them
    (None: not known); `schemas` the columns before and after by unique id, where both are there to be looked at; `counted` what
    their rows differ in, where they were compared: it takes the place of what the code tells."""

    plan: Plan
    served: Mapping[str, Pointer]
    before: NotesBefore | None = None
    schemas: Mapping[str, tuple[Schema, Schema]] = field(default_factory=dict[str, "tuple[Schema, Schema]"])
    counted: Mapping[str, RowChanges] = field(default_factory=dict[str, RowChanges])


def reached(inputs: ImpactInputs, consumers: Iterable[Consumer]) -> tuple[ReachedConsumer, ...]:
    """Return the consumers that a plan reaches, with what changes for each; those without any change are left out.

    A consumer that names the columns it reads is reached by these alone, and told of new columns of the relation. Without
    `schemas` (before anything is built) it says what the code tells.
    """
    effects = {
        step.node: step_effects for step in inputs.plan.steps if (step_effects := _effects(inputs, step))
    }
    consumer_effects = ((consumer, _for(consumer, effects, inputs.plan)) for consumer in consumers)
    return tuple(
        ReachedConsumer(consumer, effects_on_it)
        for consumer, effects_on_it in consumer_effects
        if effects_on_it
    )


def title(consumer: Consumer) -> str:
    """Return a consumer's name as people know it, with its owner."""
    name = consumer.label or consumer.name
    return f"{name} ({consumer.owner})" if consumer.owner else name


def reads(consumer: Consumer, plan: Plan) -> Mapping[str, tuple[str, ...] | None]:
    """Return the columns that a consumer reads, by unique id of the relation (None: all of it). A relation that it names
    for its columns alone is found by its name; one that no step bears is told as it is named."""
    named = {str(step.name).lower(): step.node for step in plan.steps}
    named = {short_name(step.node).lower(): step.node for step in plan.steps} | named
    own = {step.node for step in plan.steps}
    columns = {
        uid if uid in own else named.get(uid.lower(), uid): given for uid, given in consumer.columns.items()
    }
    return {uid: columns.get(uid) for uid in dict.fromkeys((*consumer.parents, *columns))}


def _for(consumer: Consumer, effects: Mapping[str, Sequence[Effect]], plan: Plan) -> tuple[Effect, ...]:
    effects_on_it: list[Effect] = []
    for uid, columns in reads(consumer, plan).items():
        wanted = None if columns is None else {column.lower() for column in columns}
        effects_on_it += [
            effect
            for effect in effects.get(uid, ())
            if not effect.column
            or effect.what is EffectKind.ADDED
            or wanted is None
            or effect.column.lower() in wanted
        ]
    return tuple(effects_on_it)


def _effects(inputs: ImpactInputs, step: Step) -> tuple[Effect, ...]:
    """Return what one step changes for who reads its relation under its public name."""
    live = inputs.served.get(step.node)
    if live is None:
        return ()
    if step.action is Action.REMOVE:
        return () if _goes_on(inputs.plan, live.name) else (Effect(step.node, EffectKind.REMOVED),)
    if not step.moves:
        return ()
    counted = inputs.counted.get(step.node)
    content = _content(inputs, step, live) if counted is None else _of_rows(step.node, counted)
    effects = [*_shape(inputs, step), *content]
    if live.name.folded != step.name.folded and not _goes_on(inputs.plan, live.name):
        effects.insert(0, Effect(step.node, EffectKind.MOVED, before=str(live.name), after=str(step.name)))
    told_columns = {effect.column for effect in effects if effect.before or effect.what is EffectKind.ADDED}
    return tuple(
        effect
        for effect in effects
        if effect.what not in {EffectKind.VALUES, EffectKind.LOST} or effect.column not in told_columns
    )


def _goes_on(plan: Plan, name: Name) -> bool:
    return any(step.name.folded == name.folded for step in plan.steps if step.action is not Action.REMOVE)


def _shape(inputs: ImpactInputs, step: Step) -> list[Effect]:
    if step.node not in inputs.schemas:
        return []
    before, after = inputs.schemas[step.node]
    kept = {name.lower(): kind for name, kind in after.items()}
    effects: list[Effect] = []
    for name, kind in before.items():
        now = kept.get(name.lower())
        if now is None:
            new = _renamed(before, after, name)
            note = f"renamed to {new}?" if new else ""
            effects.append(Effect(step.node, EffectKind.DROPPED, name, note=note))
        elif now != kind:
            what = (
                EffectKind.WIDENED
                if widens(kind, now)
                else EffectKind.NARROWED
                if narrows(kind, now)
                else EffectKind.RETYPED
            )
            effects.append(Effect(step.node, what, name, kind, now))
    there = {name.lower() for name in before}
    renamed = {
        new for name in before if (new := _renamed(before, after, name))
    }  # such a column is told already
    added = [name for name in after if name.lower() not in there and name not in renamed]
    return [*effects, *(Effect(step.node, EffectKind.ADDED, name) for name in added)]


def _of_rows(uid: str, counted: RowChanges) -> list[Effect]:
    """Return what a comparison of the rows found."""
    rows = [Effect(uid, EffectKind.ROWS, note=counted.rows)] if counted.rows else []
    return [*(Effect(uid, EffectKind.VALUES, column) for column in counted.columns), *rows]


def _renamed(before: Schema, after: Schema, name: str) -> str:
    """Return a guess at what a dropped column is called now: the only new one, of the same type, where it stood."""
    there = {column.lower() for column in before}
    kept = {column.lower() for column in after}
    new = [column for column in after if column.lower() not in there]
    gone = [column for column in before if column.lower() not in kept]
    if len(new) != 1 or len(gone) != 1 or after[new[0]] != before[name]:
        return ""
    return new[0] if list(after).index(new[0]) == list(before).index(name) else ""


def _content(inputs: ImpactInputs, step: Step, live: Pointer) -> list[Effect]:
    """Return what the makeup of both sides says of the values."""
    now = inputs.plan.notes.makeup.get(step.node)
    then = inputs.before.makeup.get(step.node) if inputs.before else None
    if now is None or then is None:
        return [Effect(step.node, EffectKind.ANY)]
    if now.whole == then.whole:
        return [Effect(step.node, EffectKind.DATA)] if step.inputs != live.inputs else []
    if not (now.rows and then.rows):
        return [Effect(step.node, EffectKind.ANY, note=now.doubt or then.doubt)]
    if now.rows != then.rows:
        gone = [] if step.node in inputs.schemas else _gone(step.node, now, then)
        return [*gone, Effect(step.node, EffectKind.ROWS)]
    values = _columns(inputs, step.node, now, then)
    fresh = [Effect(step.node, EffectKind.DATA)] if step.inputs != live.inputs else []
    return [*values, *fresh]


def _columns(inputs: ImpactInputs, uid: str, now: FingerprintParts, then: FingerprintParts) -> list[Effect]:
    if uid in inputs.schemas:
        before, after = inputs.schemas[uid]
        kept = {column.lower() for column in after}
        both = [column for column in before if column.lower() in kept]
        moved = [column for column in both if not _same(column.lower(), now, then)]
        return [Effect(uid, EffectKind.VALUES, column) for column in moved]
    names = sorted({name for name, print in then.columns.items() if print})
    moved = [name for name in names if now.columns.get(name, "") != then.columns[name]]
    if not moved and not (now.complete and then.complete):
        return [Effect(uid, EffectKind.ANY)]
    return [Effect(uid, _lost(now, name), name) for name in moved]


def _same(column: str, now: FingerprintParts, then: FingerprintParts) -> bool:
    # A column that a `*` hands on and nobody asked for has no print: it may have changed.
    return column in now.columns and now.columns[column] == then.columns.get(column)


def _gone(uid: str, now: FingerprintParts, then: FingerprintParts) -> list[Effect]:
    names = sorted(name for name, print in then.columns.items() if print)
    return [Effect(uid, EffectKind.DROPPED, name) for name in names if _lost(now, name) is EffectKind.DROPPED]


def _lost(now: FingerprintParts, column: str) -> EffectKind:
    if now.columns.get(column):
        return EffectKind.VALUES
    return EffectKind.DROPPED if now.complete or column in now.columns else EffectKind.LOST


def in_words(effects: Sequence[Effect]) -> str:
    """Return what changes in one relation, in words, what breaks first; columns that merely change are told together."""
    breaking = [effect.text for effect in effects if effect.what.is_breaking]
    merely = [effect.column for effect in effects if effect.what is EffectKind.VALUES]
    verb = noun(len(merely), "changes", "change")
    changed = [f"{some(merely, most=4)} {verb}"] if merely else []
    others = [
        effect.text
        for effect in effects
        if not effect.what.is_breaking and effect.what is not EffectKind.VALUES
    ]
    return ", ".join([*breaking, *changed, *others])


def _short(uid: str) -> str:
    return short_name(uid) or uid


def without(
    reached_now: Sequence[ReachedConsumer], others: Sequence[ReachedConsumer]
) -> tuple[ReachedConsumer, ...]:
    """Return what breaks in `reached_now` and not in `others`, consumer by consumer."""
    known_effects = {
        (reached.consumer.unique_id, effect) for reached in others for effect in reached.breaking
    }
    left = (
        replace(
            reached,
            effects=tuple(
                effect
                for effect in reached.breaking
                if (reached.consumer.unique_id, effect) not in known_effects
            ),
        )
        for reached in reached_now
    )
    return tuple(reached for reached in left if reached.effects)
