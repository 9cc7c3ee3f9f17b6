"""What happens to a generated project: each move takes a blueprint and a random generator, and gives the next blueprint."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.oracle.blueprint import KINDS, RAW, Blueprint, Column, Model

Move = Callable[[random.Random, Blueprint], Blueprint | None]
"""Returns None where it cannot be done."""


def start(dice: random.Random) -> Blueprint:
    """Return a first project of four to seven models, a seed and mostly a snapshot."""
    blueprint = Blueprint({}, {"s1": ("1,10,a", "2,20,b", "3,30,c")}, last=1)
    for _ in range(dice.randint(4, 7)):
        blueprint = add_model(dice, blueprint)
    return add_snapshot(dice, blueprint) or blueprint


def add_model(dice: random.Random, before: Blueprint) -> Blueprint:
    """A new model on one or two of what there is."""
    name = f"m{before.last + 1}"
    there = [*(f"raw.{table}" for table in RAW), *before.seeds, *before.models, *before.models]
    parents = tuple(dict.fromkeys(dice.choices(there, k=dice.randint(1, 2))))
    columns = (_column(dice, before, parents, "v"), Column("c1", _literal(dice)))
    kind = dice.choices(KINDS, weights=(4, 4, 3, 1))[0]
    schema = "mart" if kind != "ephemeral" and dice.random() < 0.15 else ""
    model = Model(kind, parents, columns, schema, tests=(("id", "not_null"),))
    return replace(before, models={**before.models, name: model}, last=before.last + 1)


def _column(dice: random.Random, before: Blueprint, parents: tuple[str, ...], name: str) -> Column:
    at = dice.randrange(len(parents))
    wanted = dice.choice(before.columns_of(parents[at]))
    used = f"t{at}.{wanted}"
    sql = dice.choice(
        (
            used,
            f"{dice.randint(2, 9)} * length({used}::varchar)",
            f"{{{{ bump('length({used}::varchar)') }}}}",
            f"{{{{ var('rate') }}}} * coalesce(try_cast({used} as integer), 0)",
            f"try_cast({used} as decimal(18, {dice.randint(1, 3)}))",
            f"upper({used}::varchar)",
        )
    )
    return Column(name, sql, ((parents[at], wanted),))


def _literal(dice: random.Random) -> str:
    number = dice.randint(1, 99)
    return dice.choice(
        (f"{number}", f"'{number}'", f"{number}.5", f"date '2026-01-{number % 28 + 1:02}'", "null::integer")
    )


def _some_model(dice: random.Random, before: Blueprint) -> str | None:
    return dice.choice(list(before.models)) if before.models else None


def _with(before: Blueprint, name: str, model: Model) -> Blueprint:
    return replace(before, models={**before.models, name: model})


def change_model(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """One column gets another expression, and maybe another type."""
    name = _some_model(dice, before)
    if name is None:
        return None
    model = before.models[name]
    at = dice.randrange(len(model.columns))
    fresh = _column(dice, before, model.parents, model.columns[at].name)
    if dice.random() < 0.3:
        fresh = Column(model.columns[at].name, _literal(dice))
    return _with(before, name, replace(model, columns=(*model.columns[:at], fresh, *model.columns[at + 1 :])))


def add_column(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A new column, at the end or before the others."""
    name = _some_model(dice, before)
    if name is None:
        return None
    model, called = before.models[name], f"c{before.last + 1}"
    fresh = _column(dice, before, model.parents, called)
    columns = (*model.columns, fresh) if dice.random() < 0.7 else (fresh, *model.columns)
    return replace(_with(before, name, replace(model, columns=columns)), last=before.last + 1)


