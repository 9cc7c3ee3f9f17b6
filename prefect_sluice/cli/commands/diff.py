"""`sluice diff`: what readers of one generation see that readers of another do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prefect_sluice.domain.generation import Generation
    from prefect_sluice.gates.diff.gate import Settings
    from prefect_sluice.reporting.terminal.generations import RelationDifference
    from prefect_sluice.warehouse.base import Reader
    from prefect_sluice.workspace.workspace import Environment, Workspace


@click.command()
@click.argument("a", default="")
@click.argument("b", default="")
@options.environment
@click.option(
    "--relation", default="", metavar="NAME", help="Only this relation: a model's name, or schema.name."
)
@click.option(
    "--key",
    default="",
    metavar="COLUMNS",
    help="What tells rows apart, with commas. Default: what dbt's unique tests name.",
)
@options.common
def diff(a: str, b: str, environment: str, relation: str, key: str, folder: Path, console: Console) -> int:
    """Compare the rows of two generations.

    A and B are numbers of generations, or the beginning of a release's id; by default the one before the
    current one, and the current one.
    """
    from prefect_sluice.promotions.lookups import displaced
    from prefect_sluice.reporting.terminal.displaced_names import displaced_lines
    from prefect_sluice.reporting.terminal.generations import differences_lines, document
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    resolved = workspace.environment(environment)
    before, after = _two(workspace, resolved, a, b)
    keys = tuple(part.strip() for part in key.split(",") if part.strip())
    differences = _compared(workspace, resolved, before, after, relation, keys)
    taken = displaced(workspace, resolved)
    lines = differences_lines(before, after, differences, width=console.width)
    console.page([*displaced_lines(taken, width=console.width), *lines])
    console.answer(
        {
            **document(before, after, differences),
            "displaced": [displaced_name.document() for displaced_name in taken],
        }
    )
    return 0


def _two(workspace: Workspace, environment: Environment, a: str, b: str) -> tuple[Generation, Generation]:
    """Return the two generations, with their pointers. Raises Refused when there are no two, BadInput for an
    unknown one."""
    from prefect_sluice.domain.errors import Refused
    from prefect_sluice.promotions.lookups import find_generation

    warehouse = workspace.warehouse(environment)
    history = warehouse.history(environment.name)
    if not history:
        raise Refused(
            f"environment {environment.name!r} serves nothing yet",
            f"release something first: sluice release --env {environment.name}",
        )
    last = find_generation(history, b) if b else history[0]
    if a:
        first = find_generation(history, a)
    else:
        older = [generation for generation in history if generation.number < last.number]
        if not older:
            raise Refused(
                f"generation {last.number} is the first, there is nothing before it to compare with",
                "see what there was: sluice history",
            )
        first = older[0]
    return warehouse.generation(environment.name, first.number), warehouse.generation(
        environment.name, last.number
    )


def _compared(
    workspace: Workspace,
    environment: Environment,
    before: Generation,
    after: Generation,
    relation: str,
    key: tuple[str, ...],
) -> tuple[RelationDifference, ...]:
    from prefect_sluice.cli.declared_keys import declared_keys
    from prefect_sluice.reporting.terminal.generations import differences

    differing = differences(before, after, relation)
    if relation and not differing:
        raise _unknown(relation, before, after)
    store_release = workspace.store.release(after.release)
    keys: Mapping[str, tuple[str, ...]] = {} if key else declared_keys(workspace, store_release)
    near = _tolerance(workspace)
    with workspace.warehouse(environment).reader() as reader:
        return tuple(_with_rows(reader, difference, key, keys, near) for difference in differing)


def _tolerance(workspace: Workspace) -> Settings:
    """Return what the gate `diff` takes for the same number: this command must not say otherwise."""
    from prefect_sluice.gates.catalog import settings_of
    from prefect_sluice.gates.diff.gate import Settings

    own = settings_of("diff", workspace.settings.gates)
    assert isinstance(own, Settings)
    return own


def _unknown(relation: str, before: Generation, after: Generation) -> Exception:
    from prefect_sluice.domain.counting import near
    from prefect_sluice.domain.errors import BadInput

    names = sorted({name.identifier for name in (*before.by_name(), *after.by_name())})
    some = near(relation, names, 3) or names[:3] or ["none"]
    what = f"neither generation {before.number} nor {after.number} has a relation {relation!r}"
    return BadInput(what, fix=f"name one of them, such as {', '.join(some)}: --relation NAME")


def _with_rows(
    reader: Reader,
    difference: RelationDifference,
    key: tuple[str, ...],
    keys: Mapping[str, tuple[str, ...]],
    near: Settings,
) -> RelationDifference:
    """Return the difference with the rows of a relation that has another address now."""
    from dataclasses import replace

    from prefect_sluice.diff.compare import compare
    from prefect_sluice.domain.errors import BadInput, QueryFailed
    from prefect_sluice.domain.node import short_name

    if (
        difference.before is None
        or difference.after is None
        or difference.before.address == difference.after.address
    ):
        return difference
    uid, name = difference.after.node, str(difference.name)
    chosen = key or keys.get(uid.split(".")[-1], ())
    tolerance = near.near((short_name(uid), name, difference.name.identifier, uid))
    try:
        rows = compare(
            reader,
            reader.at(difference.before.address),
            reader.at(difference.after.address),
            chosen,
            name,
            tolerance=tolerance,
        )
        return replace(difference, rows=rows)
    except (QueryFailed, BadInput) as error:
        return replace(difference, problem=str(error))
