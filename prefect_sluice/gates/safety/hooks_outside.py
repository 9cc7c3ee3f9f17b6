"""What a project's hooks do outside the warehouse, as its files tell, without dbt: what a first release will be asked about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from jinja2 import TemplateError, nodes

from prefect_sluice.dbt.texts.template_reads import environment
from prefect_sluice.dbt.texts.template_text import pieces
from prefect_sluice.gates.safety.rules import ProjectRelations, judge_statement, put_aside
from prefect_sluice.sql.side_effects import writes
from prefect_sluice.warehouse.engines import ASSUMED

HOOKS = ("on-run-start", "on-run-end", "pre-hook", "post-hook")
_MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)\s*\(")


@dataclass(frozen=True, slots=True)
class OutsideEffect:
    """A statement of a hook that has an effect outside the warehouse. `path` is its file, `node` the name that an exception
    knows it by; `refused` says that a first release does not let it pass."""

    path: str
    node: str
    check: str
    said: str
    refused: bool


def leaving(
    project: Path, top: Path, described: Mapping[str, Any], folders: Iterable[str]
) -> tuple[OutsideEffect, ...]:
    """Return what the hooks in dbt_project.yml (`described`) and in the files below `folders` do outside the warehouse.

    `project` is the dbt project's folder in the repository `top`. A file that cannot be read is left out: dbt says what is
    wrong with it.
    """
    texts = {path: path.read_text("utf-8", errors="replace") for path in _files(project, folders)}
    hooks = [(project / "dbt_project.yml", "dbt_project.yml", text) for text in _in_mapping(described)]
    hooks += [(path, path.stem, text) for path, content in texts.items() for text in _in_config(content)]
    macros = {name: path for path, content in texts.items() for name in _MACRO.findall(content)}
    called = {name for _, _, text in hooks for name in macros if re.search(rf"\b{name}\s*\(", text)}
    hooks += [(macros[name], name, texts[macros[name]]) for name in sorted(called)]
    found = (
        item
        for path, node, text in hooks
        for item in _of_text(text, path.relative_to(project).as_posix(), node, project, top)
    )
    return tuple(dict.fromkeys(found))


def _of_text(text: str, path: str, node: str, project: Path, top: Path) -> Iterator[OutsideEffect]:
    for piece in pieces(text) or ():
        for write in writes(piece, ASSUMED) or ():
            judgement = judge_statement(write, ProjectRelations({}), "")
            if judgement is not None and judgement.leaves:
                refused = not put_aside(write, project, top)
                yield OutsideEffect(path, node, judgement.check, write.said, refused)


def _files(project: Path, folders: Iterable[str]) -> list[Path]:
    return sorted(path for name in folders for path in (project / name).rglob("*.sql") if path.is_file())


def _in_mapping(described: Mapping[str, Any]) -> Iterator[str]:
    todo: list[object] = [described]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            for key, value in cast("dict[object, object]", one).items():
                if str(key).lstrip("+").replace("_", "-") in HOOKS:
                    yield from _texts(value)
                todo.append(value)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(cast("dict[str, object]", value).get("sql"))
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)


def _in_config(text: str) -> Iterator[str]:
    """Yield the hooks that a model names in `{{ config(post_hook=…) }}`."""
    if "_hook" not in text:
        return
    try:
        tree = environment().parse(text)
    except (TemplateError, RecursionError):
        return
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "config":
            for keyword in call.kwargs:
                if keyword.key in {"pre_hook", "post_hook"}:
                    found = [keyword.value, *keyword.value.find_all(nodes.Const)]
                    yield from (str(one.value) for one in found if isinstance(one, nodes.Const))
