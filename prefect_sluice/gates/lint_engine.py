"""sqlfluff as the gate `lint` uses it: it prints nothing and reads nothing but the project."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

from prefect_sluice.canonical import Json, canonical, digest, digest_file

Settings: TypeAlias = "dict[str, Any]"  # sqlfluff's own shape: sections of settings, in sections

# Where sqlfluff looks for settings, and the text that says that a shared file holds some.
_SECTIONS = {
    ".sqlfluff": "",
    "setup.cfg": "[sqlfluff",
    "tox.ini": "[sqlfluff",
    "pep8.ini": "[sqlfluff",
    "pyproject.toml": "[tool.sqlfluff",
}
# The jinja templater knows no `snapshot` block. An `if` renders and indents like one, on the same lines.
_SNAPSHOT_BEGIN = re.compile(r"\{%(-?)\s*snapshot\b.*?(-?)%\}", re.DOTALL)
_SNAPSHOT_END = re.compile(r"\{%(-?)\s*endsnapshot\s*(-?)%\}")
# What dbt puts into each file's context and `apply_dbt_builtins` leaves out. The values only have to render.
_DBT_CONTEXT: Settings = {
    "context": {
        "execute": False,
        "target": {
            "name": "dev",
            "schema": "dev",
            "database": "dev",
            "type": "dev",
            "profile_name": "dev",
            "threads": 1,
        },
    },
    "macros": {"sluice_env_var": "{% macro env_var(name, default='') %}{{ default }}{% endmacro %}"},
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation, as sqlfluff tells it; `line` counts from 1, `warning` is the project's own wish."""

    code: str
    name: str
    line: int
    description: str
    warning: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What sqlfluff said of one file; `skipped` and `broken` say why it said nothing."""

    violations: tuple[Violation, ...] = ()
    skipped: str = ""
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings for one folder, and a digest of all but a file's text that decides what is found there."""

    settings: Settings
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Source:
    """One file to lint: its place, its text as sqlfluff gets it, the rules for its folder."""

    file: str
    text: str
    rules: Rules

    @property
    def key(self) -> str:
        """Return the digest of all that decides the answer; where the checkout stands is no part of it."""
        return digest([self.text, self.rules.fingerprint])


@dataclass(frozen=True, slots=True)
class Workspace:
    """A dbt project's folder and those above it, up to its repository's root, where settings may be."""

    project: Path

    @property
    def root(self) -> Path:
        """Return the repository's root; the project itself where there is no `.git`."""
        places = (self.project, *self.project.parents)
        return next((place for place in places if (place / ".git").exists()), self.project)

    def folders(self, file: Path) -> tuple[Path, ...]:
        """Return the folders whose settings count for `file`, outermost and weakest first."""
        return tuple(p for p in reversed(file.parents) if p == self.root or self.root in p.parents)

    def has_settings(self, files: Iterable[Path]) -> bool:
        """Say whether sqlfluff is configured for any of `files`."""
        return any(_configured(folder) for folder in {f for file in files for f in self.folders(file)})

    def rules(self, folder: Path) -> Rules:
        """Return the rules for files in `folder`. Raises sqlfluff's SQLFluffUserError if they cannot be."""
        from sqlfluff.core import FluffConfig

        settings = _settings(self.folders(folder / "any.sql"), self.project)
        FluffConfig(settings, ignore_local_config=True, require_dialect=False)
        return Rules(settings, _fingerprint(settings, self.root))

    def ignores(self, file: Path) -> bool:
        """Say whether the project excludes `file` by `.sqlfluffignore` or `ignore_paths`."""
        from sqlfluff.core.linter.discovery import paths_from_path

        return not paths_from_path(str(file), working_path=str(self.root))


def forget_settings() -> None:
    """Empty sqlfluff's caches: they go by path, and a checkout may stand where another one stood."""
    from sqlfluff.core.config import clear_config_caches

    clear_config_caches()


def read(file: Path, rules: Rules, *, snapshot: bool) -> Source:
    """Return what is to be linted. Raises OSError if the file cannot be read."""
    text = file.read_text("utf-8", errors="backslashreplace")
    if snapshot:
        text = _SNAPSHOT_END.sub(r"{%\1 endif \2%}", _SNAPSHOT_BEGIN.sub(r"{%\1 if true \2%}", text))
    return Source(str(file), text, rules)


