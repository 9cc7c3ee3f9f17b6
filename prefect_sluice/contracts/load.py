"""Imports contracts from one checkout of a data project, in a process that does nothing else and ends afterwards."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, cast

from prefect_sluice.contracts.compile import NotConvertible
from prefect_sluice.contracts.pandas_schemas import converted, is_of_pandas
from prefect_sluice.contracts.promise import ContractInvalid
from prefect_sluice.contracts.wording import first_line

_NEVER_FROM_A_PROJECT = frozenset(sys.stdlib_module_names) | {"ibis", "pandera", "prefect_sluice"}


class _Source(importlib.machinery.SourceFileLoader):
    """Always compiles the text: a .pyc would write into the checkout, or be one of another commit."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _ProjectFinder(importlib.abc.MetaPathFinder):
    """Finds modules below one folder; `own` is never looked for elsewhere."""

    def __init__(self, root: Path, own: frozenset[str]) -> None:
        self._root = root
        self._own = own

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not self.claims(fullname.partition(".")[0]):
            return None
        place = self._root.joinpath(*fullname.split("."))
        inside, single = place / "__init__.py", place.parent / f"{place.name}.py"
        if inside.is_file():
            return _spec(fullname, inside, package=place)
        if single.is_file():
            return _spec(fullname, single)
        return _namespace(fullname, place) if place.is_dir() else None

    def claims(self, top: str) -> bool:
        """Say whether `top`, a top-level name, is the project's, as if its root came first on sys.path."""
        if top in _NEVER_FROM_A_PROJECT:
            return False
        place = self._root / top
        if (place / "__init__.py").is_file() or (self._root / f"{top}.py").is_file():
            return True
        # A plain folder loses to an installed package of its name: a folder `prefect/` must not hide Prefect.
        return _holds_python(place) and (top in self._own or not _installed(top))


def _spec(fullname: str, file: Path, *, package: Path | None = None) -> importlib.machinery.ModuleSpec | None:
    return importlib.util.spec_from_file_location(
        fullname,
        file,
        loader=_Source(fullname, str(file)),
        submodule_search_locations=None if package is None else [str(package)],
    )


def _namespace(fullname: str, place: Path) -> importlib.machinery.ModuleSpec:
    spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
    spec.submodule_search_locations = [str(place)]
    return spec


def _holds_python(place: Path) -> bool:
    return place.is_dir() and next(place.rglob("*.py"), None) is not None


def _installed(top: str) -> bool:
    spec = importlib.machinery.PathFinder.find_spec(top)
    return spec is not None and spec.origin is not None


def import_from(root: Path, own: Sequence[str] = ()) -> None:
    """Have this process import the modules below `root` from there, from now on. Nothing is written.

    `own` names modules ("contracts.marts") that come from there whatever is installed.
    """
    finder = _ProjectFinder(root.resolve(), frozenset(name.partition(".")[0] for name in own))
    # A project's folder may bear the name of a package that is loaded.
    claimed = {top for top in {entry.stem for entry in root.iterdir()} if finder.claims(top)}
    for name in list(sys.modules):
        if name.partition(".")[0] in claimed:
            del sys.modules[name]
    sys.meta_path.insert(0, finder)


def ready() -> str:
    """Make pandera and Ibis ready for contracts; return why that cannot be, "" if it can. Repeatable."""
    try:
        with _without_hypothesis():
            importlib.import_module("pandera.ibis")
            # Until the backends are registered, built-in checks do not know Ibis.
            importlib.import_module("pandera.backends.ibis.register").register_ibis_backends()
    except ImportError as error:
        return (
            f"contracts need pandera and Ibis ({first_line(error)}): pip install 'prefect-sluice[contracts]'"
        )
    return ""


@contextmanager
def _without_hypothesis() -> Generator[None]:
    """Keep pandera from loading hypothesis, where it is not loaded: half a second for something that makes up data."""
    name = "hypothesis"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = cast(ModuleType, None)  # which is how Python is told that there is none
    try:
        yield
    finally:
        del sys.modules[name]


def load_schema(root: Path, reference: str) -> Any:
    """Return the pandera.ibis DataFrameSchema that `module:Class` names; call it after `import_from(root)`.

    A DataFrameModel is turned into its schema, one for pandas into one for Ibis. Raises ContractInvalid, in one line, for
    whatever goes wrong.
    """
    name, colon, attribute = reference.partition(":")
    file = f"{name.replace('.', '/')}.py"
    if not (colon and name and attribute):
        raise ContractInvalid(f"{reference!r} is no contract", fix="write it as module:Class")
    if not ((root / file).is_file() or (root / file).with_suffix("").joinpath("__init__.py").is_file()):
        raise ContractInvalid("there is no such file in the project", where=file)
    try:
        module = importlib.import_module(name)
        contract = cast(Any, getattr(module, attribute, None))
        schema = contract.to_schema() if hasattr(contract, "to_schema") else contract
    except (Exception, SystemExit) as error:
        raise ContractInvalid(first_line(error), where=blame(error, root) or file) from error
    if contract is None:
        raise ContractInvalid(f"there is no class {attribute!r} in it", where=file)
    return _of_ibis(schema, attribute, file)


def _of_ibis(schema: Any, attribute: str, file: str) -> Any:
    pandera: Any = importlib.import_module("pandera.ibis")
    if isinstance(schema, pandera.DataFrameSchema):
        return schema
    if is_of_pandas(schema):
        try:
            return converted(schema)
        except NotConvertible as reason:
            raise ContractInvalid(f"{attribute} is a contract for pandas: {reason}", where=file) from reason
    kind = f"{type(schema).__module__}.{type(schema).__qualname__}"
    what = f"{attribute} is a {kind}, not a pandera.ibis schema"
    raise ContractInvalid(what, where=file, fix="derive it from pandera.ibis.DataFrameModel")


def blame(error: BaseException, root: Path) -> str:
    """Return `file:line` of the project's innermost line that raised `error`, or "" if none of its did."""
    base = root.resolve()
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename is not None:
        lines.append((error.filename, error.lineno))
    for filename, line in reversed(lines):
        if Path(filename).is_relative_to(base):
            return f"{Path(filename).relative_to(base).as_posix()}:{line}"
    return ""
