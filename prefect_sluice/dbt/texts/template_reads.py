"""What a template reads, from its syntax tree, without running it. What cannot be parsed counts as read.

A template is *steady* when the text it gives depends on the code and the settings alone. Only names on a list are taken as
steady; any other name (the graph, a query's answer, the clock, what a later dbt may add) makes it unsteady.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from jinja2 import Environment, TemplateError, nodes

from prefect_sluice.sql.duckdb_keywords import listed

_STEADY = listed(
    "ref source var env_var execute return log print debug exceptions api dbt_version local_md5 tojson "
    "fromjson toyaml fromyaml zip zip_strict range dict namespace cycler joiner loop caller varargs kwargs project_name "
    "schema database doc try_or_compiler_error as_bool as_native as_number as_text diff_of_two_dicts"
)
"""`execute` is always true in compiled text. `set` is not here: what a loop over a set gives differs from process to process."""

_STEADY_PARTS: Mapping[str, frozenset[str] | None] = {
    "target": frozenset({"name", "schema", "database", "type", "profile_name"}),
    "adapter": frozenset({"dispatch", "quote", "type"}),
    "modules": frozenset({"re", "itertools"}),
    "config": frozenset({"get", "require", "meta_get", "meta_require"}),
    "this": None,
    "api": None,
    "exceptions": None,
}
"""Names that are steady only as `name.part`; None: any part, and the name alone too."""

_UNSTEADY = listed(
    "graph model flags invocation_id run_started_at statement load_result store_result store_raw_result context builtins "
    "selected_resources thread_id dbt_metadata_envs invocation_args_dict load_agate_table function metric set set_strict "
    "target adapter modules lipsum render write submit_python_job defer_relation"
)
"""Names of dbt's own that are unsteady even where the template gives something else that name, later on."""

_CLOCK = frozenset({"run_started_at", "modules.datetime", "modules.pytz"})
_CHANCE = frozenset({"invocation_id", "invocation_args_dict", "thread_id", "lipsum", "random"})
_WHOLE = frozenset({"model", "graph", "context", "builtins", "config"})

_CONFIG = re.compile(r"\{\{-?\s*config\s*\(.*?\)\s*-?\}\}", re.DOTALL)
_NAMED = re.compile(
    r"""(?<![\w.])(?:alias|schema|database)\s*=\s*(?:'[^'{}\\]*'|"[^"{}\\]*")\s*(?:,\s*|(?=\)))"""
)
_LAST = re.compile(r",\s*(?=\))")
_NO_CONFIG = re.compile(r"\{\{-?\s*config\s*\(\s*\)\s*-?\}\}\s*")


@dataclass(frozen=True, slots=True)
class TemplateReads:
    """What one template asks for.

    `names` are those it takes from outside, `parts` what stands after a dot or is dispatched to: either may be a macro;
    `bound` names it gives a value itself; `free` those of `names` and `parts` that stand where nothing of its own surely
    bears the name: only these may be macros of the project's, since a macro's parameter hides what bears its name outside;
    `variables` and `environ` what `var` and `env_var` read (None among them: a name that is computed); `reads` which of
    config, target and this it looks at; `unsteady` what makes its text depend on more than code and settings; `computed`
    says that it may call any macro.
    """

    names: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()
    variables: frozenset[str | None] = frozenset()
    environ: frozenset[str | None] = frozenset()
    reads: frozenset[str] = frozenset()
    unsteady: frozenset[str] = frozenset()
    computed: bool = False
    free: frozenset[str] = frozenset()

    def __or__(self, other: TemplateReads) -> TemplateReads:
        """Return what either asks for."""
        return TemplateReads(
            self.names | other.names,
            self.parts | other.parts,
            self.bound | other.bound,
            self.variables | other.variables,
            self.environ | other.environ,
            self.reads | other.reads,
            self.unsteady | other.unsteady,
            self.computed or other.computed,
            self.free | other.free,
        )

    @property
    def unknown(self) -> frozenset[str]:
        """Names that are neither its own nor known to be steady: macros, packages, or what makes it unsteady."""
        return self.names - self.bound - _STEADY - _STEADY_PARTS.keys()

    @property
    def volatile(self) -> frozenset[str]:
        """What of it changes with no change of code or data, in the words of `Node.volatile`."""
        clock = {"clock:now"} if self.unsteady & _CLOCK else set[str]()
        return frozenset(clock | ({"random"} if self.unsteady & _CHANCE else set[str]()))

    @property
    def looks_at_the_node(self) -> bool:
        """Say whether it reads configuration or documentation that changes no row by itself."""
        return bool(self.unsteady & _WHOLE) or "config" in self.reads


