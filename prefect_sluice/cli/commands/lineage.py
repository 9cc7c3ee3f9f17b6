"""`sluice lineage`: what the columns of a relation are made of, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.planning.lineage_graph import LineageGraph, LineageRelation


@click.command()
@click.argument("name", metavar="MODEL[.COLUMN]")
@click.option("--up", is_flag=True, help="What the column is made of. Both ways without --up and --down.")
@click.option("--down", is_flag=True, help="What is made of the column, and who reads that.")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="So many relations far. 0, the default: to the end.",
)
@options.environment
@options.common
def lineage(
    name: str, up: bool, down: bool, depth: int, environment: str, folder: Path, console: Console
) -> int:
    """Show what a column is made of, and what is made of it.

    It is asked of what an environment serves. Without a column: each column of the model with what it is directly made of. It is
    read from the SQL, for people: no verdict depends on it, and what cannot be read is named.
    """
    from prefect_sluice.reporting.gather_lineage import served_lineage
    from prefect_sluice.reporting.terminal import lineage_tree as page
    from prefect_sluice.runtime import process
    from prefect_sluice.workspace.workspace import Workspace

    process.disable_telemetry()
    workspace = Workspace.at(folder)
    graph = served_lineage(workspace, workspace.environment(environment))
    relation, column = _resolved(graph, name)
    up, down = (up or not down, down or not up) if column else (up or not down, down)
    if column:
        console.page([*page.column_lines(graph, relation.name, column, up=up, down=down, depth=depth)])
        console.answer(page.document(graph, relation.name, (column,), up=up, down=down, depth=depth))
    else:
        console.page([*page.relation_lines(graph, relation, depth or 1)])
        document = page.document(graph, relation.name, relation.columns, up=up, down=down, depth=depth or 1)
        console.answer(document)
    return 0


def _resolved(graph: LineageGraph, text: str) -> tuple[LineageRelation, str]:
    """Return the relation and column ("": none) that a text names. Raises BadInput for none, and for more than one."""
    from prefect_sluice.domain.counting import did_you_mean
    from prefect_sluice.domain.errors import BadInput

    matches = [*graph.matches(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        readings = ", ".join(
            f"{relation.name}{f'.{column}' if column else ''}" for relation, column in matches
        )
        raise BadInput(f"{text!r} may be several", fix=f"say which one: {readings}")
    if text.lower().partition(".")[0] in graph.ephemeral:
        raise BadInput(
            f"{text!r} is of an ephemeral model, which has no relation", fix="ask for a model that reads it"
        )
    near = did_you_mean(text.lower(), graph.suggestions(text), 3)
    raise BadInput(
        f"nothing that is served is called {text!r}", fix=near or "sluice status lists what is served"
    )
