"""The graph that templates see: what they change in it ends with the command, and the next one in this process begins anew."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_OWN = ("config", "meta")
"""What people write of a node, and macros read and change: the rest of a node is dbt's."""


class _Graph(dict[str, Any]):
    """dbt's graph, with each dict and list that people wrote and what was in it. Reading all of it takes as long as some
    commands, so it is done once."""

    def __init__(self, graph: dict[str, Any]) -> None:
        super().__init__(graph)
        nodes = (node for kind in graph.values() for node in kind.values())
        self.parsed = list(_containers([node.get(key) for node in nodes for key in _OWN]))


@contextmanager
def graph_as_parsed(manifest: Manifest | None) -> Generator[None]:
    """Have `graph`, and the configuration that nodes share with it, be after the block what they were when they were parsed.

    A macro may change a dict that it gets from `graph.nodes[...].config`. With plain dbt the next command parses anew; here it
    is given the same manifest, and would begin with what the last one left. Without a manifest, nothing is done.
    """
    if manifest is None:
        yield
        return
    graph = manifest.flat_graph if isinstance(manifest.flat_graph, _Graph) else _Graph(manifest.flat_graph)
    manifest.flat_graph = graph
    try:
        yield
    finally:
        for container, content in graph.parsed:
            if container != content:
                container.clear()
                (container.extend if hasattr(container, "extend") else container.update)(content)


def _containers(roots: list[Any]) -> Generator[tuple[Any, Any]]:
    """Yield each dict and list with a shallow copy: what is in it, and may be changed itself, comes by itself."""
    todo, seen = roots, set[int]()
    while todo:
        container = todo.pop()
        if isinstance(container, dict | list) and id(cast("object", container)) not in seen:
            seen.add(id(cast("object", container)))
            content = cast("dict[Any, Any] | list[Any]", container).copy()
            todo += content.values() if isinstance(content, dict) else content
            yield container, content
