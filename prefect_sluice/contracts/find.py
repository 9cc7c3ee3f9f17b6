"""Finds the contracts in a project's folder `contracts/` and says which model each is for. Reads text, imports nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.node import Name, Node, short_name

FOLDER = "contracts"
_BASES = {"DataFrameModel", "SchemaModel"}
_SCHEMA = "DataFrameSchema"
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SUFFIX = re.compile(r"_(contract|schema|model)$")


@dataclass(frozen=True, slots=True)
class ContractFile:
    """A contract in the folder. `claims` is the name of the node it is for; `is_stated`: that name stands in the contract
    (`Config.name`), and is not only derived from the class's; `base`: others derive from it; `location` is `file:line`."""

    reference: str
    claims: str
    is_stated: bool = False
    base: bool = False
    location: str = ""


@dataclass(frozen=True, slots=True)
class UnboundContract:
    """A contract that is for no model, or one of several for the same. `said`: it names its model itself, so that this is a
    mistake; `nodes` are unique ids."""

    reference: str
    why: str
    fix: str
    said: bool
    location: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BoundContracts:
    """The contract of each node: `module:Class` by unique id; `strays` are the contracts of no node."""

    references: Mapping[str, str]
    strays: tuple[UnboundContract, ...] = ()


@dataclass(frozen=True, slots=True)
class _Class:
    name: str
    bases: tuple[str, ...]
    module: str
    location: str
    stated_name: str
    has_fields: bool


def find(root: Path) -> tuple[ContractFile, ...]:
    """Return the contracts below `root`/contracts, by file and line; names that begin with _ belong to no model. Repeatable."""
    classes: list[_Class] = []
    for file in sorted((root / FOLDER).rglob("*.py")):
        tree = _parsed(file)
        if tree is not None:
            classes.extend(_of_file(tree, file.relative_to(root)))
    models = _models(classes)
    bases = {base for contract_class in classes for base in contract_class.bases}
    return tuple(
        ContractFile(
            f"{contract_class.module}:{contract_class.name}",
            contract_class.stated_name or snake(contract_class.name),
            bool(contract_class.stated_name),
            contract_class.name in bases or not contract_class.has_fields,
            contract_class.location,
        )
        for contract_class in classes
        if contract_class.name in models and not contract_class.name.startswith("_")
    )


def snake(name: str) -> str:
    """Return the name that a class claims by its own: `FctFlightsContract` is for `fct_flights`."""
    return _SUFFIX.sub("", _WORD.sub("_", name).lower())


def _parsed(file: Path) -> ast.Module | None:
    try:
        return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # who names it hears of it when it is loaded
        return None


def _of_file(tree: ast.Module, path: Path) -> Iterator[_Class]:
    parts = path.with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    for node in tree.body:
        where = f"{path.as_posix()}:{node.lineno}"
        if isinstance(node, ast.ClassDef):
            bases = tuple(_last(base) for base in node.bases)
            fields = any(isinstance(member, ast.AnnAssign | ast.FunctionDef) for member in node.body)
            yield _Class(node.name, bases, module, where, _config_name(node), fields)
        elif isinstance(node, ast.Assign) and (call := _schema_call(node.value)):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            yield from (_Class(name, (_SCHEMA,), module, where, _keyword(call), True) for name in names)


def _schema_call(node: ast.expr) -> ast.Call | None:
    """Return `pa.DataFrameSchema(…)`, None for anything else."""
    return node if isinstance(node, ast.Call) and _last(node.func) == _SCHEMA else None


