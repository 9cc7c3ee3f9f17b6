"""How the version of each source is found: what sluice.yml says of it, made into what is asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from glob import has_magic

from prefect_sluice.config import SourceVersion
from prefect_sluice.domain.counting import did_you_mean
from prefect_sluice.domain.errors import BadInput, ConfigInvalid
from prefect_sluice.warehouse.base import quoted

FILE, ELSEWHERE = "file:", "at:"
"""How the text of a file, and of a relation of another database, begins; that of a relation has neither."""


@dataclass(frozen=True, slots=True)
class DeclaredLoading:
    """What dbt says of a source's loading: an expression over its rows (`field`), or a whole query."""

    field: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class VersionMethod:
    """How one version is found. `measure` is selected from the source, `query` is asked as it is, of `table` (quoted SQL) all
    rows are, `files` are looked at (`stat`: size and time only, else their bytes). Nothing of it: a digest over all rows of the
    source, or all bytes.

    `key` is the key in sluice.yml, for messages.
    """

    key: str = ""
    measure: str = ""
    query: str = ""
    table: str = ""
    files: str = ""
    stat: bool = False

    @property
    def reads_the_source(self) -> bool:
        """Say whether the version is found in the relation itself, and stays as it is while nobody writes there."""
        return not (self.query or self.table or self.files)


EXACT = VersionMethod()
_THIS = re.compile(r"\{\{\s*this\s*\}\}")


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """The `sources` of sluice.yml, with what dbt knows. `declared` and `in_dbt` are by schema.relation, in lower case;
    `in_dbt` are all sources that dbt has."""

    settings: Mapping[str, SourceVersion] = field(default_factory=dict[str, SourceVersion])
    declared: Mapping[str, DeclaredLoading] = field(default_factory=dict[str, DeclaredLoading])
    in_dbt: frozenset[str] = frozenset()
    place: str = "sluice.yml"

    def way(self, text: str) -> VersionMethod:
        """Return how the version of one source is found, by its text. Raises ConfigInvalid where that cannot be."""
        key = match(self.settings, source_as_configured(text))
        if key is None:
            return EXACT
        setting = self.settings[key]
        match setting.version:
            case "content":
                return VersionMethod(key)
            case "rows":
                return VersionMethod(key, measure=_newest(quoted(setting.column)))
            case "loaded_at":
                return self._loaded_at(key, text)
            case "file":
                return self._file(key, text, setting)
            case "declared":
                return _declared(key, setting)

    def _loaded_at(self, key: str, text: str) -> VersionMethod:
        declared = self.declared.get(source_as_configured(text), DeclaredLoading())
        if declared.query:
            here = in_other_database(text) or quoted(*source_as_configured(text).split(".", 1))
            query = _THIS.sub(lambda _: here, declared.query)
            if "{" not in query:
                return VersionMethod(key, query=query)
        if declared.field:
            return VersionMethod(key, measure=_newest(declared.field))
        raise ConfigInvalid(
            f"dbt knows no loaded_at_field of {source_as_configured(text)}, nor a plain loaded_at_query",
            f"{self.place}: sources.{key}",
            "give it one in the project's sources, or say `version: rows` with a column",
        )

    def _file(self, key: str, text: str, setting: SourceVersion) -> VersionMethod:
        if text.startswith(FILE) and not setting.file:
            return VersionMethod(key, stat=True)
        if setting.file:
            return VersionMethod(key, files=setting.file, stat=True)
        raise ConfigInvalid(
            f"{source_as_configured(text)} is a relation, and nothing says which files it reads",
            f"{self.place}: sources.{key}",
            "name them: file: data/*.parquet",
        )


def _newest(expression: str) -> str:
    return f"count(*), max({expression})"


def _declared(key: str, setting: SourceVersion) -> VersionMethod:
    if setting.file:
        return VersionMethod(key, files=setting.file)
    if setting.query:
        return VersionMethod(key, query=setting.query)
    return VersionMethod(key, table=quoted(*setting.table.lower().split(".")))


def source_as_configured(text: str) -> str:
    """Return a source's text as people write it in sluice.yml: `raw.flights`, `data/x.csv`, `other.main.t`."""
    if text.startswith(ELSEWHERE):
        return text.removeprefix(ELSEWHERE).replace('"', "").lower()
    return text.removeprefix(FILE)


def in_other_database(text: str) -> str:
    """Return a source of another database as a query names it, by its text; "" for any other source."""
    return text.removeprefix(ELSEWHERE) if text.startswith(ELSEWHERE) else ""


def match(keys: Collection[str], name: str) -> str | None:
    """Return the key that speaks of `name`: the same one, else the first pattern that fits. Case does not count."""
    same = [key for key in keys if key.lower() == name.lower()]
    fits = (key for key in keys if fnmatchcase(name.lower(), key.lower()))
    return same[0] if same else next(fits, None)


def refuse_unknown(keys: Iterable[str], names: Collection[str], what: str, place: str) -> None:
    """Raise BadInput for the first key that speaks of nothing there is: what is written for nobody is a mistake."""
    for key in keys:
        if not any(match([key], name) for name in names):
            meant = "" if has_magic(key) else did_you_mean(key, names)
            fix = meant or "mend or remove the key"
            raise BadInput(f"no {what} of this project is called {key!r}", place, fix)
