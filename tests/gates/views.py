"""Subjects of gates that differ in single fields of their views."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from prefect_sluice.gates.base import VIEWS, Subject


def but(subject: Subject, **given: object) -> Subject:
    """Return the subject with these fields of its views replaced, each in the view that has it."""
    views: dict[str, Any] = {name: getattr(subject, name) for name in VIEWS}
    homes = {field.name: name for name, view in VIEWS.items() for field in fields(view)}  # pyright: ignore[reportArgumentType]
    for name, value in given.items():
        views[homes[name]] = replace(views[homes[name]], **{name: value})
    return Subject(**views)
