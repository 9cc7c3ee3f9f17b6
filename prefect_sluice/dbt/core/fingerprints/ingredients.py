"""What a node's relation is made from, ingredient by ingredient. It may take the same for different, never the reverse.

Where the compiled text depends on code and settings alone, it is the code: macros, variables and the target have had their
effect on it. Elsewhere the template is, with all that it may come to. What runs beside the text (hooks, the
materialization) is always counted as templates. See docs/decisions/0014-fingerprints.md.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice import __version__
from prefect_sluice.dbt.core.fingerprints.end_hooks import EndHooks, end_hooks
from prefect_sluice.dbt.core.fingerprints.macros import MacroReach, Macros
from prefect_sluice.dbt.settings import Settings, plain
from prefect_sluice.dbt.texts.python_models import PythonCode
from prefect_sluice.dbt.texts.template_reads import without_comments, without_names
from prefect_sluice.domain.digests import Json, digest, digest_file
from prefect_sluice.domain.node import Ingredient
from prefect_sluice.sql.duckdb_keywords import listed

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_NOT_DATA = listed(
    "tags meta docs group access enabled static_analysis packages freshness description persist_docs grants "
    "on_configuration_change concurrent_batches threads query_tag full_refresh "
    "alias schema database target_schema target_database "
    "pre-hook post-hook pre_hook post_hook contract"
)
"""Configuration that changes no row, names where they go, or is counted apart."""

HARMLESS = re.compile(
    r"\s*(create\s+schema(\s+if\s+not\s+exists)?\s+[\w.\"]+|analyze|vacuum|checkpoint)?\s*;?\s*",
    re.IGNORECASE,
)
"""Statements at the start of a run that change neither rows nor what names mean."""

Parts = Mapping[str, str]
"""Digests by ingredient: `code`, `config materialized`, `macro money`, `var threshold`."""


@dataclass
class Fingerprints:
    """Computes and remembers what the nodes of one manifest are made of. `project` is the project's folder."""

    manifest: Manifest
    project: Path
    settings: Settings = field(default_factory=Settings)
    _templates: dict[str, Parts] = field(default_factory=dict[str, Parts])
    _besides: dict[str, Parts] = field(default_factory=dict[str, Parts])

    @cached_property
    def macros(self) -> Macros:
        """The manifest's macros."""
        return Macros(self.manifest)

    @cached_property
    def python(self) -> PythonCode:
        """The project's Python."""
        return PythonCode(self.project)

    @cached_property
    def end_hooks(self) -> EndHooks:
        """What the `on-run-end` hooks may write to."""
        return end_hooks(self.manifest, self.macros, self.settings)

    def reach(self, node: Any) -> MacroReach:
        """Return what a node's own text reaches through macros."""
        return self.macros.reach((str(node.raw_code or ""),), getattr(node.depends_on, "macros", ()))

    def parts(self, node: Any, compiled: str, inlined: Iterable[Any]) -> Parts:
        """Return a node's ingredients, parents apart. `compiled` is the digest of its compiled text where that
        depends on code and settings alone, else ""; `inlined` are the ephemeral models in it."""
        if compiled:
            return {**self.besides(node), "code": compiled}
        return {**self.besides(node), **self.templates(node, inlined)}

    def templates(self, node: Any, inlined: Iterable[Any]) -> Parts:
        """Return the ingredients of a node's text as written, and of the ephemeral models in it."""
        others = {f"inlined {model.name}": digest(dict(self.template(model))) for model in inlined}
        return {**self.template(node), **others}

    def written(self, node: Any, inlined: Iterable[Any]) -> str:
        """Return a digest of a node as it is written, `{{ this }}` unread: the same whatever the node is called, by its file or
        in its own `config(...)`, and whatever the nodes that it reads are called in the database."""
        texts = [
            {
                **self.template(model),
                **_nameless(model),
                "reads": self._reads(model, by_id=True),
            }
            for model in (node, *inlined)
        ]
        return digest([dict(self.besides(node)), *(cast(Json, text) for text in texts)])

    def is_steady(self, node: Any, inlined: Iterable[Any]) -> bool:
        """Say whether a node's compiled text depends on code and settings alone."""
        return _is_sql(node) and all(self.reach(model).is_steady for model in (node, *inlined))

    def is_made_otherwise(self, node: Any) -> bool:
        """Say whether code other than dbt's takes part in making the relation from the text."""
        return bool(self.making(node).own)

    def making(self, node: Any) -> MacroReach:
        """Return what a node's materialization reaches through macros."""
        return self._making(node.config.to_dict())

    def text_key(self, node: Any, inlined: Iterable[Any]) -> str:
        """Return a digest of everything that the compiled text may depend on but the warehouse: the key of its facts."""
        texts = [[dict(self.template(model)), _described(model)] for model in (node, *inlined)]
        common = [self.settings.identity, self.settings.rows, _tools(), __version__]
        return digest({"texts": cast(Json, texts), "relation": str(node.relation_name), "common": common})

    def _making(self, config: Mapping[str, Any]) -> MacroReach:
        return self.macros.reach(
            (), self.macros.materialization(str(config.get("materialized")), _strategy(config))
        )

    def besides(self, node: Any) -> Parts:
        """Return the ingredients that are not a node's own text: configuration, hooks, what runs before all."""
        parts = {**self._beside(node), "settings": self.settings.rows, **self._before_all}
        if self.end_hooks.may_write(node):
            parts["what runs at the end writes to it"] = self._all_that_is_built
        return parts

    def _beside(self, node: Any) -> Parts:
        """Return a node's configuration and hooks."""
        uid = str(node.unique_id)
        if uid not in self._besides:
            self._besides[uid] = self._configured(node)
        return self._besides[uid]

    def _configured(self, node: Any) -> Parts:
        config = node.config.to_dict()
        parts = {"type": f"{node.resource_type.value} {getattr(node, 'language', 'sql')}"}
        parts |= {f"config {key}": digest(value) for key, value in _config(config, _usual(node)).items()}
        contract = _contract(node, config)
        if contract:
            parts["contract"] = digest(contract)
        hooks = {kind: own_hooks(node, kind) for kind in ("pre_hook", "post_hook")}
        parts |= {
            kind.replace("_", "-"): digest([*map(without_comments, texts)])
            for kind, texts in hooks.items()
            if texts
        }
        parts |= self._template_parts(node, self._making(config))
        parts |= self._template_parts(
            node, self.macros.reach(text for texts in hooks.values() for text in texts)
        )
        if node.resource_type.value == "seed":
            # dbt's own checksum of a seed over 1 MiB is its path: the bytes are what counts.
            parts[Ingredient.SEED.value] = digest_file(
                Path(str(node.root_path)) / str(node.original_file_path)
            )
        return parts

    def template(self, node: Any) -> Parts:
        """Return the ingredients of a node's own text, as written."""
        uid = str(node.unique_id)
        if uid not in self._templates:
            self._templates[uid] = self._template(node)
        return self._templates[uid]

    def _template(self, node: Any) -> Parts:
        text = str(node.raw_code or "")
        if str(getattr(node, "language", "sql")) == "python":
            return {**self.python.parts(text), "reads": self._reads(node), "target": self.settings.identity}
        if node.resource_type.value == "seed":
            return {}
        reached = self.reach(node)
        parts = {"code": digest(without_comments(text)), **self._template_parts(node, reached)}
        return {**parts, "reads": self._reads(node)} if "{" in text else parts

    def _template_parts(self, node: Any, reached: MacroReach) -> Parts:
        """Return the ingredients that templates reach: macros, variables, the target, the node itself, all nodes."""
        asks = reached.asks
        parts: dict[str, str] = {f"macro {self._short(uid)}": self._macro(uid) for uid in sorted(reached.own)}
        parts |= self.settings.used(asks.variables, asks.environ)
        if "target" in asks.reads | asks.unsteady:
            parts["target"] = self.settings.identity
        if reached.looks:
            parts["the node's own description"] = digest(_described(node))
        if {"graph", "context", "builtins"} & asks.unsteady and reached.looks:
            parts[Ingredient.WHOLE_PROJECT.value] = self._everything
        if "function" in asks.unsteady:
            parts["functions"] = self._functions
        return parts

    def test(self, test: Any) -> str:
        """Return the digest of a data or unit test: a changed one has to be run again."""
        code = str(getattr(test, "raw_code", "") or "")
        content = cast(dict[str, Json], plain(test.to_dict(omit_none=True))) if not code else {}
        stable = {
            key: value for key, value in content.items() if key not in {"created_at", "checksum", "config"}
        }
        kwargs = getattr(getattr(test, "test_metadata", None), "kwargs", None)
        reached = self.macros.reach((code,), getattr(test.depends_on, "macros", ()))
        written = {
            "code": code,
            "unit": stable,
            "arguments": plain(kwargs),
            "config": _config(test.config.to_dict(), _usual(test)),
        }
        return digest({**written, "asks": dict(self._template_parts(test, reached))})

    @cached_property
    def _before_all(self) -> Parts:
        """Return what runs before all nodes: it may set the search path, or make a function that models call."""
        parts: dict[str, str] = {}
        for uid, node in sorted(self.manifest.nodes.items()):
            text = str(getattr(node, "raw_code", "") or "")
            if node.resource_type.value == "operation" and not HARMLESS.fullmatch(text):
                when = sorted({"on-run-start", "on-run-end"} & set(node.tags))
                for kind in when:
                    template = dict(self._template_parts(node, self.reach(node)))
                    parts[f"{kind} {uid.rpartition('.')[2]}"] = digest([without_comments(text), template])
        return parts

    @cached_property
    def _all_that_is_built(self) -> str:
        """Return a digest of what all nodes that are built are made from: code, seeds, macros, settings."""
        built = (
            node
            for _, node in sorted(self.manifest.nodes.items())
            if node.resource_type.value in {"model", "seed", "snapshot"}
        )
        return digest([
            [str(node.unique_id), dict(self._beside(node)), dict(self.template(node))] for node in built
        ])  # fmt: skip

    @cached_property
    def _everything(self) -> str:
        return digest(
            [
                [uid, str(getattr(node, "raw_code", "")), _described(node)]
                for uid, node in sorted(self.manifest.nodes.items())
            ]
        )

    @cached_property
    def _functions(self) -> str:
        functions = cast(Mapping[str, Any], getattr(self.manifest, "functions", {}))
        return digest(
            [
                [uid, str(function.raw_code), plain(function.config.to_dict())]
                for uid, function in sorted(functions.items())
            ]
        )

    def _reads(self, node: Any, *, by_id: bool = False) -> str:
        """Return the digest of the relations that `ref` and `source` stand for, the database's own name left out; `by_id`:
        nodes are known by their id."""
        relation_names = {
            uid: ""
            if by_id and uid in self.manifest.nodes
            else _at_home(str(getattr(parent, "relation_name", None) or ""))
            for uid in getattr(node.depends_on, "nodes", ())
            if (parent := self.manifest.nodes.get(uid) or self.manifest.sources.get(uid)) is not None
        }
        return digest(relation_names)

    def _macro(self, uid: str) -> str:
        return digest(str(self.manifest.macros[uid].macro_sql))

    def _short(self, uid: str) -> str:
        return uid.partition(".")[2]