UNREADABLE = TemplateReads(
    variables=frozenset({None}),
    environ=frozenset({None}),
    reads=frozenset({"config", "target", "this"}),
    unsteady=frozenset({"unreadable", "model", "graph"}),
    computed=True,
)


@lru_cache(maxsize=65536)
def uses(template: str) -> TemplateReads:
    """Return what a template asks for. Pure."""
    if "{{" not in template and "{%" not in template:
        return TemplateReads()
    try:
        tree = environment().parse(template)
    except (TemplateError, RecursionError):
        return UNREADABLE
    return _Reader(tree).found()


def without_names(template: str) -> str:
    """Return a template without the names that its own `config(...)` gives to its relation, where they stand as plain text.

    What is left is the same whatever the relation is called. Repeatable. The text is returned as it is without such a name.
    """
    bare = _CONFIG.sub(lambda match: _LAST.sub("", _NAMED.sub("", match[0])), template)
    return _NO_CONFIG.sub("", bare)


def without_comments(template: str) -> str:
    """Return a template without its Jinja comments, and without blanks around it: neither is in what it gives.

    Repeatable. The text is returned as it is when it is plain, or cannot be read.
    """
    if "{#" not in template:
        return template.strip()
    try:
        tokens = list(environment().lex(template))
    except TemplateError:
        return template.strip()
    # A comment's dash takes blanks away that are part of what is around it: there, nothing is dropped.
    if any(kind in {"comment_begin", "comment_end"} and "-" in text for _, kind, text in tokens):
        return template.strip()
    kept: list[str] = []
    for _, kind, text in tokens:
        if kind not in {"comment_begin", "comment", "comment_end"}:
            kept.append(text)
        elif kind == "comment_begin" and kept and kept[-1].endswith("{"):
            kept.append("{##}")  # or two braces would meet
    return "".join(kept).strip()


@cache
def environment() -> Environment:
    """Return dbt's own reader of templates."""
    from dbt_common.clients.jinja import get_environment

    return get_environment(None)


