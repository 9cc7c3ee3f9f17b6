"""The gate `secrets`: passwords, tokens and keys in the files that a change touches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.former_text import FormerText, plain_text
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict, WayPast
from prefect_sluice.gates.base import ReleaseView, ToolsView
from prefect_sluice.gates.inherited import folded, unknown_former_texts
from prefect_sluice.gates.secrets.ask import SecretSearch
from prefect_sluice.gates.secrets.detector import (
    FILE,
    PossibleSecret,
    SecretRules,
    is_list_of_digests,
    rules,
)
from prefect_sluice.isolation.sandbox import Rights

_ID = "secrets"
_OFF = ("HexHighEntropyString", "IPPublicDetector")
"""What is a digest, or a number with dots, far more often than a secret."""
_HEAD = 8192
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_PRIVATE_KEY, _KEY_BEGINS, _KEY_ENDS = "Private Key", "-----BEGIN", "-----END"
_BLOCK_BEGINS = re.compile(r"(?:[:?-]\s+|^\s*)(?:[!&]\S+\s+)*[|>][-+0-9]*\s*(?:#.*)?$")
_KEY_COLUMN = re.compile(r" *(?:- +)*")
"""What stands before a key of YAML, those of lists included."""
_FIX = "take it out and make it void where it is used; if it is none, "
_VOID = "make it void where it is used, today, then take it out; git's history keeps it, so to take it out is not enough"
_KEYS = frozenset({
    "AWS Access Key", "Azure Storage Account access key", "GitHub Token", "GitLab Token", "Mailchimp Access Key",
    "NPM tokens", "OpenAI Token", _PRIVATE_KEY, "PyPI Token", "SendGrid API Key", "Slack Token", "Square OAuth Secret",
    "Stripe Access Key", "Telegram Bot Token",
})  # fmt: skip
"""What is told by a form that nothing else has; all else is a guess."""
_IN_A_COMMENT = "write behind it: pragma: allowlist secret"
_WITHOUT_COMMENTS = frozenset({".csv", ".tsv", ".psv", ".json", ".jsonl", ".ndjson", ".geojson", ".ipynb"})
"""Files of data, in which a comment would be one more value."""


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""

    exclude: tuple[str, ...] = Field(
        default=(),
        description="Files that are not looked through, by path in the repository; * and ? stand for any.",
    )
    plugins_off: tuple[str, ...] = Field(
        default=_OFF, description="The plugins of detect-secrets that are not asked, by their class."
    )
    max_bytes: int = Field(default=1_000_000, ge=1, description="The largest file that is looked through.")
    max_bytes_in_all: int = Field(
        default=20_000_000, ge=1, description="How much is looked through at most, the smallest files first."
    )


@dataclass(frozen=True, slots=True)
class Secrets:
    """Has detect-secrets look through what differs from the release that serves; the first time, through everything.

    A secret stands in no finding, nor anywhere else: only its kind, its line and the beginning of its digest.
    """

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = _ID
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, tools: ToolsView) -> GateReport:
        """Return a finding per file with what looks like a secret, and one on all that was looked through. Repeatable."""
        if not release.touched:
            return GateReport(_ID, not_applicable="no file differs from the release that serves")
        project = release.change.project if release.change else "."
        root = release.root
        try:
            asked = rules(root, (".", project), self.settings.plugins_off)
            rights = Rights(required=tools.must_isolate).within(self.settings.timeout)
            search = SecretSearch(asked, rights)
            texts, unread = self._read(root, release.touched, search)
            if not texts and not unread:
                return GateReport(_ID, not_applicable="no file that differs is a text")
            found = _scan_with_memory(texts, search, tools.memory)
        except BadInput as error:
            return GateReport(_ID, (Finding(_ID, "baseline", Verdict.ERRORED, str(error), location=FILE),))
        fresh = {path: new for path, items in found.items() if (new := _fresh(path, items, asked))}
        former = release.former([*fresh])
        own: list[Finding] = []
        old: list[Finding] = []
        for path, items in sorted(fresh.items()):
            mine, before = _apart(items, texts[path], former.get(path))
            if mine:
                own.append(_of_file(path, mine))
            # A key of a fixed form is told by itself: nobody is to overlook it among guesses.
            if _holds_a_key(before):
                own.append(_of_old(_of_file(path, before)))
            elif before:
                old.append(_of_file(path, before))
        own += [*_unread(unread, self.settings), *unknown_former_texts(_ID, former)]
        own += [] if fresh else _nothing(found)
        return GateReport(_ID, folded(own, old, "secret-like text", named=True))

    def _read(
        self, root: Path, paths: Sequence[str], search: SecretSearch
    ) -> tuple[dict[str, str], list[str]]:
        """Return the texts by path, and the files that are too large to be looked through."""
        wanted = [path for path in paths if self._is_wanted(root, path)]
        left_out = search.left_out(wanted)
        wanted = [path for path in wanted if path not in left_out]
        sizes = {path: (root / path).stat().st_size for path in wanted}
        texts: dict[str, str] = {}
        unread: list[str] = []
        room = self.settings.max_bytes_in_all
        for path in sorted(wanted, key=lambda path: (sizes[path], path)):
            if sizes[path] > min(self.settings.max_bytes, room):
                unread.append(path)
                continue
            text = plain_text((root / path).read_bytes())
            if text is not None:
                texts[path] = text
                room -= sizes[path]
        return texts, unread

    def _is_wanted(self, root: Path, path: str) -> bool:
        if is_list_of_digests(path) or any(fnmatchcase(path, pattern) for pattern in self.settings.exclude):
            return False
        file = root / path
        return file.is_file() and not file.is_symlink() and not _is_binary(file)


def _is_binary(file: Path) -> bool:
    with file.open("rb") as content:
        head = content.read(_HEAD)
    return b"\0" in head and not head.startswith(_UTF_16)


def _scan_with_memory(
    texts: Mapping[str, str], search: SecretSearch, memory: Memory | None
) -> dict[str, Sequence[PossibleSecret]]:
    """Return what was found by path. That a text is clean is remembered; what is in one that is not, never."""
    keys = {path: digest([search.rules.key, path, text]) for path, text in texts.items()}
    todo = {path: text for path, text in texts.items() if memory is None or memory.recall(keys[path]) is None}
    found = search.find(todo)
    for path, items in found.items():
        if not items and memory is not None:
            memory.keep(keys[path], "clean")
    return {path: found.get(path, ()) for path in texts}


def _fresh(path: str, items: Sequence[PossibleSecret], asked: SecretRules) -> Sequence[PossibleSecret]:
    return [item for item in items if (path, item.type, item.digest) not in asked.known]


def _holds_a_key(items: Sequence[PossibleSecret]) -> bool:
    return any(item.type in _KEYS for item in items)


def _apart(
    items: Sequence[PossibleSecret], text: str, former: FormerText | None
) -> tuple[Sequence[PossibleSecret], Sequence[PossibleSecret]]:
    """Return what the change brings, and what stands on lines that were there before."""
    if former is None:
        return items, ()
    lines = text.split("\n")
    old = [item for item in items if _is_old(_extent(item, lines), former)]
    return [item for item in items if item not in old], old


def _is_old(extent: Sequence[tuple[int, int]], former: FormerText) -> bool:
    return all(former.origin(first) is not None and not former.touches(first, last) for first, last in extent)


def _extent(item: PossibleSecret, lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return the first and last lines of all that an item may stand for. A private key is told by its first line, two in one
    YAML block by the same one; a password in a YAML block by the line of the block's key."""
    if item.type == _PRIVATE_KEY:
        return [
            (first, _end_of_key(first, lines)) for first, line in enumerate(lines, 1) if _KEY_BEGINS in line
        ]
    line_text = lines[item.line - 1] if 0 < item.line <= len(lines) else ""
    if not _BLOCK_BEGINS.search(line_text):
        return [(item.line, item.line)]
    return [(item.line, _end_of_block(item.line, lines))]


