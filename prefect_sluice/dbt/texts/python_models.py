"""What a Python model is made of: its code without comments and docstrings, the project's modules it imports, and packages."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prefect_sluice.dbt.texts.distributions import Distributions
from prefect_sluice.domain.digests import digest, digest_file

_HANDED_ON = {"df": "pandas", "pl": "polars", "arrow": "pyarrow", "to_arrow_table": "pyarrow"}
"""Methods of what `dbt.ref` gives, and the package whose objects they make."""

_CLOCK = frozenset(
    {"now", "today", "utcnow", "time", "time_ns", "monotonic", "perf_counter", "localtime", "gmtime"}
)
_CHANCE = frozenset(
    {"random", "secrets", "uuid", "uuid1", "uuid4", "default_rng", "RandomState", "randn", "randint"}
)
_CHANCE_METHODS = frozenset({"sample", "shuffle", "permutation", "urandom"})


@dataclass(slots=True)
class PythonCode:
    """Reads the Python models of the project in `folder`, and remembers its modules."""

    folder: Path
    _files: dict[str, list[Path]] = field(default_factory=dict[str, "list[Path]"])
    _distributions: Distributions = field(default_factory=Distributions)

    def parts(self, code: str) -> Mapping[str, str]:
        """Return the digests of what a model is made of, by ingredient."""
        digests = {"code": meaning(code), "python": f"{sys.version_info.major}.{sys.version_info.minor}"}
        sources = [code]
        for path in self._modules(code):
            text = path.read_text(encoding="utf-8", errors="replace")
            sources.append(text)
            digests[f"module {path.relative_to(self.folder).as_posix()}"] = meaning(text) or digest_file(path)
        modules = {module for text in sources for module in _foreign_modules(text)}
        for package in sorted(self._distributions.that_bring(modules)):
            digests[f"package {package}"] = importlib.metadata.version(package)
        return digests

    def volatile(self, code: str) -> tuple[str, ...]:
        """Return which clock and random functions a model and its modules may call; in doubt one more."""
        texts = [code, *(path.read_text(encoding="utf-8", errors="replace") for path in self._modules(code))]
        return tuple(sorted({word for text in texts for word in _words_in_code(text)}))

    def modules(self, code: str) -> tuple[str, ...]:
        """Return the paths, relative to the project, of its modules that a Python model imports, directly or not."""
        return tuple(path.relative_to(self.folder).as_posix() for path in self._modules(code))

    def _modules(self, code: str) -> Iterator[Path]:
        """Yield the project's modules that the code imports, and those that they import."""
        seen: set[Path] = set()
        todo = _imported(code)
        while todo:
            for path in self._python_files().get(todo.pop(), ()):
                if path not in seen:
                    seen.add(path)
                    todo |= _imported(path.read_text(encoding="utf-8", errors="replace"))
                    yield path

    def _python_files(self) -> Mapping[str, list[Path]]:
        """Return the project's Python files by the names under which they may be imported, wherever `sys.path` starts."""
        if not self._files:
            seen: set[str] = set()
            for folder, folders, names in os.walk(self.folder, followlinks=True):
                folders[:] = [name for name in sorted(folders) if self._is_new(Path(folder, name), seen)]
                inside = Path(folder).relative_to(self.folder).parts
                for name in names:
                    if name.endswith(".py"):
                        for part in (*inside, name.removesuffix(".py")):
                            self._files.setdefault(part, []).append(Path(folder, name))
        return self._files

    def _is_new(self, folder: Path, seen: set[str]) -> bool:
        """Say whether a folder is none that is walked by another path: what `source.include` links in is outside."""
        if not folder.is_symlink():
            return True
        target = os.path.realpath(folder)
        top = os.path.realpath(self.folder)
        if target in seen or Path(target).is_relative_to(top) or Path(top).is_relative_to(target):
            return False
        seen.add(target)
        return True


def meaning(code: str) -> str:
    """Return a digest of Python code, its comments, docstrings and layout left out; of the text where it may
    read its own source."""
    tree = _parsed(code)
    if tree is None or "__doc__" in code or "inspect" in code:
        return digest(code)
    for node in ast.walk(tree):
        if isinstance(
            node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        ) and _documented(node):
            del node.body[0]
    return digest(ast.dump(tree))


def _documented(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    first = node.body[0] if node.body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )


def _parsed(code: str) -> ast.Module | None:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError):
        return None


def _imported(code: str) -> set[str]:
    """Return every part of the dotted names that the code imports: any of them may be a module of the project."""
    tree = _parsed(code)
    names: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            names.update(part for alias in node.names for part in alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            names.update((node.module or "").split("."))
            names.update(alias.name for alias in node.names)
    return names - {""}


def _foreign_modules(code: str) -> set[str]:
    """Return the modules, none of Python's own, that the code imports or is handed objects of."""
    tree = _parsed(code)
    tops: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            tops.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            tops.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Attribute) and node.attr in _HANDED_ON:
            tops.add(_HANDED_ON[node.attr])
    return tops - sys.stdlib_module_names


def _words_in_code(code: str) -> set[str]:
    tree = _parsed(code)
    if tree is None:
        return {"clock:now", "random"}
    words: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.Name):
            words.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            words |= _imported(ast.unparse(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # SQL in a text: `session.sql("select now()")`.
            words |= {word.lower() for word in node.value.replace("(", " ").split()}
    clock = {"clock:now"} if words & (_CLOCK | {"current_date", "current_timestamp"}) else set[str]()
    chance = {"random"} if words & (_CHANCE | _CHANCE_METHODS) else set[str]()
    return clock | chance
