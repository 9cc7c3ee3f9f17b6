"""What code of a dbt project reaches outside of its checkout while it builds, as far as its texts say: `build` in sluice.yml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

from prefect_sluice.dbt.session import ADDRESSES
from prefect_sluice.runtime.allowed_variables import names_read
from prefect_sluice.runtime.redaction import is_confidential

_TEXTS = frozenset({".sql", ".py", ".yml", ".yaml"})
_SKIPPED = frozenset({"target", "logs", ".git", ".sluice"})
_SCHEME = rf"(?:{'|'.join(ADDRESSES)})"
_SQL_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/|\{#.*?#\}", re.DOTALL)
_QUOTED_ADDRESS = re.compile(rf"""['"](?!https?://['"]){_SCHEME}""", re.IGNORECASE)
"""No address: a beginning alone, that text functions take off (dbt_utils.get_url_host does)."""
_LOCATION_ADDRESS = re.compile(
    rf"""\b(?:external_location|external_root|location)\s*[:=]\s*.*?{_SCHEME}""", re.IGNORECASE
)
_READ = re.compile(
    r"""(?:(?:\bread_\w+\s*\(\s*\[?\s*|\bglob\s*\(\s*|\bfrom\s+)['"]|\bexternal_location\s*:\s*['"]?)(/[^'"\n*?{]+)""",
    re.IGNORECASE,
)
_WRITTEN = re.compile(
    r"""(?:\bto\s+'|\blocation\s*=\s*['"]|\bexternal_root\s*:\s*['"]?)(/[^'"\n{]+)""", re.IGNORECASE
)
_REMOTE = re.compile(rf"^(?:md:|motherduck:|{_SCHEME}|(?:postgres|mysql):)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BuildNeeds:
    """`network` is the file that names an address elsewhere, "" for none; `reads` and `writes` are absolute paths of files and
    folders outside the repository, each with the file that names it; `secrets` are variables that the project reads by
    `env_var` and that are secrets by their names."""

    network: str = ""
    reads: Mapping[str, str] = field(default_factory=dict[str, str])
    writes: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self.network or self.reads or self.writes or self.secrets)


def build_needs(project: Path, top: Path, targets: Iterable[Mapping[str, Any]] = ()) -> BuildNeeds:
    """Look through the texts of a dbt project in the repository `top`, and the settings of its profile's targets. What is put
    together from variables is not found: dbt's refusal names the key then."""
    texts = dict(project_texts(project))
    network = next((name for name, text in texts.items() if _names_address(name, text)), "")
    return BuildNeeds(
        network or ("profiles.yml" if any(map(_is_remote, targets)) else ""),
        _outside(texts, _READ, top),
        {str(PurePosixPath(path).parent): name for path, name in _outside(texts, _WRITTEN, top).items()},
        tuple(sorted(name for name in names_read(texts.values()) if is_confidential(name))),
    )


def project_texts(project: Path) -> Iterator[tuple[str, str]]:
    """Yield the path from the project's folder and the text of each file that dbt reads, packages' too, without comments."""
    for path in sorted(project.rglob("*")):
        name = path.relative_to(project)
        if path.suffix in _TEXTS and path.is_file() and not _SKIPPED & set(name.parts):
            text = path.read_text("utf-8", errors="replace")
            yield name.as_posix(), _SQL_COMMENT.sub("", text) if path.suffix == ".sql" else text


def _names_address(name: str, text: str) -> bool:
    # In YAML an address is most often that of a page, in a description.
    pattern = _LOCATION_ADDRESS if name.endswith((".yml", ".yaml")) else _QUOTED_ADDRESS
    return pattern.search(text) is not None


def _outside(texts: Mapping[str, str], pattern: re.Pattern[str], top: Path) -> dict[str, str]:
    return {
        str(PurePosixPath(match[1].strip())): name
        for name, text in texts.items()
        for match in pattern.finditer(text)
        if not Path(match[1]).is_relative_to(top)
    }


def _is_remote(settings: Mapping[str, Any]) -> bool:
    attached: list[Any] = [*(settings.get("attach") or ())]
    places = [
        str(cast("dict[str, Any]", entry).get("path", "") if isinstance(entry, dict) else entry)
        for entry in attached
    ]
    return bool(settings.get("secrets")) or any(
        _REMOTE.match(place) for place in (*places, str(settings.get("path", "")))
    )