def _nameless(node: Any) -> Parts:
    if not _is_sql(node):
        return {}
    return {"code": digest(without_comments(without_names(str(node.raw_code or ""))))}


def _is_sql(node: Any) -> bool:
    return str(getattr(node, "language", "sql")) == "sql" and node.resource_type.value in {
        "model",
        "snapshot",
    }


@cache
def _tools() -> Json:
    return [
        importlib.metadata.version(name)
        for name in ("dbt-core", "dbt-adapters", "dbt-duckdb", "duckdb", "sqlglot")
    ]


def own_hooks(node: Any, *kinds: str) -> list[str]:
    """Return the texts of a node's own hooks, `pre_hook` and `post_hook` unless named."""
    hooks = (
        hook for kind in kinds or ("pre_hook", "post_hook") for hook in getattr(node.config, kind, None) or ()
    )
    return [str(getattr(hook, "sql", hook)) for hook in hooks]


def _config(config: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Json]:
    """Return the configuration that may change rows. dbt's default values are left out: written
    or not, they are the same, and a newer dbt with one more key changes nothing."""
    parts = {
        str(key): plain(value)
        for key, value in config.items()
        if key not in _NOT_DATA and value not in _EMPTY and not (key in usual and usual[key] == value)
    }
    ours = cast(Mapping[str, Any], cast(Mapping[str, Any], config.get("meta") or {}).get("sluice") or {})
    # A key of our own that is no word of ours is a way to ask for a rebuild: `meta: {sluice: {rebuild: 2}}`.
    return parts | {f"meta.sluice.{key}": plain(value) for key, value in ours.items() if key != "contract"}


