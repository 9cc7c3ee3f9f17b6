"""Dataclasses as JSON documents, written and read by their types. Golden files pin how each kind is spelled."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from prefect_sluice.domain.digests import Json

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

_Value = TypeVar("_Value")


def document(value: object, *, without_defaults: bool = False) -> dict[str, Json]:
    """Return a dataclass as JSON, its fields by name; `without_defaults`: only those that are not as they are by default."""
    kind: type[Any] = type(value)
    return _adapter(kind).dump_python(value, mode="json", exclude_defaults=without_defaults)


def read(kind: type[_Value], document: Json) -> _Value:
    """Return the value that `document` wrote. A field that is not there has its default, a key that is no field is left out.

    Raises ValueError for a document of something else.
    """
    return _adapter(kind).validate_python(document)


def first_fault(error: ValidationError) -> str:
    """Return the first thing that is wrong with a document, and where, without the document's own text."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else fault["msg"]


@cache
def _adapter(kind: type[_Value]) -> TypeAdapter[_Value]:
    from pydantic import TypeAdapter  # made when it is first needed: some milliseconds for each kind

    return TypeAdapter(kind)
