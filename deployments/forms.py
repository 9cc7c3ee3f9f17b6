"""The form of one Prefect deployment, made from a flow's parameters: which are shown, with which titles and choices."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from prefect_sluice.deployments.catalog import DeploymentRow
from prefect_sluice.planning.choices import FORMER, FormChoices
from prefect_sluice.promotions.control_commands import ALL

TITLES: Mapping[str, str] = {
    "act": "What to do",
    "actor": "Your name",
    "adopt": "Take over what is there",
    "comment": "Comment",
    "decision": "Decision",
    "catch_up": "Refresh its data afterwards",
    "dry_run": "Only say what would go",
    "environment": "Environment",
    "from_generation": "Only if this generation serves",
    "hold": "Hold the environment there",
    "origin": "From",
    "promotion": "Promotion",
    "reason": "Why",
    "ref": "Commit, branch or tag",
    "release": "Release",
    "report": "Report",
    "select": "Only a part (dbt's selector)",
    "to": "Back to",
    "until": "Until",
    "way": "What would be done",
    "why": "Say why of",
}
"""The titles of fields. Prefect shows a parameter's bare name otherwise, whatever its own Field says."""

_CLAIM = "As you type it: it is recorded, and proves nothing."
_READS = "The dashboard. What it reads, directly or not, goes with it."
_BACK_FROM = "The generation that you take to serve now: where another one does, nothing happens. Empty: whatever serves."
_BACK_TO = "A generation of the environment, or what another release served before the one that serves now."


def form(schema: Mapping[str, Any], row: DeploymentRow, choices: FormChoices) -> dict[str, Any]:
    """Return the parameter schema of a Prefect deployment, made from that of its flow. Pure.

    Shown are the row's fields only, in its order. The others are still taken, from schedules and code; any other name is
    refused by the server, which lets unknown names through otherwise, for the run to crash on.
    """
    schema_fields: Mapping[str, Any] = schema.get("properties", {})
    shown = [name for name in row.fields if name in schema_fields]
    hidden = sorted(set(schema_fields) - set(shown))
    properties = {
        name: _field(name, schema_fields[name], row, choices) | {"position": position}
        for position, name in enumerate(shown)
    }
    rules = _rules(properties, choices)
    required = [name for name in shown if name in {*row.required, *schema.get("required", ())}]
    return {
        **deepcopy({key: value for key, value in schema.items() if key not in {"properties", "required"}}),
        "properties": properties,
        "required": required,
        **({"allOf": rules} if rules else {}),
        # Not `additionalProperties`, which would refuse what has no field.
        "propertyNames": {"enum": [*shown, *hidden]},
    }


def _rules(properties: Mapping[str, Any], choices: FormChoices) -> list[dict[str, Any]]:
    """Return what is checked of several fields together: a generation is one of the environment that was chosen. So a wrong
    choice is told beside its field, and starts no run."""
    if "to" not in properties or "environment" not in properties:
        return []

    def of(environment: str) -> list[str]:
        return [FORMER, *(line for line in choices.generations if line.startswith(f"{environment} "))]

    return [
        {
            "if": {"properties": {"environment": {"const": name}}, "required": ["environment"]},
            "then": {"properties": {"to": {"enum": of(name)}}},
        }
        for name in choices.environments
    ]


def _field(name: str, given: Mapping[str, Any], row: DeploymentRow, choices: FormChoices) -> dict[str, Any]:
    field = {**deepcopy(dict(given)), "title": TITLES.get(name, name.replace("_", " ").capitalize())}
    if name in row.required:
        field.pop("default", None)
        if field.get("type") == "string":
            field["pattern"] = field.get("pattern", r"\S")
    match name:
        case "actor":
            field["description"] = _CLAIM
            if choices.actor and row.name != "answer":  # a yes or no is whose name was typed
                field["default"] = choices.actor
        case "environment" if choices.environments:
            chosen = usual(row, choices)
            every = (ALL,) if row.name == "controls" else ()
            field |= _offered((*choices.environments, *every), chosen)
            if chosen:  # it is filled in: nobody needs to know what leaving it empty would mean
                field["description"] = (
                    f"{str(field.get('description', '')).partition('; empty')[0].rstrip('.')}."
                )
        case "origin" if choices.environments:
            # Not filled in, it is the environment before the other.
            field = {key: value for key, value in field.items() if key != "default"} | {
                "enum": list(choices.environments)
            }
        case "to":
            field |= {
                **_offered((FORMER, *choices.generations), FORMER),
                "description": f"{_BACK_TO}{_list_date_text(choices)}",
            }
        case "from_generation":
            # A plain number: for "a number or nothing" Prefect's form asks for the type first.
            field = {key: value for key, value in field.items() if key not in {"anyOf", "default"}}
            field |= {"type": "integer", "minimum": 1, "description": _BACK_FROM}
        case "report" if choices.reports:
            field |= {"enum": list(choices.reports), "description": f"{_READS}{_list_date_text(choices)}"}
            if name not in row.required:  # "" is none of them
                field.pop("default", None)
        case _:
            pass
    return field


def _list_date_text(choices: FormChoices) -> str:
    """Return when a list was made: where `sluice up` does not run, nothing renews it."""
    return f" The list is of {choices.at:%Y-%m-%d %H:%M} UTC." if choices.at else ""


def _offered(values: tuple[str, ...], default: str) -> dict[str, Any]:
    return {"enum": list(values), **({"default": default} if default else {})}


def usual(row: DeploymentRow, choices: FormChoices) -> str:
    """Return the environment that is filled in: for a release the project's default, for a collection none, which is all."""
    match row.name:
        case "release" | "check":
            return choices.default
        case "collect" | "monitor":
            return ""
        case _:
            return choices.last
