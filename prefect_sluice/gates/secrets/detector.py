"""detect-secrets, asked about texts: no network, no code of the project's, and no secret that leaves this module."""

from __future__ import annotations

import json
import logging
import re
import tempfile
import threading
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha1
from pathlib import Path
from typing import Any, cast

from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.untrusted_text import parsing
from prefect_sluice.gates.secrets.literals import literals
from prefect_sluice.gates.secrets.syntax import KEYWORD, is_no_secret, line_of

_FORM = 3
"""The number of what is looked for here besides: what an older Sluice remembered as clean is looked at again."""
FILE = ".secrets.baseline"
"""Where detect-secrets writes what is known."""
_ANEW = "write it anew: detect-secrets scan > .secrets.baseline"

_ESCAPE = re.compile(r"\\[nrt]")
"""A line's end or a tabulator within a text in quotes: what comes after begins a word."""
_LISTS = frozenset({".lock", ".sum", ".map"})
_SAMPLES = frozenset({".example", ".sample", ".template", ".tmpl", ".dist", ".j2"})
"""What is put behind the name of a file that is to be filled in."""
_LOCK = threading.Lock()
"""Its settings are one for the whole process."""
_GUESSING = (
    "KeywordDetector",
    "Base64HighEntropyString",
    "HexHighEntropyString",
    "BasicAuthDetector",
    "JwtTokenDetector",
)
_TABLES = frozenset({".csv", ".tsv", ".psv", ".jsonl", ".ndjson", ".geojson"})
_OFTEN_DATA = frozenset({".json", ".ipynb", ".xml", ".html", ".svg"})
_SMALL = 100_000
"""Up to so many characters a file of these kinds is settings rather than data."""
_ALL = "detect_secrets.filters."
_OWN = ("common.", "regex.should_exclude_file", "wordlist.", "gibberish.")
"""Filters that would call home (verification), are done here (whole files), or want more packages."""


@dataclass(frozen=True, slots=True)
class PossibleSecret:
    """One possible secret, without itself: what it looks like, its line, and the SHA-1 that a baseline names it by."""

    type: str
    line: int
    digest: str

    @property
    def short(self) -> str:
        """The beginning of the digest: enough to find it in a baseline, too little to find it out."""
        return self.digest[:8]


@dataclass(frozen=True, slots=True)
class SecretRules:
    """What is looked for. `known` are (path, type, SHA-1) of a baseline, `excluded` patterns of paths;
    `plugins` and `filters` as detect-secrets writes them, empty for its own without `off`."""

    off: tuple[str, ...] = ()
    known: frozenset[tuple[str, str, str]] = frozenset()
    excluded: tuple[str, ...] = ()
    plugins: tuple[Mapping[str, Json], ...] = ()
    filters: tuple[Mapping[str, Json], ...] = field(default=())

    @property
    def key(self) -> str:
        """The digest of what decides whether a text is clean, with the engine's version."""
        from detect_secrets.__version__ import VERSION

        plain: list[Json] = [list(self.off), [dict(item) for item in self.plugins]]
        return digest([_FORM, VERSION, *plain, [dict(item) for item in self.filters]])

    @property
    def has_patterns(self) -> bool:
        """Say whether there may be patterns that somebody else wrote: a baseline brings them."""
        return bool(self.excluded or self.plugins or self.filters)

    def excludes(self, path: str) -> bool:
        """Say whether a baseline leaves this file out by a pattern. Raises BadInput for one that is none."""
        try:
            return any(re.search(pattern, path) for pattern in self.excluded)
        except re.error as error:
            raise BadInput(f"holds a pattern that is none ({error})", FILE, _ANEW) from None

    def document(self) -> dict[str, Json]:
        """Return what is looked for as JSON; what is known is not among it."""
        return {
            "off": list(self.off),
            "excluded": list(self.excluded),
            "plugins": [dict(plugin) for plugin in self.plugins],
            "filters": [dict(one) for one in self.filters],
        }

    @staticmethod
    def read(document: Mapping[str, Any]) -> SecretRules:
        """Return what `document` made JSON of."""
        off, excluded, plugins, filters = (
            tuple(document[key]) for key in ("off", "excluded", "plugins", "filters")
        )
        return SecretRules(off, excluded=excluded, plugins=plugins, filters=filters)


