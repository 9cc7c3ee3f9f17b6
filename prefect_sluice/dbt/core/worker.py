"""What runs inside of the boundary: dbt-core on one project, asked over a connection. See `dbt/wire_format.py`."""

from __future__ import annotations

import gc
import importlib
import tempfile
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from dbt_common.tests import enable_test_caching

from prefect_sluice.dbt import wire_format
from prefect_sluice.dbt.compiled_facts import from_json
from prefect_sluice.dbt.core.project import CoreProject
from prefect_sluice.dbt.profile import Target
from prefect_sluice.dbt.session import Session
from prefect_sluice.domain.errors import BadInput, DbtFailed
from prefect_sluice.isolation.warm_process import Channel
from prefect_sluice.runtime import process
from prefect_sluice.runtime.collector import quieten
from prefect_sluice.runtime.events import NOTICES, Notice
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.warehouse.engines import ADAPTERS

_SMALL = {
    # dbt's static parser has threads of its own, which a child would wait for and not have.
    "dbt_project.yml": "name: warm\nprofile: warm\nversion: '1.0'\nflags: {static_parser: false}\n",
    "seeds/numbers.csv": "id\n1\n",
    "models/a.sql": "{{ config(materialized='table') }} select id from {{ ref('numbers') }}\n",
    "models/b.sql": "{{ config(materialized='view') }} select {{ 1 }} as id from {{ ref('a') }}\n",
    "models/c.sql": (
        "{{ config(materialized='incremental', unique_key='id') }} select id from {{ source('raw', 'numbers') }}"
        " -- {{ ref('numbers') }}\n"
    ),
    "snapshots/s.sql": (
        "{% snapshot s %}{{ config(target_schema='main', unique_key='id', strategy='check', check_cols='all') }}"
        "select id from {{ ref('a') }}{% endsnapshot %}\n"
    ),
    "models/models.yml": (
        "models: [{name: a, columns: [{name: id, data_tests: [unique, not_null]}]}]\n"
        "sources: [{name: raw, schema: main, tables: [{name: numbers}]}]\n"
    ),
}
_LOADED = (
    *("dbt.cli.main", "dbt.adapters.duckdb", "agate", "pandas", "pyarrow", "sqlglot"),
    *("prefect_sluice.sql.canonical", "prefect_sluice.sql.columns.shape"),
)


def prepare() -> None:
    """Load what every project needs. No thread is left: a child would inherit its locks.

    Where the process will be forked from many times (SLUICE_WARM), a small project is built as well: dbt makes the schemas of
    its classes and the templates of its macros as it first needs them, some seconds long.
    """
    process.disable_telemetry()
    quieten()
    for name in _LOADED:
        importlib.import_module(name)
    wire_format.get_ready()
    if process.environment().get("SLUICE_WARM"):
        enable_test_caching()  # dbt's own: what it made of a macro's text is kept for the next one with the same text
        with tempfile.TemporaryDirectory(prefix="sluice-warm-") as folder:
            _build_small_project(Path(folder).resolve())
        gc.collect()


def _forget_tracker() -> None:
    """Forget the process that clears away dbt's locks, which is the warm one's: a child starts its own, shut in as it is."""
    tracker: Any = resource_tracker
    tracker._resource_tracker._fd = tracker._resource_tracker._pid = None


def _build_small_project(folder: Path) -> None:
    for name, text in _SMALL.items():
        (folder / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "project" / name).write_text(text, encoding="utf-8")
    session = _session(_small_opening(folder))
    CoreProject.parsed(session)
    project = CoreProject.parsed(session)  # from what dbt keeps of a parse
    nodes = project.read({}, "warm").nodes
    project.declared()
    project.compiled(tuple(project.text_keys()))
    tests = [uid for uid in project.manifest.nodes if uid.startswith("test.")]
    for _ in range(2):  # what is there already is built in another way
        project.build(nodes, tests)
    project.data_tests(tests)


def _small_opening(folder: Path) -> dict[str, Any]:
    settings = {"type": "duckdb", "path": str(folder / "warm.duckdb"), "schema": "main"}
    return {
        "target": {"profile": "warm", "name": "dev", "settings": settings, "raw": settings},
        **{key: str(folder / "project") for key in ("project", "home", "working_directory")},
        "work": str(folder / "work"),
        "at": "warm",
        "side": str(folder / "work" / "warm.duckdb"),
        "variables": {},
        "live": str(folder / "warm.duckdb"),
        "environ": {},
    }


def talk(channel: Channel, opening: Any) -> None:
    """Parse the project that the opening names, and answer for it until nobody asks any more."""
    tempfile.tempdir = None
    _forget_tracker()
    process.disable_telemetry()
    project: CoreProject | None = None
    with NOTICES.heard_by(lambda notice: channel.say({"notice": _notice(notice)})):
        for question in channel.questions():
            try:
                if project is None:
                    project = CoreProject.parsed(_session(opening))
                    channel.answer({"value": None})
                else:
                    channel.answer({"value": _answer(project, channel, question)})
            except BadInput as error:
                channel.answer({"error": [type(error).__name__, error.what, error.where, error.fix]})
            except Exception as error:
                why = " ".join(str(error).splitlines()) or type(error).__name__
                channel.answer({"error": [DbtFailed.__name__, f"dbt broke off: {why}", "", ""]})


def _session(opening: Any) -> Session:
    target = opening["target"]
    settings, home = target["settings"], Path(opening["home"])
    database = ADAPTERS[settings["type"]].database(settings, home, target=target["name"], place="")
    paths = {key: Path(opening[key]) for key in ("project", "work", "working_directory", "live")}
    return Session(
        Target(target["profile"], target["name"], settings, target["raw"], database),
        paths["project"],
        home,
        paths["work"],
        CandidatePlace(opening["at"], Path(opening["side"])),
        opening["variables"],
        paths["working_directory"],
        paths["live"],
        opening["environ"],
    )


def _notice(notice: Notice) -> list[str]:
    return [notice.level.value, notice.text, notice.about]


def _tell_node(channel: Channel, uid: str, status: str, seconds: float, message: str) -> None:
    channel.say({"node": [uid, status, seconds, message]})


def _answer(project: CoreProject, channel: Channel, message: Any) -> Any:
    verb, given = message["verb"], wire_format.given(message)
    if verb == "facts":
        return wire_format.answer(verb, project.facts)
    if verb == "build":
        nodes, tests, new_columns = given
        results = project.build(nodes, tests, new_columns=new_columns, on_node=partial(_tell_node, channel))
        return wire_format.answer(verb, results)
    if verb == "build_without_rows":
        return wire_format.answer(verb, project.build_without_rows(given[0], in_full=given[1]))
    if verb == "declared":
        declared = project.declared()
        return wire_format.answer(verb, (declared.document(), declared.code))
    if verb == "read":
        facts = {uid: from_json(of_node) for uid, of_node in given[0].items()}
        return wire_format.answer(verb, project.read(facts, *given[1:]))
    return wire_format.answer(verb, getattr(project, verb)(*given))