def _end_of_key(first: int, lines: Sequence[str]) -> int:
    ends = (number for number, line in enumerate(lines, 1) if number >= first and _KEY_ENDS in line)
    return next(ends, len(lines))


def _end_of_block(first: int, lines: Sequence[str]) -> int:
    """Return the last line of the YAML block whose key stands in line `first`: those that are deeper than the key, or empty."""
    key = _KEY_COLUMN.match(lines[first - 1])
    column = key.end() if key else 0
    behind = enumerate(lines[first:], first + 1)
    return next(
        (n - 1 for n, line in behind if line.strip() and len(line) - len(line.lstrip()) <= column), len(lines)
    )


def _nothing(found: Mapping[str, Sequence[PossibleSecret]]) -> Sequence[Finding]:
    """Return that there is none, where anything was looked through; what is left of `found` then is known in a baseline."""
    if not found:
        return ()
    known = sum(map(len, found.values()))
    told = f"nothing that looks like a secret in {count(len(found), 'file')}"
    more = f"; {known} known in {FILE}" if known else ""
    return (Finding(_ID, "secrets", Verdict.PASSED, told + more, observed=0),)


def _of_file(path: str, found: Sequence[PossibleSecret]) -> Finding:
    kinds = ", ".join(f"{item.type} (line {item.line})" for item in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    rows = tuple((f"{path}:{item.line}", item.type, item.short) for item in found[:EVIDENCE_ROWS])
    has_comments = Path(path).suffix.lower() not in _WITHOUT_COMMENTS
    return Finding(
        _ID,
        "secret",
        Verdict.FAILED,
        f"{path} holds what looks like a secret: {kinds}{more}",
        (path,),
        observed=len(found),
        limit=0,
        location=f"{path}:{found[0].line}",
        evidence=Evidence(("where", "looks like", "SHA-1 begins with"), rows, len(found)),
        fix=_FIX + (_IN_A_COMMENT if has_comments else _left_out(path)),
        way_past=WayPast.NAMED if has_comments else WayPast.LINES,
    )


def _of_old(finding: Finding) -> Finding:
    """Return the finding of a key that was there before the change: to block it would take it out of nowhere."""
    return replace(
        finding,
        verdict=Verdict.WARNED,
        summary=f"{finding.summary}: it was there before, and whoever has a clone has it",
        fix=_VOID,
        way_past=WayPast.UNSAID,
    )


def _left_out(path: str) -> str:
    return f"leave the file out: gates: {{secrets: {{exclude: [{path}]}}}}"


def _unread(paths: Sequence[str], settings: Settings) -> Sequence[Finding]:
    if not paths:
        return ()
    rows = tuple((path,) for path in paths[:EVIDENCE_ROWS])
    limit = min(settings.max_bytes, settings.max_bytes_in_all)
    told = Finding(
        _ID,
        "size",
        Verdict.WARNED,
        f"{count(len(paths), 'file is', 'files are')} too large, and not looked through: {paths[0]}"
        + (" …" if len(paths) > 1 else ""),
        observed=len(paths),
        limit=limit,
        evidence=Evidence(("file",), rows, len(paths)),
        fix="leave such files out (gates.secrets.exclude), or raise max_bytes",
        way_past=WayPast.NAMED,
    )
    return (told,)