def is_list_of_digests(path: str) -> bool:
    """Say whether a program writes this file, a list of digests: a baseline, a lock file."""
    from detect_secrets.filters.heuristic import is_lock_file

    place = Path(path)
    return place.name == FILE or place.suffix in _LISTS or is_lock_file(path)


def rules(root: Path, folders: Iterable[str], off: tuple[str, ...]) -> SecretRules:
    """Return the rules with the baselines found in these folders of the repository. Raises BadInput for one that is broken.

    Plugins and filters that are code of the project's own are left out: a gate does not run what it judges.
    """
    made = SecretRules(off)
    for folder in dict.fromkeys(folders):
        file = root / folder / FILE
        if file.is_file():
            made = _with_baseline(made, file, "" if folder == "." else f"{folder}/")
    return made


def _with_baseline(made: SecretRules, file: Path, prefix: str) -> SecretRules:
    with parsing("is no baseline that can be read", f"{prefix}{FILE}", _ANEW):
        raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        known = {
            (prefix + str(path), str(item["type"]), str(item["hashed_secret"]))
            for path, items in raw["results"].items()
            for item in items
        }
        plugins = [item for item in raw.get("plugins_used", ()) if "path" not in item and item["name"]]
        filters = [item for item in raw.get("filters_used", ()) if str(item["path"]).startswith(_ALL)]
        kept = [item for item in filters if not item["path"].removeprefix(_ALL).startswith(_OWN)]
        excluded = [
            str(pattern)
            for item in filters
            if item["path"] == f"{_ALL}regex.should_exclude_file"
            for pattern in ([item["pattern"]] if isinstance(item["pattern"], str) else item["pattern"])
        ]
    return SecretRules(
        made.off,
        made.known | known,
        (*made.excluded, *excluded),
        (*made.plugins, *plugins),
        (*made.filters, *kept),
    )


def find_secrets(texts: Mapping[str, str], rules: SecretRules) -> Mapping[str, Sequence[PossibleSecret]]:
    """Return what looks like a secret in each text, by its path, in order of lines; what a baseline knows is among it.

    A line that says so in a comment (`pragma: allowlist secret`) is passed over. Raises BadInput for rules that
    detect-secrets cannot use.
    """
    data = {path for path, text in texts.items() if is_data(path, len(text))}
    found: dict[str, Sequence[PossibleSecret]] = {}
    for some, off in ((texts.keys() - data, ()), (data, _GUESSING)):
        if some:
            found |= _scan_texts(
                {path: texts[path] for path in some}, replace(rules, off=(*rules.off, *off)), bool(off)
            )
    return found


def is_data(path: str, size: int) -> bool:
    """Say whether a file of so many characters is data: there a guess is noise, and only keys of a fixed form are looked for."""
    return Path(path).suffix.lower() in _TABLES or (
        size > _SMALL and Path(path).suffix.lower() in _OFTEN_DATA
    )


def _scan_texts(
    texts: Mapping[str, str], rules: SecretRules, data: bool
) -> dict[str, Sequence[PossibleSecret]]:
    with _LOCK, _settings(rules), tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        forms = _forms() if data else ()
        return {
            path: _in_text(path, text, Path(folder))
            if not data or any(form.search(text) for form in forms)
            else ()
            for path, text in texts.items()
        }


def _forms() -> Sequence[re.Pattern[str]]:
    """Return the forms of the keys that are looked for: one pass each over a whole text, where line by line takes minutes."""
    from detect_secrets.core import scan

    return [form for plugin in cast(Any, scan).get_plugins() for form in getattr(plugin, "denylist", ())]


def _sample_file_name(path: str) -> str:
    """Return a name of the same kind, and none that is passed over for what it says: that a file is a text is known here."""
    from detect_secrets.filters.heuristic import IGNORED_FILE_EXTENSIONS

    place = Path(path)
    while place.suffix in _SAMPLES:
        place = place.with_suffix("")
    kind = ".env" if place.name.startswith(".env") else place.suffix
    return "text.txt" if kind in IGNORED_FILE_EXTENSIONS else f"text{kind}"