def _last(node: ast.expr) -> str:
    """Return the last name of `pa.DataFrameModel`, `DataFrameModel`, `Base[int]`."""
    if isinstance(node, ast.Subscript):
        return _last(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _config_name(node: ast.ClassDef) -> str:
    inner = [member for member in node.body if isinstance(member, ast.ClassDef) and member.name == "Config"]
    for statement in (statement for config in inner for statement in config.body):
        targets = (
            statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        )
        if any(isinstance(one, ast.Name) and one.id == "name" for one in targets):
            return _text(getattr(statement, "value", None))
    return ""


def _keyword(call: ast.Call) -> str:
    return next((_text(keyword.value) for keyword in call.keywords if keyword.arg == "name"), "")


def _text(node: object) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _models(classes: Collection[_Class]) -> frozenset[str]:
    """Return the names of the classes that derive, over whatever steps within the folder, from pandera's."""
    derived = {_SCHEMA, *_BASES}
    while True:
        more = {candidate.name for candidate in classes if derived.intersection(candidate.bases)} - derived
        if not more:
            return frozenset(derived - {_SCHEMA, *_BASES})
        derived |= more


def bind(contracts: Collection[ContractFile], nodes: Mapping[str, Node]) -> BoundContracts:
    """Return which node has which contract. A node's own `meta` comes first, then a contract that names the node, then one
    whose class is called so; two of the same rank belong to no node, and are returned as strays."""
    own = {node.contract for node in nodes.values() if node.contract}
    named: dict[str, list[str]] = {}
    for uid, node in nodes.items():
        for name in {short_name(uid).lower(), node.name.identifier.lower()}:
            named.setdefault(name, []).append(uid)
    sources = {name for node in nodes.values() for source in node.sources for name in _names(source)}
    claims: dict[str, list[ContractFile]] = {}
    strays: list[UnboundContract] = []
    for contract in (file for file in contracts if file.reference not in own):
        meant = named.get(contract.claims.lower(), [])
        if len(meant) == 1:
            claims.setdefault(meant[0], []).append(contract)
        elif meant:
            strays.append(
                _stray(contract, f"{contract.claims} is the name of {count(len(meant), 'node')}", meant)
            )
        elif contract.is_stated or not (contract.base or contract.claims.lower() in sources):
            strays.append(_stray(contract, f"there is no model {contract.claims!r}"))
    references = {uid: node.contract for uid, node in nodes.items() if node.contract}
    for uid, rivals in claims.items():
        strays += _settled(uid, rivals, references)
    return BoundContracts(references, tuple(sorted(strays, key=lambda stray: stray.location)))


def bound(root: Path, nodes: Mapping[str, Node]) -> Mapping[str, Node]:
    """Return the nodes, each with the contract that is its own: named by its `meta`, or found in the folder."""
    references = bind(find(root), nodes).references
    return {
        uid: node if references.get(uid, "") == node.contract else replace(node, contract=references[uid])
        for uid, node in nodes.items()
    }


def _names(source: Name) -> tuple[str, str]:
    # A contract of a raw table is held against what is loaded, by who loads it.
    return source.identifier.lower(), f"{source.schema}_{source.identifier}".lower()


def _stray(contract: ContractFile, why: str, nodes: Collection[str] = ()) -> UnboundContract:
    fix = "give it the model's name (`class Config: name = …`), or begin its name with _ if it is for none"
    return UnboundContract(
        contract.reference, why, fix, contract.is_stated or bool(nodes), contract.location, tuple(nodes)
    )


def _settled(uid: str, rivals: list[ContractFile], references: dict[str, str]) -> Iterator[UnboundContract]:
    """Write the contract of a node that some contracts claim into `references`; yield those that are not its own."""
    fix = "leave it one contract, or name the one that counts in its properties (meta: sluice: contract)"
    first = [rival for rival in rivals if rival.is_stated] or rivals
    if uid not in references and len(first) == 1:
        references[uid] = first[0].reference
    elif uid not in references:
        why = f"several contracts for one model: {', '.join(contract.reference for contract in first)}"
        yield from (
            UnboundContract(contract.reference, why, fix, True, contract.location, (uid,))
            for contract in first
        )
    for rival in rivals:
        if uid in references and rival.reference != references[uid] and not rival.base:
            why = f"not asked: {short_name(uid)} has the contract {references[uid]}"
            yield UnboundContract(rival.reference, why, fix, False, rival.location, (uid,))
