"""What is asked of dbt in another process, as JSON: one row for each verb of the port, with the shapes of both ways.

What comes back is data of a stranger: it is checked against its shape, and nothing else is taken from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from prefect_sluice.dbt.project import Project, ProjectFacts
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.declarations import CodeText
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.planning.compose import Parts

_Texts = tuple[str, ...]
_Results = tuple[NodeResult, ...]


@dataclass(frozen=True, slots=True)
class Verb:
    """The shapes of what is `given` with a question, in order, and of its `answer`."""

    given: tuple[Any, ...]
    answer: Any


VERBS: Mapping[str, Verb] = {
    "facts": Verb((), ProjectFacts),
    "declared": Verb((), tuple[JsonValue, tuple[CodeText, ...]]),
    "variables_used": Verb((), tuple[dict[str, str], dict[str, str]]),
    "text_keys": Verb((), dict[str, str]),
    "compiled": Verb((_Texts,), dict[str, tuple[str, ...]]),
    "read": Verb((dict[str, JsonValue], str, tuple[Name, ...]), Project),
    "add_parents": Verb((dict[str, tuple[str, ...]],), None),
    "files": Verb((Project, str), Parts),
    "select": Verb((str,), tuple[str, ...]),
    "build": Verb((_Texts, _Texts, _Texts), _Results),
    "build_without_rows": Verb((_Texts, bool), _Results),
    "data_tests": Verb((_Texts,), tuple[DataTest, ...]),
    "run_data_tests": Verb((_Texts,), _Results),
    "run_unit_tests": Verb((_Texts,), _Results),
}


def get_ready() -> None:
    """Make what checks each shape, a tenth of a second long in all. Repeatable."""
    for verb in VERBS.values():
        for shape in (*verb.given, verb.answer):
            _adapter(shape)


def question(verb: str, *given: Any) -> dict[str, Any]:
    """Return what is sent."""
    shapes = VERBS[verb].given
    values = [
        _adapter(shape).dump_python(value, mode="json") for shape, value in zip(shapes, given, strict=True)
    ]
    return {"verb": verb, "given": values}


def given(message: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what `question` was given."""
    shapes = VERBS[message["verb"]].given
    return tuple(
        _adapter(shape).validate_python(value) for shape, value in zip(shapes, message["given"], strict=True)
    )


def answer(verb: str, value: Any) -> Any:
    """Return an answer as it is sent."""
    return _adapter(VERBS[verb].answer).dump_python(value, mode="json")


def answered(verb: str, value: Any) -> Any:
    """Return what was answered. Raises ValueError for what has another shape, in a line."""
    try:
        return _adapter(VERBS[verb].answer).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{verb}: {place}: {first['msg']}" if place else f"{verb}: {first['msg']}") from None


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)
