"""Values of any type of the report's model, made from its annotations: a field that is new there is filled by itself.

Each text is another one, and can be told from all others: `text-17`. `with_texts` puts something else in their place.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.verdict import Evidence
from prefect_sluice.reporting.report.model import Lineage
from tests.reporting.reported import NOW

TOKEN = re.compile(r"text-\d+;")
_FORWARD = {"Sequence": Sequence, "Mapping": Mapping}


class Maker:
    """Makes values. With seed 0 nothing is left out: no None, no empty tuple."""

    def __init__(self, seed: int) -> None:
        self.texts = 0
        self._full = seed == 0
        self._chance = random.Random(seed)

    def make(self, kind: Any) -> Any:
        """Return a value of a type, whatever annotation says which."""
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in {Union, UnionType}:
            rest = [each for each in arguments if each is not NoneType]
            none = NoneType in arguments and not self._full and self._chance.random() < 0.3
            return None if none else self.make(rest[0])
        if origin is Literal:
            return self._chance.choice(arguments)
        if dataclasses.is_dataclass(origin):  # a generic one
            return self._made(origin, dict(zip(cast(Any, origin).__parameters__, arguments, strict=True)))
        if origin is tuple and arguments[-1:] != (...,):
            return tuple(self.make(each) for each in arguments)
        if origin in {tuple, frozenset}:
            return cast(Any, origin)(self.make(arguments[0]) for _ in range(self._many()))
        if origin is Callable:  # an address that is looked up
            return dict.fromkeys(("promotion",), self.text()).get
        if origin is not None and issubclass(origin, Mapping):
            return {self.make(arguments[0]): self.make(arguments[1]) for _ in range(self._many())}
        return self._plain(kind)

    def _plain(self, kind: Any) -> Any:
        if dataclasses.is_dataclass(kind):
            return self._made(kind, {})
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self._chance.choice(list(kind))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind()  # a policy, of which the page shows the points that were made of it
        makers: dict[Any, Callable[[], Any]] = {
            str: self.text,
            bool: lambda: self._chance.random() < 0.5,
            int: lambda: self._chance.randint(1, 4),
            float: lambda: self._chance.choice((0.0, 0.25, 1.5)),
            datetime: lambda: NOW,
            timedelta: lambda: timedelta(minutes=3),
        }
        return makers[kind]()

    def _made(self, kind: Any, bound: Mapping[Any, Any]) -> Any:
        hints = {name: bound.get(hint, hint) for name, hint in get_type_hints(kind, localns=_FORWARD).items()}
        if kind == LedgerEntry:
            hints["facts"] = Mapping[str, str]  # JSON of any depth, of which the page shows nothing
        fields = [each.name for each in dataclasses.fields(kind) if each.init]
        return _consistent(kind(**{name: self.make(hints[name]) for name in fields}), self._chance)

    def text(self) -> str:
        """Return a text that was not there before."""
        self.texts += 1
        return f"text-{self.texts};"

    def _many(self) -> int:
        return self._chance.randint(1 if self._full else 0, 2)


def _consistent(made: Any, chance: random.Random) -> Any:
    """Return the value with what its fields owe each other: edges between nodes that are there, rows as wide as their table."""
    if isinstance(made, Lineage):
        ids = [dot.id for dot in made.dots]
        return dataclasses.replace(made, edges=tuple((a, b) for a in ids for b in ids if a != b)[:2])
    if isinstance(made, Evidence):
        values = [value for row in made.rows for value in row] or [None]
        head = [*made.columns, *made.title.split()]
        columns = (head[0], *chance.choice((("column", "before", "after"), ("share", "before", "after"))))
        rows = tuple(tuple(values[(n + at) % len(values)] for n in range(4)) for at in range(3))
        bars = chance.choice(((), ("share",), made.bars))
        return dataclasses.replace(made, columns=columns, rows=rows, bars=bars)
    return made


def with_texts(value: Any, put: Callable[[str], str]) -> Any:
    """Return the value with `put(text)` in place of each text that was made."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return TOKEN.sub(lambda found: put(found[0]), value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            each.name: with_texts(getattr(value, each.name), put)
            for each in dataclasses.fields(value)
            if each.init
        }
        return type(value)(**fields)
    if isinstance(value, Mapping):
        known = cast(Mapping[Any, Any], value)
        return {with_texts(key, put): with_texts(each, put) for key, each in known.items()}
    if isinstance(value, tuple | frozenset):
        return type(value)(with_texts(each, put) for each in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value
