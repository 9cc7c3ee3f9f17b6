"""The dbt profile: where it is looked for, what its targets mean, and what is said when it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from prefect_sluice.dbt import profile
from prefect_sluice.dbt.profile import Profile
from prefect_sluice.domain.errors import ConfigInvalid

PROJECT = "name: shop\nprofile: shop\n"
PROFILES = """
shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: shop.duckdb, schema: main}
    prod: {type: duckdb, path: "../data/{{ env_var('SHOP_FILE', 'prod') }}.duckdb", schema: "{{ var('schema', 'mart') }}"}
    lake: {type: duckdb, path: "ducklake:catalog"}
    memory: {type: duckdb}
    cloud: {type: snowflake, account: x, password: "{{ env_var('NOT_SET_HERE') }}"}
"""


def project(folder: Path, profiles: str = PROFILES, described: str = PROJECT) -> Path:
    (folder / "dbt_project.yml").write_text(described, encoding="utf-8")
    (folder / "profiles.yml").write_text(profiles, encoding="utf-8")
    return folder


def load(folder: Path, environ: Mapping[str, str] | None = None, **variables: object) -> Profile:
    return profile.load(folder, environ or {}, variables=variables)


def test_a_target_is_a_file(tmp_path: Path) -> None:
    found = load(project(tmp_path))
    assert (found.name, found.default, found.file) == ("shop", "dev", tmp_path / "profiles.yml")
    dev = found.target("dev")
    assert (dev.profile, dev.name, dev.path, dev.database.catalog) == (
        "shop",
        "dev",
        tmp_path / "shop.duckdb",
        "shop",
    )
    assert dev.settings == {"type": "duckdb", "path": "shop.duckdb", "schema": "main"}


def test_jinja_is_rendered_and_the_raw_text_kept(tmp_path: Path) -> None:
    found = load(project(tmp_path), {"SHOP_FILE": "0042"}, schema="1_0")
    prod = found.target("prod")
    assert prod.path == tmp_path.parent / "data" / "0042.duckdb"
    assert prod.settings["schema"] == "1_0", "a text stays one, whatever it looks like"
    assert prod.raw["path"] == "../data/{{ env_var('SHOP_FILE', 'prod') }}.duckdb"
    assert load(tmp_path).target("prod").path.name == "prod.duckdb"


def test_files_are_the_targets_we_can_serve_in_their_order(tmp_path: Path) -> None:
    assert list(load(project(tmp_path)).usable()) == ["dev", "prod"]


def test_a_variable_that_another_target_needs_need_not_be_set(tmp_path: Path) -> None:
    """So it is with dbt: it renders the target that it runs."""
    assert load(project(tmp_path)).target("dev").name == "dev"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/x.duckdb", "/data/x.duckdb"),
        ("~/x.duckdb", "{home}/x.duckdb"),
        ("a/../b/./x.duckdb", "{project}/b/x.duckdb"),
    ],
)
def test_paths(tmp_path: Path, path: str, expected: str) -> None:
    found = load(
        project(tmp_path, f"shop: {{target: dev, outputs: {{dev: {{type: duckdb, path: {path}}}}}}}")
    )
    assert str(found.target("dev").path) == expected.format(home=Path.home(), project=tmp_path)


def test_the_target_and_the_profile_may_be_jinja(tmp_path: Path) -> None:
    profiles = PROFILES.replace("target: dev", "target: \"{{ env_var('DBT_TARGET', 'dev') }}\"")
    described = "name: shop\nprofile: \"{{ env_var('WHICH', 'shop') }}\"\n"
    assert load(project(tmp_path, profiles, described), {"DBT_TARGET": "prod"}).default == "prod"
    assert load(tmp_path).default == "dev"


def test_without_a_target_it_is_dbts_default(tmp_path: Path) -> None:
    assert (
        load(project(tmp_path, "shop: {outputs: {default: {type: duckdb, path: x.db}}}")).default == "default"
    )


# ---- where it is looked for ----------------------------------------------------------------------------


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "shop: {{target: {}, outputs: {{}}}}"
    folders = {name: tmp_path / name for name in ("given", "environ", "called", "beside", "home")}
    for name, folder in folders.items():
        place = folder / ".dbt" if name == "home" else folder
        place.mkdir(parents=True)
        (place / "profiles.yml").write_text(text.format(name), encoding="utf-8")
    (folders["beside"] / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
    monkeypatch.setenv("HOME", str(folders["home"]))
    environ = {"DBT_PROFILES_DIR": str(folders["environ"])}
    beside = folders["beside"]
    assert profile.load(beside, environ, folder=folders["given"]).default == "given"
    assert profile.load(beside, environ).default == "environ"
    assert profile.load(beside, {}).default == "beside"
    assert profile.load(beside, {}, home=folders["called"]).default == "called"
    (folders["called"] / "profiles.yml").unlink()
    assert profile.load(beside, {}, home=folders["called"]).default == "beside"
    (beside / "profiles.yml").unlink()
    assert profile.load(beside, {}).default == "home"


# ---- what is said --------------------------------------------------------------------------------------

TARGETS = [
    ("nowhere", "profile 'shop' has no target 'nowhere' (it has: cloud, dev, lake, memory, prod); name one of them"),
    ("memory", "target 'memory' has path ':memory:', which is no file; give it the path of a DuckDB file"),
    ("lake", "target 'lake' has path 'ducklake:catalog', which is no file"),
    ("cloud", "environment variable 'NOT_SET_HERE' is not set; set it: export NOT_SET_HERE=..."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "told"), TARGETS, ids=[name for name, _ in TARGETS])
def test_a_target_that_cannot_be_served(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(project(tmp_path)).target(name)
    assert str(caught.value).startswith(f"{tmp_path / 'profiles.yml'}: {told}")


def test_a_target_of_another_engine(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigInvalid, match="target 'cloud' is of type 'snowflake'; this version serves DuckDB"
    ):
        load(project(tmp_path), {"NOT_SET_HERE": "x"}).target("cloud")


PROBLEMS = [
    (PROJECT, "other: {}", "has no profile 'shop' (it has: other); add it, or mend `profile:`"),
    (PROJECT, "config: {}", "has no profile 'shop' (it has: none)"),
    (PROJECT, "shop:", "a profile holds `target` and `outputs`, each output with its keys"),
    (PROJECT, "shop: {target: dev}", "a profile holds `target` and `outputs`"),
    (PROJECT, "shop: {outputs: [dev]}", "a profile holds `target` and `outputs`"),
    (PROJECT, "shop: {outputs: {dev: }}", "a profile holds `target` and `outputs`"),
    (PROJECT, "shop: [", "profiles.yml, line 1: is not YAML:"),
    (PROJECT, "", "is not a profiles.yml; dbt needs a profile 'shop' there"),
    ("name: shop\n", PROFILES, "dbt_project.yml: names no profile; add to it: profile: NAME"),
    ("- a list\n", PROFILES, "dbt_project.yml: is not a dbt project; name its folder in sluice.yml"),
    (PROJECT, "shop: {target: '{{ nothing }}', outputs: {}}", "cannot be rendered: 'nothing' is undefined; mend the Jinja"),
    (PROJECT, "shop: {target: '{{ 1 + \"a\" }}', outputs: {}}", "cannot be rendered:"),
    (PROJECT, "shop: {target: '{{ 1', outputs: {}}", "cannot be rendered:"),
]  # fmt: skip


@pytest.mark.parametrize(("described", "profiles", "told"), PROBLEMS, ids=[told for *_, told in PROBLEMS])
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, described: str, profiles: str, told: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(project(tmp_path, profiles, described))
    message = str(caught.value)
    assert told in message
    assert message.startswith(str(tmp_path))
    assert "\n" not in message


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigInvalid, match=r"dbt_project\.yml: no dbt project there; name its folder in sluice\.yml"
    ):
        load(tmp_path)
    project(tmp_path)
    with pytest.raises(
        ConfigInvalid, match=r"none/profiles\.yml: no profiles\.yml there; dbt needs a profile 'shop'"
    ):
        profile.load(tmp_path, {}, folder=tmp_path / "none")