def _in_text(path: str, text: str, folder: Path) -> Sequence[PossibleSecret]:
    from detect_secrets.core import scan

    # It opens files by the machine's encoding, and skips one in silence that it cannot decode. The kind of a file is
    # told by its name.
    place = folder / _sample_file_name(path)
    place.write_bytes(text.encode("ascii", errors="replace"))
    lines = text.splitlines()
    try:
        found = {
            PossibleSecret(str(item.type), number, str(item.secret_hash))
            for item in scan.scan_file(str(place))
            for value in [str(item.secret_value or "")]
            # Of a text that reads as YAML or as settings, it counts the lines of what it made of it.
            for number in [line_of(lines, int(item.line_number), value)]
            if not _is_part_of_a_word(lines, number, value)
            and not is_no_secret(str(item.type), lines[number - 1] if lines else "", value)
        }
    finally:
        place.unlink()
    found |= _written_out(text, lines)
    meant = [item for item in found if not _is_allowed(path, lines, item.line)]
    return sorted(meant, key=lambda item: (item.line, item.type, item.digest))


def _written_out(text: str, lines: list[str]) -> set[PossibleSecret]:
    """Return what detect-secrets passes over for what stands around it, where it looks at the words before a value at all."""
    from detect_secrets.core import scan

    if not any(type(plugin).__name__ == "KeywordDetector" for plugin in cast(Any, scan).get_plugins()):
        return set()
    return {
        PossibleSecret(KEYWORD, number, sha1(value.encode()).hexdigest())
        for told, value in literals(text)
        for number in [line_of(lines, told, value)]
        if not is_no_secret(KEYWORD, lines[number - 1], value)
    }


def _is_part_of_a_word(lines: list[str], number: int, secret: str) -> bool:
    """Say whether this stands in its line only within longer runs of letters and digits: a piece of a digest or of other
    data in hex, which detect-secrets' patterns, having no bounds, take for a key of a fixed form."""
    if not secret or not 0 < number <= len(lines):
        return False
    line = _ESCAPE.sub("  ", lines[number - 1])
    places = [found.span() for found in re.finditer(re.escape(secret), line)]
    return bool(places) and all(
        line[:start][-1:].isalnum() or line[end:][:1].isalnum() for start, end in places
    )


def _is_allowed(path: str, lines: list[str], number: int) -> bool:
    """Say whether a comment lets a line pass. It asks that itself, but of lines that it has made into others before: of a
    text that reads as YAML or as settings, the comments are gone."""
    from detect_secrets.filters.allowlist import is_line_allowlisted
    from detect_secrets.util.code_snippet import get_code_snippet

    if not 0 < number <= len(lines):
        return False
    return is_line_allowlisted(path, lines[number - 1], get_code_snippet(lines, number))


@contextmanager
def _settings(rules: SecretRules) -> Generator[None]:
    shown = warnings.showwarning
    from detect_secrets import settings
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    if warnings.showwarning is not shown:
        logging.captureWarnings(False)  # its import does so for the whole process
    # What it logs may hold a secret.
    logging.getLogger("detect-secrets").setLevel(logging.CRITICAL + 1)
    names = [kind.__name__ for kind in get_mapping_from_secret_type_to_class().values()]
    usual = [{"name": name} for name in names if name not in rules.off]
    chosen = [dict(item) for item in rules.plugins if item["name"] not in rules.off] or usual
    config: dict[str, Any] = {"plugins_used": chosen}
    if rules.filters:
        config["filters_used"] = [dict(item) for item in rules.filters]
    with settings.transient_settings(config):
        try:
            cast(Any, settings).get_plugins()
        except (TypeError, ValueError) as error:
            what = f"detect-secrets cannot use the plugins that it names ({str(error) or 'one is unknown'})"
            raise BadInput(
                what, FILE, "update it: detect-secrets scan --baseline .secrets.baseline"
            ) from error
        yield
