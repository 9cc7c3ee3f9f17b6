"""A flow's parameters as a form: titles, drop-downs, what must be filled in, what is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect.utilities.schema_tools import ValidationError, validate

from prefect_sluice.deployments.applying import schema_of
from prefect_sluice.deployments.catalog import ROWS, DeploymentRow
from prefect_sluice.deployments.form_refusals import FormWording, in_words
from prefect_sluice.deployments.forms import form
from prefect_sluice.planning.choices import FORMER, FormChoices
from prefect_sluice.promotions.control_commands import ALL

LINE = "prod 7 - a1b2c3d Add discounts, 2026-11-23 04:00 UTC"
CHOICES = FormChoices(("dev", "prod"), "dev", (LINE,), ("Delays (dashboard), Ops [delays]",))
BY_NAME = {row.name: row for row in ROWS}


def made(name: str, choices: FormChoices = CHOICES) -> dict[str, Any]:
    """Return the form of a Prefect deployment."""
    return form(schema_of(BY_NAME[name]), BY_NAME[name], choices)


def refused(name: str, parameters: dict[str, Any]) -> str:
    """Return what the server says of parameters, "" when it takes them."""
    given = {**BY_NAME[name].parameters, "folder": "/srv/shop", **parameters}
    try:
        validate(given, made(name), raise_on_error=True)
    except ValidationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_field_has_a_title_a_help_text_and_its_place(row: DeploymentRow) -> None:
    found = made(row.name)
    assert list(found["properties"]) == list(row.fields)
    for position, (name, field) in enumerate(found["properties"].items()):
        assert field["title"] != name
        assert field["title"][0].isupper()
        assert field["description"]
        assert field["position"] == position


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_nobody_is_asked_where_the_project_is(row: DeploymentRow) -> None:
    never = {"folder", "wait_seconds", "dirty", *(() if row.name == "plan" else ("adopt",))}
    assert never & set(made(row.name)["properties"]) == set()


def test_drop_downs_hold_what_the_project_has() -> None:
    rollback = made("rollback")["properties"]
    assert rollback["to"]["enum"] == [FORMER, LINE]
    assert rollback["to"]["default"] == FORMER
    assert (rollback["environment"]["enum"], rollback["environment"]["default"]) == (["dev", "prod"], "prod")
    assert rollback["environment"]["description"] == "What to roll back."
    assert made("release")["properties"]["environment"]["default"] == "dev"
    for name in ("promote", "plan"):
        fields = made(name)["properties"]
        assert fields["report"]["enum"] == ["Delays (dashboard), Ops [delays]"]
        assert not {"default"} & {*fields["origin"], *fields["report"]}
    assert "default" in made("collect")["properties"]["environment"]


def test_a_project_of_which_nothing_is_known_yet_has_a_form_all_the_same() -> None:
    found = made("rollback", FormChoices())["properties"]
    assert "enum" not in found["environment"]
    assert found["to"]["enum"] == [FORMER]


def test_who_alone_reaches_the_forms_need_not_say_who_it_is() -> None:
    """But for a yes or no; and a list says when it was made."""
    at = datetime(2026, 11, 23, 4, 5, tzinfo=UTC)
    alone = replace(CHOICES, actor="Ada", at=at)
    assert made("rollback", alone)["properties"]["actor"]["default"] == "Ada"
    assert "default" not in made("answer", alone)["properties"]["actor"]
    assert made("rollback", alone)["properties"]["to"]["description"].endswith(
        " The list is of 2026-11-23 04:05 UTC."
    )


def test_a_refusal_has_the_words_of_the_form() -> None:
    said = '{"errors":[{"property":"reason","errors":["\'reason\' is a required property"]}],"valid":false}'

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(said)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": said.encode()[:20], "more_body": True})
        await send({"type": "http.response.body", "body": said.encode()[20:]})

    def answer(path: str) -> tuple[str, str]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": path}
        asyncio.run(FormWording(app)(scope, lambda: None, send))  # pyright: ignore[reportArgumentType]
        body = b"".join(item["body"] for item in sent[1:])
        return body.decode(), dict(sent[0]["headers"])[b"content-length"].decode()

    told = '{"errors":[{"property":"reason","errors":["Why is missing"]}],"valid":false}'
    assert answer("/api/ui/schemas/validate") == (told, str(len(told)))
    assert answer("/api/flow_runs/filter")[0] == said
    assert (
        in_words("'name' is a required property, 'other' is a required property")
        == "Your name is missing, other is missing"
    )


def test_reports_are_chosen_from_the_exposures() -> None:
    row = DeploymentRow("promote-report", "promote_report", "**For analysts.**", ("sluice",), ("report",))
    schema = {"type": "object", "properties": {"report": {"type": "string"}, "folder": {"type": "string"}}}
    assert form(schema, row, CHOICES)["properties"]["report"]["enum"] == ["Delays (dashboard), Ops [delays]"]


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("release", {}, ""),
        ("release", {"environment": "prod", "ref": "main", "actor": "Ada"}, ""),
        ("release", {"environment": "prod", "ref": "main", "dirty": False}, ""),
        ("release", {"environment": "production"}, "'production' is not one of ['dev', 'prod']"),
        ("release", {"ref": " "}, "does not match"),
        ("release", {"enviroment": "prod"}, "'enviroment' is not one of ['environment', 'ref',"),
        ("promote", {"environment": "prod"}, "'actor' is a required property"),
        ("promote", {"environment": "prod", "actor": "Ada", "release": "main"}, "does not match"),
        ("rollback", {"environment": "prod", "reason": "sums are off", "actor": "Ada", "to": LINE}, ""),
        ("rollback", {"environment": "prod", "reason": "sums are off", "actor": "Ada", "to": "9"}, "is not one of"),
        ("rollback", {"environment": "prod", "reason": "", "actor": "Ada"}, "does not match"),
        ("rollback", {"environment": "prod", "reason": "x", "actor": "Ada", "hold": "no"}, "not of type 'boolean'"),
        ("rollback", {"environment": "prod", "reason": "x", "actor": "Ada", "from_generation": 7}, ""),
        ("rollback", {"environment": "prod", "reason": "x", "actor": "Ada", "from_generation": None}, ""),
        ("rollback", {"environment": "prod", "reason": "x", "actor": "Ada", "from_generation": 0}, "less than the minimum"),
        ("rollback", {"environment": "dev", "reason": "x", "actor": "Ada", "to": LINE}, f"{LINE!r} is not one of"),
        ("rollback", {"environment": "dev", "reason": "x", "actor": "Ada", "to": FORMER}, ""),
        ("collect", {"dry_run": True, "actor": "schedule"}, ""),
        ("controls", {"act": "freeze", "environment": ALL, "reason": "x", "actor": "Olga", "until": "2d"}, ""),
        ("controls", {"act": "thaw", "environment": "prod", "reason": "x", "actor": "Olga"}, "'thaw' is not one of"),
        ("answer", {"decision": "approve", "actor": "Grace"}, ""),
        ("answer", {"actor": "Grace"}, "'decision' is a required property"),
        ("promote", {"environment": "prod", "actor": "Ada", "report": "Delays (dashboard), Ops [delays]"}, ""),
        ("promote", {"environment": "prod", "actor": "Ada", "report": "delays"}, "'delays' is not one of"),
        ("plan", {"way": "promote", "environment": "prod"}, ""),
        ("plan", {"way": "promote", "environment": "prod", "origin": "dev"}, ""),
        ("plan", {"way": "promote", "environment": "prod", "origin": "production"}, "'production' is not one of"),
        ("plan", {"environment": "prod", "adopt": True, "why": "orders customers"}, ""),
        ("plan", {"environment": "prod", "adopt": "yes"}, "not of type 'boolean'"),
    ],
)  # fmt: skip
def test_bad_values_are_refused_before_a_run_is_made(
    name: str, parameters: dict[str, Any], said: str
) -> None:
    found = refused(name, parameters)
    assert said in found
    assert bool(said) == bool(found)
