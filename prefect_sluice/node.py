"""What a release is made of: the nodes of a dbt project, as much of them as a release needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from prefect_sluice.errors import BadInput


class Kind(StrEnum):
    """How a node's relation comes about, which decides how it is built, reused and carried over."""

    VIEW = "view"
    TABLE = "table"
    INCREMENTAL = "incremental"
    SNAPSHOT = "snapshot"
    SEED = "seed"
    EXTERNAL = "external"
    """Any other materialization (dbt-duckdb's external, a project's own): built as dbt does, kept as a table."""

    @property
    def keeps_history(self) -> bool:
        """Say whether what was there before is part of what comes after."""
        return self in {Kind.INCREMENTAL, Kind.SNAPSHOT}


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A public name in an environment: schema and relation, as dbt would create it."""

    schema: str
    identifier: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.identifier}"

    @property
    def folded(self) -> Name:
        """The name as engines compare it: case does not count."""
        return Name(self.schema.lower(), self.identifier.lower())

    @classmethod
    def parse(cls, text: str) -> Name:
        """Read what `str` wrote. Raises BadInput for anything that is not `schema.relation`."""
        schema, dot, identifier = text.partition(".")
        if not (schema and dot and identifier):
            raise BadInput(f"{text!r} is not a relation", fix="write it as schema.relation")
        return cls(schema, identifier)


@dataclass(frozen=True, slots=True)
class Node:
    """A model, seed or snapshot that has a relation of its own. Ephemeral and disabled ones are none.

    `own` is the digest of the node itself, `fingerprint` that of the node and all it is built from.
    `parents` are unique ids of nodes and of sources, declared or found in the compiled SQL;
    `sources` are the public names of relations outside the project that it reads (dbt sources and
    hard-coded ones), `files` the files its SQL opens, `elsewhere` relations of other databases, as written;
    `reads_outside` says that there is any of these, or that its code cannot be looked into;
    `volatile` is what its code asks that no source's version tells: "clock:day", "clock:now", "random";
    `forward_only` says that a change of an incremental model's code leaves the rows that are there;
    `contract` is `module:Class` of its pandera contract, relative to the project's root, or "".
    """

    unique_id: str
    kind: Kind
    name: Name
    path: str
    language: str
    fqn: tuple[str, ...]
    fingerprint: str
    own: str = ""
    parents: tuple[str, ...] = ()
    sources: tuple[Name, ...] = ()
    files: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    reads_outside: bool = False
    volatile: tuple[str, ...] = ()
    forward_only: bool = False
    unique_key: tuple[str, ...] = ()
    contract: str = ""
    description: str = ""

    @property
    def short(self) -> str:
        """The name that people use: the last part of the unique id (`model.flights.fct_x` is `fct_x`)."""
        return ".".join(self.unique_id.split(".")[2:])


def descendants(nodes: Mapping[str, Node], of: Iterable[str]) -> frozenset[str]:
    """Return the unique ids of all nodes that read any of `of`, directly or not; `of` itself is left out."""
    children: dict[str, list[str]] = {}
    for node in nodes.values():
        for parent in node.parents:
            children.setdefault(parent, []).append(node.unique_id)
    found: set[str] = set()
    todo = list(of)
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in found:
                found.add(child)
                todo.append(child)
    return frozenset(found)