def lint(source: Source) -> Answer:
    """Lint one file. What breaks inside sqlfluff (rules, plugins, the project's macros) is its answer too."""
    try:
        with quiet():
            return _linted(source)
    except Exception as error:
        return Answer(broken=first_line(error))


def first_line(error: Exception) -> str:
    """Return the first line of an error, or the name of its class if it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def quiet() -> Generator[None]:
    """Keep sqlfluff's log lines and warnings from being printed. Leaves nothing behind."""
    logger, sink = logging.getLogger("sqlfluff"), logging.NullHandler()
    propagated = logger.propagate
    logger.addHandler(sink)
    logger.propagate = False
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.removeHandler(sink)
        logger.propagate = propagated


def _linted(source: Source) -> Answer:
    from sqlfluff.core import FluffConfig, Linter

    config = FluffConfig(source.rules.settings, ignore_local_config=True, require_dialect=False)
    limit, size = int(config.get("large_file_skip_byte_limit") or 0), len(source.text.encode())
    if 0 < limit < size:
        return Answer(skipped=f"not linted: {size} bytes are over large_file_skip_byte_limit = {limit}")
    found = Linter(config).lint_string(source.text, source.file).get_violations(filter_warning=False)
    return Answer(
        tuple(Violation(v.rule_code(), v.rule_name(), v.line_no, v.desc(), v.warning) for v in found)
    )


def _configured(folder: Path) -> bool:
    files = ((folder / name, section) for name, section in _SECTIONS.items())
    return any(
        file.is_file() and section in file.read_text("utf-8", errors="replace") for file, section in files
    )


def _settings(folders: Iterable[Path], project: Path) -> Settings:
    """Return the settings of `folders` combined; where they ask for dbt's templater, fit for jinja's."""
    from sqlfluff.core.config import load_config_at_path
    from sqlfluff.core.helpers.dict import nested_combine

    found = cast("Settings", nested_combine(*(load_config_at_path(str(f)) for f in folders if f.is_dir())))
    if found.get("core", {}).get("templater") != "dbt":
        return found
    jinja = {"apply_dbt_builtins": True, "load_macros_from_path": _macro_folders(project), **_DBT_CONTEXT}
    own = {"templater": {"jinja": found.get("templater", {}).get("jinja", {})}}
    forced: Settings = {"core": {"templater": "jinja"}}
    return cast("Settings", nested_combine(found, {"templater": {"jinja": jinja}}, own, forced))


def _macro_folders(project: Path) -> str:
    """Return dbt's macro folders that exist, as sqlfluff wants them: joined by commas."""
    try:
        told: object = yaml.safe_load((project / "dbt_project.yml").read_text("utf-8"))
    except (OSError, yaml.YAMLError):
        told = None
    names: object = cast("dict[str, object]", told).get("macro-paths") if isinstance(told, dict) else None
    paths = [
        project / str(name) for name in cast("list[object]", names if isinstance(names, list) else ["macros"])
    ]
    return ",".join(str(path) for path in paths if path.is_dir())


def _fingerprint(settings: Settings, root: Path) -> str:
    # Settings hold absolute paths, and each release has a checkout of its own.
    portable = canonical(cast("Json", settings)).decode().replace(str(root), "")
    return digest({"settings": portable, "files": _files_named(settings, root), "tools": _tools()})


def _files_named(settings: Mapping[str, object], root: Path) -> dict[str, str]:
    """Return path and digest of each file that a setting points to (macros, libraries): they decide too."""
    places = [Path(part) for value in _leaves(settings) for part in value.split(",")]
    files = {
        f for p in places if p.is_absolute() for f in (p, *p.rglob("*")) if f.is_file() and f.suffix != ".pyc"
    }
    return {str(file).removeprefix(str(root)): digest_file(file) for file in files}


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in cast("dict[str, object]", value).values():
            yield from _leaves(below)


def _tools() -> list[str]:
    """Return sqlfluff, its plugins and its lexer with their versions: another one may answer otherwise."""
    plugins = {
        f"{entry.dist.name} {entry.dist.version}" for entry in entry_points(group="sqlfluff") if entry.dist
    }
    try:
        return [*sorted(plugins), f"sqlfluffrs {version('sqlfluffrs')}"]
    except PackageNotFoundError:
        return sorted(plugins)
