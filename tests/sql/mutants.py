"""Random queries over small tables, and small changes to them, for the tests that ask DuckDB whether a shape was right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random

TABLES = {
    "a": ("id", "x", "y", "g"),
    "b": ("id", "x", "z", "a"),
    "c": ("id", "y", "w", "c_1"),
}
"""Tables of the schema `s`; `b.a` is a struct with the fields `id` and `x`, so that `a.x` has two meanings."""

Scope = Mapping[str, tuple[str, ...]]

NAMES = ("id", "x", "y", "z", "g", "k", "m", "x_1", "id_1", "a", "w")


@dataclass
class Select:
    """One SELECT: columns as (expression, label), sources as (join, source, alias, condition), and the clauses."""

    items: list[tuple[str, str]]
    sources: list[tuple[str, str, str, str]]
    where: str = ""
    group: str = ""
    having: str = ""
    qualify: str = ""
    distinct: bool = False
    ctes: list[tuple[str, Select]] = field(default_factory=list["tuple[str, Select]"])
    union: tuple[str, Select] | None = None
    derived: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    known: Scope = field(default_factory=dict[str, tuple[str, ...]])

    def __str__(self) -> str:
        """Return the SQL."""
        with_ = ", ".join(f"{name} as ({query})" for name, query in self.ctes)
        items = ", ".join(f"{text} as {label}" if label else text for text, label in self.items)
        froms = " ".join(f"{join} {source} {alias} {on}" for join, source, alias, on in self.sources)
        sql = f"{'with ' + with_ if with_ else ''} select {'distinct' if self.distinct else ''} {items} from {froms}"
        for word, text in (("where", self.where), ("group by", self.group), ("having", self.having)):
            sql += f" {word} {text}" if text else ""
        sql += f" qualify {self.qualify}" if self.qualify else ""
        return sql + (f" {self.union[0]} {self.union[1]}" if self.union else "")


def query(chance: Random, depth: int = 2, known: Scope | None = None) -> Select:
    """Return a random SELECT; `known` are common table expressions that it may read, with their columns."""
    outer = dict(known or {})
    select = Select([], [], known=outer)
    names = dict(outer)
    for number in range(chance.choice((0, 0, 1, 2)) if depth else 0):
        name = chance.choice((f"q{number}", "a", "x"))
        if name not in [each for each, _ in select.ctes]:
            inner = query(chance, 0, names)
            select.ctes.append((name, inner))
            names[name] = _columns(inner, names)
    _source(chance, select, names, depth)
    if chance.random() < 0.5:
        _source(chance, select, names, depth)
    scope = _scope(select, outer)
    if chance.random() < 0.25:
        star = (
            "*",
            f"{select.sources[0][2]}.*",
            f"* exclude ({chance.choice(next(iter(scope.values())))})",
            f"* replace (1 as {chance.choice(next(iter(scope.values())))})",
        )
        select.items.append((chance.choice(star), ""))
    for name in chance.sample(NAMES, chance.randint(1, 3)):
        select.items.append((expression(chance, scope), name))
    if chance.random() < 0.3:
        compared = chance.choice((">", "<=", "is distinct from"))
        select.where = f"{expression(chance, scope, windows=False)} {compared} {chance.randint(0, 3)}"
    if chance.random() < 0.25:
        _aggregate(chance, select, scope)
    elif chance.random() < 0.2:
        select.qualify = (
            f"rank() over (partition by {column(chance, scope)} order by {column(chance, scope)}) = 1"
        )
    select.distinct = chance.random() < 0.25
    if depth and chance.random() < 0.2:
        other = deepcopy(select) if chance.random() < 0.6 else query(chance, 0, names)
        other.ctes, other.union = [], None
        select.union = (chance.choice(("union all", "union", "except", "union all by name")), other)
    return select


def _aggregate(chance: Random, select: Select, aliases: Scope) -> None:
    keys = [(text, label) for text, label in select.items if label][:1]
    function = chance.choice(("sum", "max", "count", "count(distinct", "avg"))
    value = f"{function}{'(' if '(' not in function else ' '}{column(chance, aliases)})"
    select.items = [*keys, (value, chance.choice([name for name in NAMES if name != keys[0][1]]))]
    select.group = chance.choice(("1", keys[0][0], "all", keys[0][1]))
    if chance.random() < 0.3:
        select.having = f"count(*) > {chance.randint(0, 1)}"


def _source(chance: Random, select: Select, names: Scope, depth: int) -> None:
    """Add a source to the SELECT."""
    taken = [alias for _, _, alias, _ in select.sources]
    alias = chance.choice([name for name in ("t", "u", "a", "b", "x") if name not in taken])
    kind = chance.random()
    if names and kind < 0.5:
        source = chance.choice(tuple(names))
    elif depth and kind < 0.6:
        inner = query(chance, 0, names)
        source = f"({inner})"
        select.derived[alias] = _columns(inner, names)
    else:
        source = f"s.{chance.choice(tuple(TABLES))}"
    if not taken:
        select.sources.append(("", source, alias, ""))
        return
    join = chance.choice(("join", "left join", "full join", "semi join", "cross join", ","))
    condition = chance.choice(("using (id)", f"on {taken[0]}.id = {alias}.id"))
    select.sources.append((join, source, alias, "" if join in ("cross join", ",") else condition))


def column(chance: Random, aliases: Scope) -> str:
    """Return a reference to some column, qualified or not; now and then to one that may not be there."""
    alias = chance.choice(tuple(aliases))
    if chance.random() < 0.04:
        return chance.choice((chance.choice(NAMES), f"{alias}.{chance.choice(NAMES)}"))
    name = chance.choice(aliases[alias] or ("id",))
    single = sum(name in columns for columns in aliases.values()) == 1
    return name if single and chance.random() < 0.6 else f"{alias}.{name}"


def _scope(select: Select, outer: Mapping[str, tuple[str, ...]]) -> Scope:
    """Return the columns of each source by its alias."""
    known = {**outer, **{name: _columns(query, outer) for name, query in select.ctes}}
    scope: dict[str, tuple[str, ...]] = {}
    for join, source, alias, _ in select.sources:
        columns = known.get(source) or TABLES.get(source.removeprefix("s."), select.derived.get(alias, ()))
        scope[alias] = () if join in ("semi join", "anti join") else columns
    return {alias: columns for alias, columns in scope.items() if columns} or {"t": ("id",)}


def _columns(select: Select, outer: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    scope = _scope(select, outer)
    names = [label for _, label in select.items if label]
    if any(not label for _, label in select.items):
        names += [name for columns in scope.values() for name in columns if name not in names]
    return tuple(names)


def expression(chance: Random, aliases: Scope, *, windows: bool = True) -> str:
    """Return some expression of one row."""
    one, other = column(chance, aliases), column(chance, aliases)
    over = (f"sum({one}) over (partition by {other})", f"count(*) over (order by {one})")
    if chance.random() < 0.02:
        return f"(select max({one}) from s.{chance.choice(tuple(TABLES))})"
    return chance.choice(
        (
            *(over if windows else ()),
            one,
            one,
            one,
            one,
            f"{one} + {chance.randint(1, 3)}",
            f"coalesce({one}, {other})",
            f"case when {one} > 1 then {other} else 0 end",
            f"(select max(q.x) from s.{chance.choice(tuple(TABLES))} q where q.id = {one})",
            f"(select count(*) from s.{chance.choice(tuple(TABLES))} where id = {one})",
            f"exists (select 1 from s.{chance.choice(tuple(TABLES))} e where e.id = {one} and x > 0)",
            str(chance.randint(0, 9)),
        )
    )


def mutated(chance: Random, select: Select) -> Select:
    """Return the query with one small change, here or in a query inside it."""
    changed = deepcopy(select)
    inside = [query for _, query in changed.ctes] + ([changed.union[1]] if changed.union else [])
    target = chance.choice([changed, *inside])
    chance.choice(CHANGES)(chance, target)
    return changed


def _add(chance: Random, select: Select) -> None:
    aliases = _scope(select, select.known)
    text = expression(chance, aliases) if chance.random() < 0.7 else f"max({column(chance, aliases)})"
    select.items.insert(chance.randint(0, len(select.items)), (text, chance.choice(NAMES)))


def _drop(chance: Random, select: Select) -> None:
    if len(select.items) > 1:
        select.items.pop(chance.randrange(len(select.items)))


def _change(chance: Random, select: Select) -> None:
    at = chance.randrange(len(select.items))
    if select.items[at][1]:
        select.items[at] = (expression(chance, _scope(select, select.known)), select.items[at][1])


def _relabel(chance: Random, select: Select) -> None:
    at = chance.randrange(len(select.items))
    if select.items[at][1]:
        select.items[at] = (select.items[at][0], chance.choice(NAMES))


def _shuffle(chance: Random, select: Select) -> None:
    chance.shuffle(select.items)


def _filter(chance: Random, select: Select) -> None:
    select.where = "" if select.where else f"{column(chance, _scope(select, select.known))} > 1"


def _dedupe(chance: Random, select: Select) -> None:
    select.distinct = not select.distinct


def _join(chance: Random, select: Select) -> None:
    join, source, alias, on = select.sources[-1]
    if on:
        select.sources[-1] = (
            chance.choice(("join", "left join", "right join", "anti join")),
            source,
            alias,
            on,
        )
    elif join:
        select.sources.pop()


def _source_of(chance: Random, select: Select) -> None:
    join, _, alias, on = select.sources[0]
    select.sources[0] = (join, f"s.{chance.choice(tuple(TABLES))}", alias, on)


def _group(chance: Random, select: Select) -> None:
    select.group = chance.choice(("", "1", "all", "2"))


CHANGES: tuple[Callable[[Random, Select], None], ...] = (
    *(_add, _add, _add, _change, _change, _drop, _relabel, _shuffle),
    *(_filter, _dedupe, _join, _source_of, _group),
)
