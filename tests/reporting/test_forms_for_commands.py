"""What is said in Prefect names the form in place of the command, filled in as the command says; no command is forgotten."""

from __future__ import annotations

import ast
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import prefect_sluice
from prefect_sluice.cli import COMMANDS
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import BadInput, BundleDamaged, LeaseHeld, Refused, SluiceError
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.reporting.forms_for_commands import Web, in_markdown, in_words, step_in_words

UI = "http://127.0.0.1:4200/v2"
NAMES = (
    "release",
    "nightly-refresh",
    "promote",
    "rollback",
    "answer",
    "controls",
    "plan",
    "collect",
    "check",
)
WEB = Web(
    {name: (f"{UI}/{name}", {"folder": "/srv/shop"}) for name in NAMES},
    "http://127.0.0.1:4201/",
    lambda promotion: f"http://127.0.0.1:4201/{promotion}.html" if promotion == "c389c9ddc5" else "",
)
NOT_ON_THE_WEB = frozenset(
    {
        "coverage",
        "diff",
        "doctor",
        "init",
        "lineage",
        "lint",
        "backup",
        "restore",
        "export",
        "import",
        "leave",
        "up",
        "logs",
        "open",
        "demo",
    }
)
"""Commands that messages name and no form does: they are of the project's folder, or of the machine."""


def filled(url: str) -> dict[str, Json]:
    """Return what a link fills in, beside what the form is opened with anyhow."""
    [told] = parse_qs(urlsplit(url).query, strict_parsing=True)["parameters"]
    return {key: value for key, value in json.loads(told).items() if key != "folder"}


@pytest.mark.parametrize(
    ("text", "form", "fields"),
    [
        (
            "it is held; sluice unhold prod --reason WHY",
            "controls",
            {"act": "lift the hold", "environment": "prod"},
        ),
        (
            "lift it: sluice unfreeze --all --reason WHY",
            "controls",
            {"act": "lift the freeze", "environment": "every environment"},
        ),
        ("(sluice unblock 9f8e7d6)", "controls", {"act": "lift the block", "release": "9f8e7d6"}),
        (
            "wrong? sluice rollback --env prod --from 3",
            "rollback",
            {"environment": "prod", "from_generation": 3},
        ),
        (
            "next: sluice promote a1b2c3d --to prod --select 'a b', or",
            "promote",
            {"release": "a1b2c3d", "environment": "prod", "select": "a b"},
        ),
        (
            "release it there: sluice release a1b2c3d --env dev.",
            "release",
            {"ref": "a1b2c3d", "environment": "dev"},
        ),
        ("then: sluice refresh --env prod", "nightly-refresh", {"environment": "prod"}),
        ("say it: sluice approve c389c9ddc5", "answer", {"promotion": "c389c9ddc5", "decision": "approve"}),
        (
            'sluice reject c389c9ddc5 --comment "why"',
            "answer",
            {"promotion": "c389c9ddc5", "decision": "reject"},
        ),
        ("left to `sluice collect`: why", "collect", {}),
        ("sluice plan --why orders --env prod", "plan", {"why": "orders", "environment": "prod"}),
    ],
)
def test_a_command_is_told_as_its_form(text: str, form: str, fields: dict[str, Json]) -> None:
    told = in_words(text, WEB)
    assert "sluice" not in told
    found = re.search(rf"form {form}, (http\S+?)[).,;:]*(?=\s|$)", told)
    assert found is not None, told
    assert filled(found[1]) == fields
    assert in_words(text, Web()) == text, "where there are no forms, the command helps"


@pytest.mark.parametrize(
    "text",
    ["take them over: sluice release --adopt --env prod", "see what is wrong: sluice doctor",
     "sluice promote --to prod --report sales",
     "back: sluice rollback --env prod --to 3", "the schema sluice keeps it", "/srv/sluice release"],
)  # fmt: skip
def test_what_no_form_does_stays_a_command(text: str) -> None:
    assert in_words(text, WEB) == text


