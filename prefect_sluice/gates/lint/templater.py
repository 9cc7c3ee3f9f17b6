"""sqlfluff's jinja templater with the rest of what a dbt template may ask for, so that models render without dbt.

Imports sqlfluff, so it is imported where a file is linted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import jinja2.nodes
import jinja2.parser
from jinja2 import Environment, TemplateSyntaxError
from jinja2.ext import Extension
from sqlfluff.core import FluffConfig
from sqlfluff.core.templaters.builtins.dbt import MacroReturn, VarEmulator
from sqlfluff.core.templaters.jinja import JinjaTemplater

from prefect_sluice.gates.lint.project_files import TemplateProject, dbts_own
from prefect_sluice.gates.lint.template_functions import (
    NOTHING,
    ConfigCall,
    EmptyAnswer,
    hearing,
    ref,
    same,
    source,
)
from prefect_sluice.gates.lint.template_relations import TemplateRelation

_HEADER = re.compile(r"(\{%[-+]?\s*macro\s+)\w+")
_ENTRY = "sluice_entry"
"""What each macro is called where it is compiled: Jinja exports no name that begins with an underscore."""


class SnapshotBlock(Extension):
    """`{% snapshot name %}…{% endsnapshot %}` gives what stands within."""

    tags = {"snapshot"}  # noqa: RUF012  # as Jinja declares it

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """Return the statements of the block."""
        next(parser.stream)
        parser.parse_assign_target(name_only=True)
        return parser.parse_statements(("name:endsnapshot",), drop_needle=True)


class DbtJinja(JinjaTemplater):
    """Gives templates dbt's functions, the project's macros and variables. What the settings of sqlfluff give wins."""

    def __init__(self, known: TemplateProject) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]  # its keywords
        self._known = known
        self.asked: set[str] = set()

    def _get_jinja_env(self, config: FluffConfig | None = None) -> Environment:
        env = super()._get_jinja_env(config)
        env.add_extension(SnapshotBlock)
        env.filters.update(dict.fromkeys(("as_bool", "as_native", "as_number"), same), as_text=str)
        return env

    def parses(self, text: str) -> bool:
        """Say whether a text is a template: what Jinja cannot read, dbt cannot either."""
        try:
            self._get_jinja_env().parse(text)
        except TemplateSyntaxError:
            return False
        return True

    def _get_env_context(
        self, fname: str | None, config: FluffConfig | None, env: Environment
    ) -> dict[str, Any]:
        given = super()._get_env_context(fname, config, env)
        if config is None:
            return given
        said = {
            **self.get_context(fname, config),
            **self._extract_libraries_from_config(config),
            **self._extract_macros_from_config(config, env, given),
        }
        ours = _Project(self._known, env, self.asked).context(Path(fname or "model").stem)
        return {**given, **ours, **said}


@dataclass(frozen=True, slots=True)
class _Var:
    """`var`, for the code of one package."""

    known: TemplateProject
    package: str

    def __call__(self, name: str, *default: Any, **named: Any) -> Any:
        found, value = self.known.variable(name, self.package)
        if found:
            return value
        for given in (*default, *named.values()):
            return given
        return VarEmulator()

    def has_var(self, name: str) -> bool:
        """Say whether it has a value."""
        return self.known.variable(name, self.package)[0]


@dataclass(slots=True)
class _Macro:
    """A macro, compiled when it is first called. `scope` is what its code sees."""

    text: str
    env: Environment
    scope: Mapping[str, Any]
    compiled: Callable[..., Any] | None = field(default=None, init=False)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.compiled is None:
            named = _HEADER.sub(rf"\g<1>{_ENTRY}", self.text, count=1)
            template = self.env.from_string(named, globals=cast("dict[str, Any]", self.scope))
            self.compiled = cast("Callable[..., Any]", getattr(template.module, _ENTRY))
        try:
            return self.compiled(*args, **kwargs)
        except MacroReturn as end:
            return end.value


@dataclass(frozen=True, slots=True)
class _Package:
    """A package's macros by name, as `package.macro`; not attributes: Jinja's sandbox hides those with an underscore."""

    macros: Mapping[str, _Macro]

    def __getitem__(self, name: str) -> _Macro:
        return self.macros[name]


@dataclass(frozen=True, slots=True)
class _Adapter:
    """`adapter`: finds macros by dispatch, quotes, and knows no relation."""

    project: _Project

    def dispatch(self, macro_name: str, macro_namespace: str | None = None, **_: Any) -> Any:
        """Return the macro that dbt would call; an empty answer if there is none."""
        return self.project.dispatched(macro_name, macro_namespace)

    def quote(self, identifier: str) -> str:
        """Return an identifier in quotes."""
        return f'"{identifier}"'

    def type(self) -> str:
        """Return the adapter's name."""
        return self.project.adapter

    def get_relation(self, *_: Any, **__: Any) -> None:
        """Return none: nothing is asked of a warehouse."""
        self.project.asked.add("adapter.get_relation")

    def __getitem__(self, name: str) -> EmptyAnswer:
        self.project.asked.add(f"adapter.{name}")
        return NOTHING


class _Project:
    """A project's macros and functions, bound together for one file."""

    def __init__(self, known: TemplateProject, env: Environment, asked: set[str]) -> None:
        self.known, self.adapter, self.env, self.asked = known, known.adapter, env, asked
        self.packages: dict[str, dict[str, _Macro]] = {}
        self._names: dict[str, _Package] = {}

    def context(self, model: str) -> dict[str, Any]:
        """Return all that a model's template sees by name."""
        functions = self._functions(model)
        scopes: dict[str, dict[str, Any]] = {}
        texts = {
            "dbt": dbts_own(self.adapter),
            **{name: item.macros for name, item in self.known.packages.items()},
        }
        for name, macros in texts.items():
            scope = scopes[name] = {}
            self.packages[name] = {macro: _Macro(text, self.env, scope) for macro, text in macros.items()}
        spaces = {name: _Package(macros) for name, macros in self.packages.items()}
        root = self.packages.get(self.known.project, {})
        common = {**self.packages["dbt"], **spaces, **functions, **root}
        for name, scope in scopes.items():
            own = self.packages[name] if name != "dbt" else {}
            scope.update({**common, **own, "var": _Var(self.known, name)})
        return {**common, "var": root.get("var", functions["var"])}

    def dispatched(self, name: str, namespace: str | None) -> Any:
        """Return the macro of an adapter's or the default's own kind: the project's, the namespace's, dbt's."""
        for package in dict.fromkeys((self.known.project, namespace, "dbt", *self.packages)):
            for kind in (self.adapter, "default"):
                found = self.packages.get(package or "", {}).get(f"{kind}__{name}")
                if found is not None:
                    return found
        return NOTHING

    def _functions(self, model: str) -> dict[str, Any]:
        target = dict.fromkeys(("name", "schema", "database", "profile_name", "target_name", "dbname"), "dev")
        var = _Var(self.known, self.known.project)
        building: dict[str, Any] = {"ref": ref, "source": source, "config": ConfigCall(), "var": var}
        return {
            **building,
            "builtins": building,
            "this": TemplateRelation(model, model),
            "target": {**target, "type": self.adapter, "threads": 1},
            "adapter": _Adapter(self),
            "project_name": self.known.project,
            "model": {
                **dict.fromkeys(("name", "alias", "identifier"), model),
                **dict.fromkeys(
                    ("config", "columns", "tags", "meta", "depends_on", "refs", "sources"), NOTHING
                ),
                "unique_id": f"model.{self.known.project}.{model}",
                "schema": "dev",
                "database": "dev",
            },
            **hearing(self.asked),
        }