def _usual(node: Any) -> Mapping[str, Any]:
    """Return dbt's default configuration of a node of this kind."""
    return _defaults(cast(type[Any], type(node.config)))


@cache
def _defaults(kind: type[Any]) -> Mapping[str, Any]:
    try:
        return cast(Mapping[str, Any], kind().to_dict())
    except (TypeError, ValueError):
        return {}


_EMPTY: tuple[Any, ...] = (None, [], {})


def _contract(node: Any, config: Mapping[str, Any]) -> Json:
    if not cast(Mapping[str, Any], config.get("contract") or {}).get("enforced"):
        return None
    return [
        plain(config["contract"]),
        {
            name: [column.data_type, [str(rule) for rule in column.constraints]]
            for name, column in node.columns.items()
        },
        [str(rule) for rule in getattr(node, "constraints", None) or ()],
    ]


def _strategy(config: Mapping[str, Any]) -> str:
    return str(config.get("incremental_strategy") or config.get("strategy") or "default")


def _described(node: Any) -> Json:
    content = plain(node.to_dict(omit_none=True))
    changing = {"created_at", "checksum", "compiled", "compiled_code", "compiled_path", "build_path", "extra_ctes",
                "extra_ctes_injected", "root_path", "patch_path", "deferred", "relation_name"}  # fmt: skip
    return {key: value for key, value in cast(dict[str, Json], content).items() if key not in changing}


def _at_home(relation: str) -> str:
    """Return a relation's written name without the database: files may be copied and renamed."""
    parts = re.findall(r'"(?:[^"]|"")*"', relation)
    return ".".join(parts[1:]) if len(parts) == 3 and ".".join(parts) == relation else relation


def with_parents(own: str, parents: Mapping[str, str]) -> str:
    """Return a node's fingerprint from its own digest and what it reads: digests by the parents' names."""
    return digest({"own": own, "parents": dict(parents)})
