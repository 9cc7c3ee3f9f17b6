"""sluice.yml: what may stand there, and what somebody is told whose file is wrong."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from prefect_sluice.config import Config, EnvironmentPolicy, find, load
from prefect_sluice.config.base import parse_duration
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.gates.catalog import json_schema, write_schema


def written(folder: Path, text: str) -> Path:
    path = folder / "sluice.yml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}"])
def test_every_key_has_a_default(tmp_path: Path, text: str) -> None:
    found = load(written(tmp_path, text))
    assert found == Config()
    assert (found.project, found.profiles, found.state, found.bundles) == (
        ".",
        None,
        ".sluice/state.db",
        ".sluice/bundles",
    )
    assert (found.environments, found.gates, found.vars, found.default_environment) == ({}, {}, {}, None)
    assert (found.source.include, found.warehouse.store) == ((), "sluice_store")
    assert found.warehouse.patience == timedelta(seconds=5)
    environment = EnvironmentPolicy()
    assert (environment.target, environment.approvals, environment.refresh_approvals) == (None, None, 0)
    assert environment.approval_expires == timedelta(hours=72)


WHOLE = """
project: analytics
profiles: profiles
state: postgresql+psycopg://localhost/sluice
bundles: s3://bucket/bundles
default_environment: dev
environments:
  dev:
  staging: {target: stage}
  prod: {target: live, approvals: 1, refresh_approvals: 0, approval_expires: 7d}
gates:
  lint: {on: warn, processes: 2}
  project_tests: {on: off}
  diff:
vars: {start: 2026-01-01, deep: {list: [1, x]}, flag: true, nothing: null}
source: {include: [data, seeds/big.csv]}
warehouse: {store: shelf, patience: 90s}
"""


def test_the_whole_file(tmp_path: Path) -> None:
    found = load(written(tmp_path, WHOLE))
    assert list(found.environments) == ["dev", "staging", "prod"]
    assert found.environments["dev"] == EnvironmentPolicy()
    assert found.environments["prod"].approval_expires == timedelta(days=7)
    assert {name: gate.on for name, gate in found.gates.items()} == {
        "lint": "warn",
        "project_tests": "off",
        "diff": "block",
    }
    assert found.gates["lint"].model_extra == {"processes": 2}
    assert found.vars["flag"] is True
    assert found.vars["start"] == "2026-01-01", "a text, which dbt renders as it is"
    assert found.vars["nothing"] is None
    assert found.source.include == ("data", "seeds/big.csv")
    assert found.warehouse.patience == timedelta(seconds=90)


@pytest.mark.parametrize(
    "key", ["environments", "gates", "vars", "source", "warehouse", "project", "profiles"]
)
def test_a_key_with_nothing_behind_it_is_at_its_default(tmp_path: Path, key: str) -> None:
    assert load(written(tmp_path, f"{key}:\n")) == Config()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("1", 1),
        ("'true'", "true"),
        ("falsework", "falsework"),
        ("true_north", "true_north"),
    ],
)
def test_on_and_off_are_words(tmp_path: Path, text: str, value: object) -> None:
    """YAML 1.1 makes booleans of them: `on: warn` would be a key `True`."""
    assert load(written(tmp_path, f"vars: {{x: {text}}}")).vars == {"x": value}


ERRORS = [
    ("aproject: .", "sluice.yml: aproject: unknown key; did you mean 'project'?; see docs/configuration.md"),
    ("environments: {prod: {aprovals: 1}}", "environments.prod.aprovals: unknown key; did you mean 'approvals'?"),
    ("warehouse: {patiance: 5s}", "warehouse.patiance: unknown key; did you mean 'patience'?"),
    ("source: {includes: [x]}", "source.includes: unknown key; did you mean 'include'?"),
    ("environments: {prod: {approvals: 2}}", "environments.prod.approvals: must be at most 1"),
    ("environments: {prod: {approvals: -1}}", "environments.prod.approvals: must be at least 0"),
    ("environments: {prod: {approval_expires: soon}}", "'soon' is not a duration: write it as 90s, 10m, 72h or 7d"),
    ("environments: {prod: {approval_expires: 72}}", "72 is not a duration: write it as 90s, 10m, 72h or 7d"),
    ("environments: {prod: {approval_expires: 99999999999d}}", "'99999999999d' is too long for a duration"),
    ("environments: [dev, prod]", "environments: must hold keys"),
    ("environments: {prod: 1}", "environments.prod: must hold keys: approval"),
    ("gates: {lint: {on: maybe}}", "gates.lint.on: must be 'block', 'warn' or 'off'"),
    ("warehouse: {store: 'my store'}", "warehouse.store: must match "),
    ("source: {include: data}", "source.include: must be a list"),
    ("schedules: {refresh: daily}", "schedules.refresh: must hold keys: cron, timezone, environment"),
    ("1: x", "1: must be text"),
    ("- a\n- b\n", "must hold keys, such as `project: .`"),
    ("just words", "must hold keys"),
    ("a: [1\n", "sluice.yml, line 2: is not YAML:"),
    ("project: a\nproject: b\n", "sluice.yml, line 2: is not YAML: 'project' stands there twice; mend that line"),
    ("environments: {prod: {}, prod: {}}", "line 1: is not YAML: 'prod' stands there twice"),
    ("project: !!python/object:os.system x", "is not YAML:"),
    ("gates:\n  ? [a]\n  : b\n", "sluice.yml, line 2: is not YAML: found unhashable key; mend that line"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), ERRORS, ids=[text for text, _ in ERRORS])
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigInvalid) as caught:
        load(path)
    message = str(caught.value)
    assert told in message
    assert message.startswith(str(path))
    assert "\n" not in message
    assert caught.value.fix
    assert caught.value.exit_code == 2


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "sluice.yml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigInvalid, match=r"sluice\.yml: cannot be read \(UnicodeDecodeError\)"):
        load(path)
    with pytest.raises(ConfigInvalid, match=r"cannot be read \(FileNotFoundError\)"):
        load(tmp_path / "none.yml")


def test_anchors_and_merges_are_yaml_too(tmp_path: Path) -> None:
    text = "vars:\n  a: &a {x: 1}\n  b:\n    <<: *a\n    y: 2\n"
    assert load(written(tmp_path, text)).vars == {"a": {"x": 1}, "b": {"x": 1, "y": 2}}


def test_the_nearest_file_is_found(tmp_path: Path) -> None:
    deep = tmp_path / "repo" / "models" / "staging"
    deep.mkdir(parents=True)
    (tmp_path / "repo" / "sluice.yml").touch()
    assert find(deep) == tmp_path / "repo" / "sluice.yml"
    (deep / "sluice.yml").mkdir()
    assert find(deep) == tmp_path / "repo" / "sluice.yml", "a folder of that name is none"
    with pytest.raises(
        ConfigInvalid, match=r"no sluice\.yml here or in any folder above; make one: sluice init"
    ):
        find(tmp_path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("72h", 259_200), ("7d", 604_800), (" 3 d ", 259_200), ("0s", 0)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert parse_duration(timedelta(seconds=seconds)) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1.5h", "7 days", "1h30m", None, 7, True])
def test_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_what_is_written_out_can_be_read_again(tmp_path: Path) -> None:
    found = load(written(tmp_path, WHOLE))
    again = written(tmp_path, yaml.safe_dump(found.model_dump(mode="json")))
    assert load(again) == found


def test_the_schema_describes_every_key(tmp_path: Path) -> None:
    write_schema(tmp_path / "schema.json")
    text = (tmp_path / "schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    assert schema == json_schema()
    sections = [schema, *schema["$defs"].values()]
    sections += schema["properties"]["gates"]["properties"].values()
    keys = [(key, value) for section in sections for key, value in section["properties"].items()]
    assert [key for key, value in keys if not (value.get("description") or value.get("$ref"))] == []
    assert all(section.get("description") for section in sections)


def test_the_schema_accepts_what_the_code_accepts(tmp_path: Path) -> None:
    import jsonschema  # pyright: ignore[reportMissingTypeStubs, reportMissingModuleSource]  # it has none

    whole = yaml.load(WHOLE, Loader=yaml.BaseLoader)
    del whole["environments"]["dev"], whole["gates"]["diff"]
    whole["gates"]["lint"] = {"on": "warn"}
    whole["environments"]["prod"] = {"approvals": 1, "approval_expires": "7d"}
    jsonschema.validate(whole, json_schema())  # pyright: ignore[reportUnknownMemberType]  # it has no types
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"aproject": "."}, json_schema())  # pyright: ignore[reportUnknownMemberType]  # it has no types


def test_schedules_have_defaults_and_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / "sluice.yml").write_text(
        "schedules: {refresh: off, monitor: {every: 5m}, release: {every: 30s, branch: next}}\n",
        encoding="utf-8",
    )
    found = load(tmp_path / "sluice.yml").schedules
    assert found.refresh is None
    assert found.monitor is not None
    assert found.monitor.every == timedelta(minutes=5)
    assert found.release is not None
    assert (found.release.branch, found.release.environment) == ("next", "")
    assert found.collect is not None
    assert (found.collect.cron, found.collect.timezone) == ("0 5 * * 0", "UTC")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("refresh: {cron: nightly}", "'nightly' is no cron line"),
        ("refresh: {cron: 0 4 * * *, timezone: Berlin}", "'Berlin' is no time zone"),
        ("monitor: {every: 5m, evironment: dev}", "unknown key; did you mean 'environment'?"),
        ("release: {every: 60s, brach: x}", "unknown key; did you mean 'branch'?"),
    ],
)
def test_a_schedule_that_cannot_be_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "sluice.yml").write_text(f"schedules: {{{text}}}\n", encoding="utf-8")
    with pytest.raises(ConfigInvalid, match=re.escape(told)):
        load(tmp_path / "sluice.yml")
