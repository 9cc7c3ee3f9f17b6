"""sqlfluff as the gate `lint` uses it: it prints nothing and reads nothing but the project."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json, canonical, digest, digest_file
from prefect_sluice.gates.lint.project_files import TemplateProject

if TYPE_CHECKING:
    from sqlfluff.core import Linter
    from sqlfluff.core.errors import SQLBaseError

Settings: TypeAlias = "dict[str, Any]"  # sqlfluff's own shape: sections of settings, in sections

# Where sqlfluff looks for settings, and the text that says that a shared file holds some.
SECTIONS = {
    ".sqlfluff": "",
    "setup.cfg": "[sqlfluff",
    "tox.ini": "[sqlfluff",
    "pep8.ini": "[sqlfluff",
    "pyproject.toml": "[tool.sqlfluff",
}
_FORM = 4
"""The form of what templates are given: an answer of an older form is not taken for one of today's."""
_RENDERED_BY_US = {"jinja", "dbt", "dbt-cloud"}
"""Templaters for which ours stands in; the raw, python and placeholder ones are taken as they are."""
UNREADABLE = frozenset({"TMP", "PRS", "LXR"})
"""What sqlfluff says of a file that it could not render or parse."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation, as sqlfluff tells it: of what stands from `line` to `end`, counted from 1; `warning` is the project's own
    wish, `fixable` says that sqlfluff can mend it."""

    code: str
    name: str
    line: int
    end: int
    description: str
    warning: bool
    fixable: bool


@dataclass(frozen=True, slots=True)
class LintedFile:
    """What sqlfluff said of one file; `skipped` and `broken` say why it said nothing, `unrendered` why only dbt could have
    rendered it, so that what sqlfluff says of half of it is left out."""

    violations: tuple[Violation, ...] = ()
    skipped: str = ""
    broken: str = ""
    unrendered: str = ""

    @property
    def is_whole(self) -> bool:
        """Say whether it is about the file as a whole: nothing in it was linted."""
        return bool(self.skipped or self.broken or self.unrendered)

    @property
    def is_read(self) -> bool:
        """Say whether the file was rendered and parsed to its end."""
        return not self.is_whole and not any(item.code in UNREADABLE for item in self.violations)


@dataclass(frozen=True, slots=True)
class LintRules:
    """The settings for one folder, and a digest of all but a file's text that decides what is found there.

    `dbt` is what templates may ask for, None where the project wants sqlfluff's templater as it is.
    """

    settings: Settings
    fingerprint: str
    dbt: TemplateProject | None = None


@dataclass(frozen=True, slots=True)
class FileToLint:
    """One file to lint: its place, its text as sqlfluff gets it, the rules for its folder."""

    file: str
    text: str
    rules: LintRules

    @property
    def key(self) -> str:
        """Return the digest of all that decides the answer; where the checkout stands is no part of it."""
        return digest([self.text, self.rules.fingerprint])


@dataclass(frozen=True, slots=True)
class LintWorkspace:
    """A dbt project's folder and those above it, up to its repository's root, where settings may be.

    `dbt` is what its templates may ask for. `top` is the root of a checkout: it has no `.git`, and lies in the working tree of
    somebody, whose settings are none of the commit's.
    """

    project: Path
    dbt: TemplateProject = field(default_factory=TemplateProject)
    top: Path | None = None

    @property
    def root(self) -> Path:
        """Return the repository's root; the project itself where there is no `.git`."""
        if self.top is not None:
            return self.top
        folders = (self.project, *self.project.parents)
        return next((folder for folder in folders if (folder / ".git").exists()), self.project)

    def folders(self, file: Path) -> tuple[Path, ...]:
        """Return the folders whose settings count for `file`, outermost and weakest first."""
        return tuple(p for p in reversed(file.parents) if p == self.root or self.root in p.parents)

    def has_settings(self, files: Iterable[Path]) -> bool:
        """Say whether sqlfluff is configured for any of `files`."""
        return any(_configured(folder) for folder in {f for file in files for f in self.folders(file)})

    def settings(self, file: Path) -> tuple[Path, ...]:
        """Return the files that may hold settings for `file`, whether they are there or not."""
        return tuple(folder / name for folder in self.folders(file) for name in SECTIONS)

    def rules(self, folder: Path) -> LintRules:
        """Return the rules for files in `folder`. Raises sqlfluff's SQLFluffUserError if they cannot be."""
        from sqlfluff.core import FluffConfig

        settings = _settings(self.folders(folder / "any.sql"), self.dbt.adapter)
        FluffConfig(settings, ignore_local_config=True, require_dialect=False)
        known = self.dbt if settings.get("core", {}).get("templater") in _RENDERED_BY_US else None
        return LintRules(settings, _fingerprint(settings, self.root, known), known)

    def ignores(self, file: Path) -> bool:
        """Say whether the project excludes `file` by `.sqlfluffignore` or `ignore_paths`."""
        from sqlfluff.core.linter.discovery import paths_from_path

        return not paths_from_path(str(file), working_path=str(self.root))


def forget_settings() -> None:
    """Empty sqlfluff's caches: they go by path, and a checkout may stand where another one stood."""
    from sqlfluff.core.config import clear_config_caches

    clear_config_caches()


