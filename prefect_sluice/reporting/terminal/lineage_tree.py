"""The lineage of columns on a terminal: a tree, one column a line, and how each is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import Name
from prefect_sluice.planning.lineage_graph import ANY, LineageGraph, LineageRelation, LineageStep
from prefect_sluice.reporting.styled_text import Line, Span, Style, line
from prefect_sluice.sql.column_lineage import ROWS

_SHORT = 60
"""Characters of an expression on a terminal; JSON has all of it."""


def column_lines(
    graph: LineageGraph, name: Name, column: str, *, up: bool, down: bool, depth: int
) -> Iterator[Line]:
    """Yield the tree of one column: what it is made of, what decides its rows, what is made of it. `depth` 0 is no limit."""
    start = (name.folded, column.lower())
    yield (Span(f"{name}.{column}", Style.STRONG), Span(f"  {_shortened(graph.how(start))}", Style.FAINT))
    if up:
        yield line("made of")
        yield from _tree(graph.up(start), depth, "  ") or [line("  no other column")]
        if deciding := graph.deciding(name.folded):
            yield line("which rows there are is decided by")
            yield from (line(f"  {of}.{written}") for of, written in deciding)
        yield from _hidden(graph, name)
    if down:
        yield line("goes into")
        yield from _tree(graph.down(start), depth, "  ") or [line("  nothing that is known")]


def relation_lines(graph: LineageGraph, relation: LineageRelation, depth: int) -> Iterator[Line]:
    """Yield each column of a relation with what it is made of."""
    yield (
        Span(str(relation.name), Style.STRONG),
        Span(f"  {count(len(relation.columns), 'column')}", Style.FAINT),
    )
    for column in relation.columns:
        start = (relation.name.folded, column.lower())
        yield (Span(f"  {column}"), Span(f"  {_shortened(graph.how(start))}", Style.FAINT))
        yield from _tree(graph.up(start), depth, "    ", hint=False)
    yield from _hidden(graph, relation.name)


def document(
    graph: LineageGraph, name: Name, columns: Sequence[str], *, up: bool, down: bool, depth: int
) -> Json:
    """Return the same as JSON, expressions in full."""
    entries: list[Json] = []
    for column in columns:
        start = (name.folded, column.lower())
        entry: dict[str, Json] = {"column": column, "how": graph.how(start)}
        if up:
            entry["made_of"] = [step.document(depth) for step in graph.up(start)]
            entry["rows_decided_by"] = [f"{of}.{written}" for of, written in graph.deciding(name.folded)]
        if down:
            entry["goes_into"] = [step.document(depth) for step in graph.down(start)]
        entries.append(entry)
    return {"relation": str(name), "columns": entries, "rows_hidden": _hidden_rows(graph, name)}


def _hidden(graph: LineageGraph, name: Name) -> Iterator[Line]:
    if hidden := _hidden_rows(graph, name):
        yield line(f"not known of what decides its rows: {hidden}")


def _hidden_rows(graph: LineageGraph, name: Name) -> str:
    made = graph.relations[name.folded].made
    return made.hidden if made is not None else ""


def _tree(
    steps: Sequence[LineageStep], depth: int, indent: str, level: int = 1, *, hint: bool = True
) -> list[Line]:
    """Return a line for each step and for those below, down to `depth` (0: all)."""
    lines: list[Line] = []
    for step in steps:
        lines.append(_step(step, indent))
        if level != depth:
            lines += _tree(step.then, depth, f"{indent}  ", level + 1, hint=hint)
        elif step.then and hint:
            lines.append(line(f"{indent}  … --depth {depth + 1} shows more"))
    return lines


def _step(step: LineageStep, indent: str) -> Line:
    if step.consumer:
        return (
            Span(f"{indent}{step.consumer.label or step.consumer.name}"),
            Span("  read by people", Style.FAINT),
        )
    place = str(step.relation) if step.column in (ROWS, ANY) else f"{step.relation}.{step.column}"
    how = f"{_shortened(step.how)}{' (see above)' if step.seen else ''}"
    return (Span(f"{indent}{place}"), Span(f"  {how}", Style.FAINT))


def _shortened(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHORT else f"{flat[: _SHORT - 1]}…"
