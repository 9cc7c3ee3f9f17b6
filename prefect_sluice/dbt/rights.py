"""What code of a change is given while dbt runs it: what it reads, where it writes, which variables it sees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from prefect_sluice.config.model import BuildSettings
from prefect_sluice.dbt.profile import Target
from prefect_sluice.dbt.profile_paths import at_home
from prefect_sluice.dbt.session import Session
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.isolation.sandbox import Rights
from prefect_sluice.runtime.allowed_variables import names_read, visible

_TEXTS = frozenset({".sql", ".yml", ".yaml", ".py", ".md"})
_FOLDERS = ("extension_directory", "file_search_path", "home_directory", "secret_directory")
_SCHEME = re.compile(r"^(?:(?:ducklake|duckdb|sqlite):)+", re.IGNORECASE)
_KEPT_OUT = re.compile(r"permission denied|read-only file system|operation not permitted", re.IGNORECASE)
_NO_NETWORK = re.compile(
    r"could not (?:connect|establish|resolve)|network is unreachable|name resolution|connection refused|curl",
    re.IGNORECASE,
)


def of_build(
    session: Session,
    settings: BuildSettings,
    checkout: Path,
    *,
    included: tuple[Path, ...],
    profile: Path,
    environ: Mapping[str, str],
    required: bool,
) -> Rights:
    """Return what dbt is given that builds in `checkout`, the repository's folder. `included` are files and folders linked into
    it, `profile` is profiles.yml, `environ` are all variables; `required`: without isolation nothing runs."""
    declared = tuple(Path(path) for path in (*settings.may_read, *settings.may_write))
    return Rights(
        read=(checkout, *included, *_of_profile(session), _extensions(), *declared),
        write=(checkout, *(Path(path) for path in settings.may_write)),
        variables=_variables(checkout, settings, profile, environ),
        timeout=None,
        network=settings.network,
        required=required,
        file_size=None,
    )


def _variables(
    checkout: Path, settings: BuildSettings, profile: Path, environ: Mapping[str, str]
) -> Mapping[str, str]:
    """Return what is seen: of the profile even secrets, since dbt opens by them what it attaches."""
    of_profile = names_read(
        [profile.read_text(encoding="utf-8", errors="replace")] if profile.is_file() else []
    )
    of_project = names_read(_texts(checkout))
    of_dbt = {name for name in environ if name.startswith("DBT_")}
    return visible(environ, of_project | of_dbt, {*settings.env, *of_profile})


def _texts(checkout: Path) -> Iterator[str]:
    for path in checkout.rglob("*"):
        if path.suffix in _TEXTS and path.is_file():
            content = path.read_bytes()
            if b"env_var" in content:
                yield content.decode(errors="replace")


def _of_profile(session: Session) -> Iterator[Path]:
    """Yield what dbt reads for the profile: the database that serves, those that are attached, folders of settings."""
    target = session.target
    yield from _database(session.live or target.database.files[0])
    settings = at_home(target.settings, target.settings, session.home)
    for attached in _list(settings.get("attach")):
        if (path := _attached_file(attached)) is not None:
            yield from _database(path)
    for key in ("settings", "config_options"):
        options: Any = settings.get(key) or {}
        yield from (Path(str(options[name])) for name in _FOLDERS if options.get(name))
    yield from (Path(str(path)) for path in settings.get("module_paths") or ())


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _attached_file(attached: Any) -> Path | None:
    """Return the file of a database that the profile attaches; None for one in memory or elsewhere."""
    entry = cast("dict[str, Any]", attached) if isinstance(attached, dict) else {"path": attached}
    path = _SCHEME.sub("", str(entry.get("path") or ""))
    return None if not path or "://" in path or path.startswith(":") else Path(path).expanduser()


def _database(path: Path) -> Iterator[Path]:
    yield from (path, path.with_name(f"{path.name}.wal"))


def _extensions() -> Path:
    """Return where DuckDB keeps its extensions for this account, if it is not told."""
    return Path.home() / ".duckdb" / "extensions"


def profile_within(target: Target, home: Path, rights: Rights) -> Target:
    """Return the target with what these rights need: a database that may not be written to is attached to be read, and DuckDB
    looks for extensions where they are, whatever home folder the process has. Pure, but that it looks which files exist."""
    settings, raw = dict(target.settings), dict(target.raw)
    rendered = _list(at_home(settings, settings, home).get("attach"))
    for written in (settings, raw):
        pairs = zip(_list(written.get("attach")), rendered, strict=False)
        if rendered:
            written["attach"] = [_to_read(entry, _attached_file(of), rights) for entry, of in pairs]
        options: dict[str, Any] = dict(written.get("config_options") or {})
        if "extension_directory" not in {*options, *(settings.get("settings") or {})}:
            written["config_options"] = {**options, "extension_directory": str(_extensions())}
    return replace(target, settings=settings, raw=raw)


def _to_read(entry: Any, file: Path | None, rights: Rights) -> Any:
    is_ours = file is not None and any(file.resolve().is_relative_to(path.resolve()) for path in rights.write)
    if file is None or is_ours or not file.exists() or not isinstance(entry, dict):
        return entry
    kept = cast("dict[str, Any]", entry)
    options: dict[str, Any] = dict(kept.get("options") or {})
    options.pop("read_only", None)
    return {**kept, "options": options, "read_only": True}


def explained(result: NodeResult, rights: Rights) -> NodeResult:
    """Return a result whose message says what sluice.yml may allow, where the code was kept from something. Pure."""
    if result.ok or not result.message:
        return result
    if _KEPT_OUT.search(result.message):
        way = "code of a change reads and writes what sluice.yml names: build: may_read, may_write"
    elif not rights.network and _NO_NETWORK.search(result.message):
        way = "code of a change reaches no network unless sluice.yml says so: build: {network: true}"
    else:
        return result
    return replace(result, message=f"{result.message} ({way})")