def read(file: Path, rules: LintRules) -> FileToLint | LintedFile:
    """Return what is to be linted, or why it cannot be."""
    try:
        return FileToLint(str(file), file.read_text("utf-8-sig"), rules)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return LintedFile(
            broken=f"the file is not UTF-8: byte 0x{error.object[error.start]:02x} in line {line}"
        )
    except OSError as error:
        return LintedFile(broken=f"the file cannot be read: {error.strerror}")


def lint(source: FileToLint) -> LintedFile:
    """Lint one file. What breaks inside sqlfluff (rules, plugins, the project's macros) is its answer too."""
    try:
        with quiet():
            return _linted(source)
    except Exception as error:
        return LintedFile(broken=f"sqlfluff broke on this file: {first_line(error)}")


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


def fix(source: FileToLint) -> str | None:
    """Return the text as sqlfluff would write it; None if it cannot be, or if what came of it could not be parsed again.

    Raises whatever sqlfluff and its plugins raise.
    """
    with quiet():
        linted = _linter(source).lint_string(source.text, source.file, fix=True)
        said = {violation.rule_code() for violation in linted.get_violations(filter_ignore=False)}
        if said & UNREADABLE or linted.tree is None or linted.templated_file is None:
            return None
        text, _ = linted.fix_string()
        again = _linted(replace(source, text=text))
    broken = again.unrendered or any(item.code in UNREADABLE for item in again.violations)
    return None if broken else text


def _linted(source: FileToLint) -> LintedFile:
    linter = _linter(source)
    limit, size = int(linter.config.get("large_file_skip_byte_limit") or 0), len(source.text.encode())
    if 0 < limit < size:
        return LintedFile(
            skipped=f"not linted: {count(size, 'byte is', 'bytes are')} over large_file_skip_byte_limit = {limit}"
        )
    found = linter.lint_string(source.text, source.file).get_violations(filter_warning=False)
    if why := _unrendered(found, linter, source.text):
        return LintedFile(unrendered=why)
    return LintedFile(tuple(map(_violation, found)))


def _violation(found: SQLBaseError) -> Violation:
    code, name = found.rule_code(), found.rule_name()
    fixable = bool(getattr(found, "fixable", False))
    return Violation(code, name, found.line_no, _end(found), found.desc(), found.warning, fixable)


def _end(found: SQLBaseError) -> int:
    """Return the last line of what a violation is about; of a template that fails there is only one."""
    position = getattr(getattr(found, "segment", None), "pos_marker", None)
    if position is None:
        return found.line_no
    text: str = position.templated_file.source_str
    last = max(position.source_slice.stop - 1, position.source_slice.start)
    return max(found.line_no, text.count("\n", 0, last) + 1)


def _unrendered(found: Sequence[SQLBaseError], linter: Linter, text: str) -> str:
    """Return why a file cannot be rendered here, although dbt may: it says so, or cannot be read as it asked a warehouse.
    "" where it was, or is no template at all: that is none for dbt either."""
    bad = [item for item in found if item.rule_code() in UNREADABLE]
    asked = sorted(getattr(linter.templater, "asked", ()))
    is_template = getattr(linter.templater, "parses", None)
    if not bad or (is_template is not None and not is_template(text)):
        return ""
    failed = next((item.desc() for item in bad if item.rule_code() == "TMP"), "")
    if asked:
        return f"what its template gives is known only with the warehouse: it asks for {', '.join(asked[:3])}"
    return f"its template could not be rendered without dbt: {failed}" if failed else ""


def _linter(source: FileToLint) -> Linter:
    from sqlfluff.core import FluffConfig, Linter

    config = FluffConfig(source.rules.settings, ignore_local_config=True, require_dialect=False)
    linter = Linter(config)
    if source.rules.dbt is not None:
        from prefect_sluice.gates.lint.templater import DbtJinja

        linter.templater = DbtJinja(source.rules.dbt)
    return linter


def _configured(folder: Path) -> bool:
    files = ((folder / name, section) for name, section in SECTIONS.items())
    return any(
        file.is_file() and section in file.read_text("utf-8", errors="replace") for file, section in files
    )


def _settings(folders: Iterable[Path], adapter: str) -> Settings:
    """Return the settings of `folders` combined; where they ask for dbt's templater, for jinja's in its place, and where they
    name no dialect, for that of the warehouse."""
    from sqlfluff.core.config import load_config_at_path
    from sqlfluff.core.helpers.dict import nested_combine

    found = cast("Settings", nested_combine(*(load_config_at_path(str(f)) for f in folders if f.is_dir())))
    if not found.get("core", {}).get("dialect"):
        found = cast("Settings", nested_combine(found, {"core": {"dialect": adapter}}))
    if found.get("core", {}).get("templater", "jinja") not in _RENDERED_BY_US:
        return found
    forced: Settings = {"core": {"templater": "jinja"}, "templater": {"jinja": {"apply_dbt_builtins": True}}}
    return cast("Settings", nested_combine(found, forced))


def _fingerprint(settings: Settings, root: Path, known: TemplateProject | None) -> str:
    # Settings hold absolute paths, and each release has a checkout of its own.
    portable = canonical(cast("Json", settings)).decode().replace(str(root), "")
    files = _files_named(settings, root)
    dbt = [_FORM, known.fingerprint] if known else []
    return digest({"settings": portable, "files": files, "tools": _tools(), "dbt": dbt})


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