def test_pages_are_named_where_they_are_served() -> None:
    told = in_words("run the command again, or look: sluice status; look (sluice show c389c9ddc5)", WEB)
    assert told == (
        "run it again, or look: what serves and waits, http://127.0.0.1:4201/; "
        "look (its report, http://127.0.0.1:4201/c389c9ddc5.html)"
    )
    assert in_words("look (sluice show 0000000000)", WEB) == "look (sluice show 0000000000)"


def test_an_artifact_leads_to_the_form_and_other_code_stays() -> None:
    back, sql = "```console\nsluice rollback --env prod --from 3\n```", "```sql\n-- sluice refresh\n```"
    text = f"Wrong?\n\n{back}\n\n{sql}\nor `sluice refresh`\n"
    told = in_markdown(text, WEB)
    assert "\n[form rollback](http" in told
    assert "```console" not in told
    assert f"{sql}\nor [form nightly-refresh](http" in told
    assert in_markdown(text, Web()) == text


def commands_named() -> Iterator[tuple[str, str]]:
    """Yield the module and the command that each text of the product names, but for those of the command line itself."""
    root = Path(prefect_sluice.__file__).parent
    flows = (root.parent / "flows", root.parent / "tasks")
    for path in sorted(file for folder in (root, *flows) for file in folder.rglob("*.py")):
        if "cli" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Command.of":
                verb = node.args[0]
                assert isinstance(verb, ast.Constant | ast.JoinedStr), (
                    f"{path.name}: name the command in its place"
                )
                if isinstance(verb, ast.Constant):
                    yield path.name, str(verb.value)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for verb in re.findall(r"(?<![\w/.-])sluice ([a-z]+)", node.value):
                    yield path.name, verb


def test_every_command_that_a_message_names_has_a_form_or_is_known_to_have_none() -> None:
    known = {name.partition(" ")[0] for name in COMMANDS}
    named = {verb for _, verb in commands_named() if verb in known}
    assert named >= {"release", "unhold", "approve"} - {"unhold"}
    untold = {verb for verb in named if in_words(f": sluice {verb} c389c9ddc5", WEB).startswith(": sluice")}
    assert untold <= NOT_ON_THE_WEB


STEPS = (
    (NextStep.of("lift it: ", Command.of("unhold", "prod", "--reason", "WHY")), "controls"),
    (NextStep.of("lift it: ", Command.of("unfreeze", "--all", "--reason", "WHY")), "controls"),
    (NextStep.of("back: ", Command.of("rollback", "--env", "prod", "--from", "3")), "rollback"),
    (NextStep.of("on: ", Command.of("promote", "a1b2c3d", "--to", "prod", "--select", "a b")), "promote"),
    (NextStep.of("say it (", Command.of("approve", "c389c9ddc5"), ")"), "answer"),
)


@pytest.mark.parametrize(("step", "form"), STEPS)
def test_a_step_leads_where_its_sentence_led(step: NextStep, form: str) -> None:
    assert f"form {form}, http" in step_in_words(step, WEB)
    assert step_in_words(step, WEB) == in_words(str(step), WEB)
    assert step_in_words(step, Web()) == str(step)


def test_a_step_without_a_form_stays_a_command_and_none_is_looked_for_in_it() -> None:
    there = NextStep.of("back: ", Command.of("rollback", "--env", "prod", "--to", "3"))
    assert step_in_words(there, WEB) == "back: sluice rollback --env prod --to 3"
    odd = Command.of("promote", "--to", "prod", "--select", "sluice status")
    told = step_in_words(NextStep.of(odd), WEB)
    assert filled(told.partition(", ")[2])["select"] == "sluice status"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Refused("no", step=NextStep.of("see: ", Command.of("status"))), "no; see: sluice status"),
        (BadInput("no", "a.yml", step=NextStep.of(Command.of("history"))), "a.yml: no; sluice history"),
        (LeaseHeld("prod", "ada@host pid 1", "now"), "(--wait 10m) or look: sluice status"),
        (BundleDamaged("ab" * 32, "x"), "release the commit again: sluice release"),
    ],
)
def test_an_error_has_its_step_as_a_value_and_its_line_is_what_it_was(error: SluiceError, text: str) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert str(error).endswith(text)
    assert str(again) == str(error)
    assert again.next_step == error.next_step is not None
    assert str(error.next_step) == error.way_out
