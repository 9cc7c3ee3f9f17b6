"""Taking over what stood under the public names before the first release: what it is, and the pointers it serves by. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, NodeKind

_PRINT = "adopted:"


@dataclass(frozen=True, slots=True)
class Adopted:
    """A relation that stands under a public name and is not Sluice's yet, and the physical address that it moves to.

    `is_view` says what it is now. `sql` is the query of the view that it becomes, "" where it becomes a table;
    `content` the digest of its columns and rows, or of a view's text, which must still be so when it moves;
    `loses` what is not moved along (indexes, keys), in words.
    """

    name: Name
    address: Name
    is_view: bool
    content: str
    sql: str = ""
    loses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdoptionTarget:
    """The node that an adopted relation becomes the history of."""

    node: str
    kind: NodeKind


def is_adopted(pointer: Pointer) -> bool:
    """Say whether a pointer leads to what was adopted: nobody knows which code built it."""
    return pointer.fingerprint.startswith(_PRINT)


def carries(pointer: Pointer, kind: NodeKind) -> bool:
    """Say whether a node of this kind goes on from what was adopted, as a plain run would have: its history is in there."""
    return kind.keeps_history and pointer.kind is kind


def before_moving(
    live: Generation, items: Iterable[Adopted], takers: Mapping[Name, AdoptionTarget]
) -> Generation:
    """Return the environment as it is until the first publish: pointers to the public names themselves.

    `takers` are the project's nodes by their names in lower case.
    """
    moving = tuple(replace(adopted, address=adopted.name) for adopted in items)
    return replace(live, pointers=pointers(moving, takers)) if moving else live


def zero(
    environment: Generation, items: Iterable[Adopted], takers: Mapping[Name, AdoptionTarget]
) -> Generation:
    """Return generation 0 of the environment whose first generation is given: what stood there, at its new addresses."""
    return replace(
        environment,
        number=0,
        release="",
        promotion="",
        cause=Cause.ADOPTION,
        origin=0,
        pointers=pointers(items, takers),
        head=None,
    )


def pointers(items: Iterable[Adopted], takers: Mapping[Name, AdoptionTarget]) -> tuple[Pointer, ...]:
    """Return a pointer for each relation, under the node that has its name now."""
    return tuple(_pointer(adopted, takers[adopted.name.folded]) for adopted in items)


def _pointer(adopted: Adopted, taker: AdoptionTarget) -> Pointer:
    kind = NodeKind.VIEW if adopted.is_view else NodeKind.TABLE if taker.kind is NodeKind.VIEW else taker.kind
    return Pointer(
        adopted.name, adopted.address, taker.node, kind, f"{_PRINT}{adopted.content}", adopted.content
    )


def document(items: Iterable[Adopted]) -> Json:
    """Return the relations as JSON; the plan holds it, so that an approval is of it."""
    return [
        {
            "name": str(adopted.name),
            "address": str(adopted.address),
            "is_view": adopted.is_view,
            "content": adopted.content,
            "sql": adopted.sql,
            "loses": list(adopted.loses),
        }
        for adopted in items
    ]


def read(written: Json) -> tuple[Adopted, ...]:
    """Read what `document` wrote."""
    return tuple(
        Adopted(
            Name.parse(entry["name"]),
            Name.parse(entry["address"]),
            entry["is_view"],
            entry["content"],
            entry["sql"],
            tuple(entry["loses"]),
        )
        for entry in cast(list[dict[str, Any]], written)
    )