class _Reader:
    """Walks one syntax tree."""

    def __init__(self, tree: nodes.Template) -> None:
        self._names: set[str] = set()
        self._parts: set[str] = set()
        self._variables: set[str | None] = set()
        self._environ: set[str | None] = set()
        self._reads: set[str] = set()
        self._unsteady: set[str] = set()
        self._computed = False
        self._free: set[str] = set()
        self._hidden: frozenset[str] = frozenset()
        """Names that surely mean a value of the template's own at the place that is walked."""
        names = list(tree.find_all(nodes.Name))
        self._params = frozenset(name.name for name in names if name.ctx == "param")
        self._bound = {name.name for name in names if name.ctx != "load"}
        self._bound |= {macro.name.removeprefix("dbt_macro__") for macro in tree.find_all(nodes.Macro)}
        self._walk(tree)

    def found(self) -> TemplateReads:
        return TemplateReads(
            frozenset(self._names),
            frozenset(self._parts),
            frozenset(self._bound),
            frozenset(self._variables),
            frozenset(self._environ),
            frozenset(self._reads),
            frozenset(self._unsteady),
            self._computed,
            frozenset(self._free),
        )

    def _walk(self, node: nodes.Node) -> None:
        match node:
            case nodes.Macro() | nodes.CallBlock():
                self._all(node.defaults, [node.call] if isinstance(node, nodes.CallBlock) else [])
                self._within(node.args, node.body)
            case nodes.For():
                self._all([node.iter], node.else_)
                self._within([node.target], [node.test] if node.test else [], node.body)
            case nodes.If():
                self._all([node.test])
                for branch in (node.body, node.elif_, node.else_):
                    self._within([], branch)
            case nodes.Assign() | nodes.AssignBlock():
                self._all(node.iter_child_nodes(exclude=("target",)))
                self._hidden |= _assigned_names([node.target])
            case nodes.Call(node=nodes.Name(name=name)) if name in {"var", "env_var"}:
                self._reader(name, node.args)
                self._all(node.args, node.kwargs)
            case nodes.Call(node=nodes.Getattr(node=nodes.Name(name="var"))):
                self._reader("var", node.args)
                self._all(node.args, node.kwargs)
            case nodes.Call(node=nodes.Getattr(node=nodes.Name(name="adapter"), attr="dispatch")):
                self._dispatched(node)
            case nodes.Call(node=nodes.Name(name="config")):
                self._names.add("config")
                self._all(node.args, node.kwargs)
            case nodes.Getattr(node=nodes.Name(name=name), attr=part):
                self._part(name, part)
            case nodes.Getitem(node=nodes.Name(name=name), arg=nodes.Const(value=str() as part)):
                self._part(name, part)
            case nodes.Getitem(node=nodes.Name(name=name)) if name not in self._bound:
                # `package[computed]()` calls a macro that nobody can name.
                self._computed = True
                self._all(node.iter_child_nodes())
            case nodes.Name(name=name, ctx="load"):
                self._name(name)
            case nodes.Filter():
                self._filter(node)
            case nodes.Include() | nodes.Import() | nodes.FromImport() | nodes.Extends():
                self._unsteady.add("include")
                self._computed = True
            case _:
                self._all(node.iter_child_nodes())

    def _all(self, *groups: Iterable[nodes.Node]) -> None:
        for group in groups:
            for node in group:
                self._walk(node)

    def _within(self, given: Iterable[nodes.Node], *bodies: Iterable[nodes.Node]) -> None:
        """Walk what stands where `given` have a value; what is set in there is not sure to be set after it."""
        before = self._hidden
        self._hidden |= _assigned_names(given)
        self._all(*bodies)
        self._hidden = before

    def _reader(self, name: str, arguments: list[nodes.Expr]) -> None:
        first = arguments[0] if arguments else None
        into = self._variables if name == "var" else self._environ
        into.add(str(first.value) if isinstance(first, nodes.Const) else None)
        self._names.add(name)

    def _dispatched(self, call: nodes.Call) -> None:
        named = [argument.value for argument in call.kwargs if argument.key == "macro_name"]
        first = call.args[0] if call.args else (named[0] if named else None)
        if isinstance(first, nodes.Const):
            self._parts.add(str(first.value))
            self._free.add(str(first.value))
        else:
            self._computed = True
        self._all(call.args, call.kwargs)

    def _part(self, name: str, part: str) -> None:
        if name in self._params or name not in _STEADY_PARTS:
            self._parts.add(part)  # after a package's name, a macro
            self._free.update({part} if name not in self._hidden else ())
            self._name(name)
            return
        self._names.add(name)
        self._reads.add(name)
        steady = _STEADY_PARTS[name]
        if steady is not None and part not in steady:
            self._unsteady.update({f"{name}.{part}", name})

    def _name(self, name: str) -> None:
        self._names.add(name)
        self._free.update({name} if name not in self._hidden else ())
        if name in self._params:
            return
        if name in {"var", "env_var"}:
            (self._variables if name == "var" else self._environ).add(None)
        if name in _STEADY_PARTS:
            self._reads.add(name)
        if name in _UNSTEADY or name == "config":
            self._unsteady.add(name)
        self._computed = self._computed or name in {"context", "builtins"}

    def _filter(self, jinja_filter: nodes.Filter) -> None:
        given = [arg.value for arg in jinja_filter.args if isinstance(arg, nodes.Const)]
        by_name = jinja_filter.name in {"map", "select", "reject", "selectattr", "rejectattr"}
        if jinja_filter.name in {"random", "shuffle"} or (
            by_name and ("random" in given or len(given) < len(jinja_filter.args))
        ):
            self._unsteady.add("random")
        self._all(jinja_filter.iter_child_nodes())


def _assigned_names(targets: Iterable[nodes.Node]) -> frozenset[str]:
    """Return the names that a parameter, a loop or a `set` gives a value."""
    names = (name for target in targets for name in _names(target))
    return frozenset(name.name for name in names if name.ctx != "load")


def _names(target: nodes.Node) -> Iterable[nodes.Name]:
    return [target] if isinstance(target, nodes.Name) else target.find_all(nodes.Name)