def remove_column(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A column that no model needs by its name goes."""
    needed = {need for model in before.models.values() for column in model.columns for need in column.needs}
    free = [
        (name, column.name)
        for name, model in before.models.items()
        for column in model.columns
        if (name, column.name) not in needed and len(model.columns) > 1
        and not any(on == column.name for on, _ in model.tests)
    ]  # fmt: skip
    if not free:
        return None
    name, gone = dice.choice(free)
    model = before.models[name]
    return _with(
        before, name, replace(model, columns=tuple(each for each in model.columns if each.name != gone))
    )


def rename_model(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A model gets another name, and all who read it read that."""
    old = _some_model(dice, before)
    if old is None:
        return None
    new = f"m{before.last + 1}"

    def told(model: Model) -> Model:
        columns = tuple(
            replace(each, needs=tuple((new if at == old else at, need) for at, need in each.needs))
            for each in model.columns
        )
        return replace(
            model, parents=tuple(new if each == old else each for each in model.parents), columns=columns
        )

    models = {new if name == old else name: told(model) for name, model in before.models.items()}
    snapshots = {name: new if parent == old else parent for name, parent in before.snapshots.items()}
    return replace(before, models=models, snapshots=snapshots, last=before.last + 1)


def remove_model(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A model that nobody reads goes."""
    free = [name for name in before.models if not before.children_of(name)]
    if len(before.models) < 3 or not free:
        return None
    gone = dice.choice(free)
    return replace(before, models={name: model for name, model in before.models.items() if name != gone})


def change_kind(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """View to table to incremental to ephemeral, and back. What a snapshot or a test looks at stays a relation."""
    name = _some_model(dice, before)
    if name is None:
        return None
    model = before.models[name]
    kinds = [kind for kind in KINDS if kind != model.kind]
    if model.schema or name in before.snapshots.values():
        kinds = [kind for kind in kinds if kind != "ephemeral"]
    return _with(before, name, replace(model, kind=dice.choice(kinds)))


def change_schema(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A model moves to another schema, or back."""
    free = [name for name, model in before.models.items() if model.kind != "ephemeral"]
    if not free:
        return None
    name = dice.choice(free)
    model = before.models[name]
    return _with(before, name, replace(model, schema="" if model.schema else "mart"))


def change_macro(dice: random.Random, before: Blueprint) -> Blueprint:
    """The macro adds another number."""
    return replace(before, bump=before.bump + dice.randint(1, 3))


def change_variable(dice: random.Random, before: Blueprint) -> Blueprint:
    """The variable in dbt_project.yml has another value."""
    return replace(before, rate=before.rate + dice.randint(1, 3))


def change_seed(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A seed's rows change: one more, one less, another value, or a value that makes the column a text."""
    if not before.seeds:
        return None
    name = dice.choice(list(before.seeds))
    rows = list(before.seeds[name])
    what = dice.choice(("more", "less", "other", "text"))
    if what == "more":
        rows.append(f"{len(rows) + 1},{dice.randint(1, 99)},n{dice.randint(1, 9)}")
    elif what == "less" and len(rows) > 1:
        rows.pop()
    else:
        value = "x" if what == "text" else str(dice.randint(100, 199))
        rows[0] = f"{rows[0].split(',')[0]},{value},{rows[0].split(',')[2]}"
    return replace(before, seeds={**before.seeds, name: tuple(rows)})


def add_seed(dice: random.Random, before: Blueprint) -> Blueprint:
    """A new seed."""
    name = f"s{before.last + 1}"
    rows = tuple(f"{at},{dice.randint(1, 99)},n" for at in range(1, dice.randint(2, 5)))
    return replace(before, seeds={**before.seeds, name: rows}, last=before.last + 1)


def add_snapshot(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A snapshot of a model that has a relation."""
    free = [name for name, model in before.models.items() if model.kind != "ephemeral"]
    if not free or len(before.snapshots) > 1:
        return None
    name = f"k{before.last + 1}"
    return replace(before, snapshots={**before.snapshots, name: dice.choice(free)}, last=before.last + 1)


def add_test(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A test that holds, or one that may not."""
    free = [name for name, model in before.models.items() if model.kind != "ephemeral"]
    if not free:
        return None
    name = dice.choice(free)
    model = before.models[name]
    column = dice.choice(model.columns).name
    holds = [
        ("id", "unique"),
        ("id", "{not_null: {name: again}}"),
        ("id", "{unique: {config: {severity: warn}}}"),
    ]
    test = dice.choice([*holds, (column, "not_null"), (column, "unique")])
    return None if test in model.tests else _with(before, name, replace(model, tests=(*model.tests, test)))


def drop_tests(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A model's tests go."""
    tested = [name for name, model in before.models.items() if model.tests]
    if not tested:
        return None
    name = dice.choice(tested)
    return _with(before, name, replace(before.models[name], tests=()))


def change_docs(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A description changes, and nothing else."""
    name = _some_model(dice, before)
    if name is None:
        return None
    return _with(before, name, replace(before.models[name], about=f"text {dice.randint(1, 999)}"))


def reformat(dice: random.Random, before: Blueprint) -> Blueprint | None:
    """A comment or blanks, and nothing else."""
    name = _some_model(dice, before)
    if name is None:
        return None
    remark = dice.choice((f"-- remark {dice.randint(1, 99)}", "", "   ", "/* two\n lines */"))
    return _with(before, name, replace(before.models[name], remark=remark))


MOVES: Mapping[str, tuple[Move, int]] = {
    "add model": (add_model, 3),
    "change model": (change_model, 5),
    "add column": (add_column, 3),
    "remove column": (remove_column, 2),
    "rename model": (rename_model, 2),
    "remove model": (remove_model, 2),
    "change kind": (change_kind, 4),
    "change schema": (change_schema, 1),
    "change macro": (change_macro, 1),
    "change variable": (change_variable, 1),
    "change seed": (change_seed, 2),
    "add seed": (add_seed, 1),
    "add snapshot": (add_snapshot, 1),
    "add test": (add_test, 1),
    "drop tests": (drop_tests, 1),
    "change docs": (change_docs, 1),
    "reformat": (reformat, 1),
}
"""Every move with its weight."""


def any_move(dice: random.Random, before: Blueprint) -> tuple[str, Blueprint]:
    """Make one move that can be made; return its name and what came of it."""
    names = list(MOVES)
    while True:
        name = dice.choices(names, weights=[MOVES[each][1] for each in names])[0]
        after = MOVES[name][0](dice, before)
        if after is not None:
            return name, after
