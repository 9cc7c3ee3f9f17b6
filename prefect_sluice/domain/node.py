"""What a release is made of: the nodes of a dbt project, as much of them as a release needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from prefect_sluice.domain.errors import BadInput

_QUOTED = re.compile(r'"((?:[^"]|"")+)"\.(.+)')
"""How a name is written whose schema holds a dot."""


class NodeKind(StrEnum):
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
        return self in {NodeKind.INCREMENTAL, NodeKind.SNAPSHOT}


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A public name in an environment: schema and relation, as dbt would create it."""

    schema: str
    identifier: str

    def __str__(self) -> str:
        schema = self.schema
        if "." in schema or schema.startswith('"'):
            schema = '"' + schema.replace('"', '""') + '"'
        return f"{schema}.{self.identifier}"

    @property
    def folded(self) -> Name:
        """The name as engines compare it: case does not count."""
        return Name(self.schema.lower(), self.identifier.lower())

    @classmethod
    def parse(cls, text: str) -> Name:
        """Read what `str` wrote. Raises BadInput for anything that is not `schema.relation`."""
        quoted = _QUOTED.match(text)
        if quoted:
            return cls(quoted[1].replace('""', '"'), quoted[2])
        schema, dot, identifier = text.partition(".")
        if not (schema and dot and identifier):
            raise BadInput(f"{text!r} is not a relation", fix="write it as schema.relation")
        return cls(schema, identifier)


class Ingredient(StrEnum):
    """Parts of a fingerprint that have one name each, as notes and digests hold them; others name a thing: `macro money`."""

    CODE = "code"
    SEED = "seed"
    READS = "reads"
    WHOLE_PROJECT = "the whole project"
    """dbt's graph, which a macro reads."""


@dataclass(frozen=True, slots=True)
class FingerprintParts:
    """What a fingerprint is made of, in short digests: enough to say what changed, not to decide by.

    `whole` is the fingerprint; `parts` are digests by ingredient ("code", "macro money", "var threshold").
    `rows` and `columns` (by name, lower case) are those of the rows and of each column, empty where readers depend on
    all of it.
    `reads` holds the columns read of each parent, by unique id; None is all of it. `doubt` says in a few words why there
    are no `columns`; `complete` that these are all there are. `text` is the digest of all of it as it is written, whatever
    name it has: by it a renamed node is known. `compiled_from` are the parts of the text as written where the part "code" is
    the compiled text, and macros, variables or other models had an effect on it: it says what changed, and decides nothing.
    """

    whole: str = ""
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    rows: str = ""
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    reads: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict[str, "tuple[str, ...] | None"])
    doubt: str = ""
    complete: bool = False
    text: str = ""
    compiled_from: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Node:
    """A model, seed or snapshot that has a relation of its own. Ephemeral and disabled ones are none.

    `own` is the digest of the node itself, `fingerprint` that of the node and all it is built from.
    `parents` are unique ids of nodes and of sources, declared or found in the compiled SQL;
    `sources` are the public names of relations outside the project that it reads (dbt sources and
    hard-coded ones), `files` the files its SQL opens, `elsewhere` relations of other databases, as written;
    `reads_outside` says that there is any of these, or that its code cannot be looked into;
    `volatile` is what its code asks that no source's version tells: "clock:day", "clock:now", "random";
    `makeup` is what the fingerprint is made of;
    `forward_only` says that a change of an incremental model's code leaves the rows that are there, `never_in_full` that dbt
    is told so (`full_refresh: false`);
    `contract` is `module:Class` of its pandera contract, relative to the project's root, or "";
    `version` is the column of a snapshot that tells apart all versions of all rows, whatever its key is.
    """

    unique_id: str
    kind: NodeKind
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
    never_in_full: bool = False
    unique_key: tuple[str, ...] = ()
    version: str = "dbt_scd_id"
    contract: str = ""
    description: str = ""
    makeup: FingerprintParts = field(default_factory=FingerprintParts)

    @property
    def stays_a_view(self) -> bool:
        """Say whether it may be served as a view: a query over physical addresses, as they were when it was made."""
        return self.kind is NodeKind.VIEW and not self.reads_outside

    @property
    def short(self) -> str:
        """The name that people use: the last part of the unique id (`model.flights.fct_x` is `fct_x`)."""
        return short_name(self.unique_id)


def short_name(unique_id: str) -> str:
    """Return the name that people use of a node: `fct_x` of `model.flights.fct_x`."""
    return ".".join(unique_id.split(".")[2:])


class WithParents(Protocol):
    """A node, as far as what it reads: `parents` are unique ids."""

    @property
    def parents(self) -> Collection[str]: ...


def ancestors(
    nodes: Mapping[str, WithParents], of: Iterable[str], within: Collection[str] | None = None
) -> frozenset[str]:
    """Return the unique ids of all nodes that any of `of` reads, directly or through others; `within`: through these only.

    One of `of` is among them where another of them reads it.
    """
    above: set[str] = set()
    todo = list(of)
    while todo:
        uid = todo.pop()
        for parent in nodes[uid].parents if uid in nodes else ():
            if parent in nodes and parent not in above and (within is None or parent in within):
                above.add(parent)
                todo.append(parent)
    return frozenset(above)


def descendants(nodes: Mapping[str, Node], of: Iterable[str]) -> frozenset[str]:
    """Return the unique ids of all nodes that read any of `of`, directly or not; `of` itself is left out."""
    children: dict[str, list[str]] = {}
    for node in nodes.values():
        for parent in node.parents:
            children.setdefault(parent, []).append(node.unique_id)
    below: set[str] = set()
    todo = list(of)
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in below:
                below.add(child)
                todo.append(child)
    return frozenset(below)
