"""The gate `secrets`: passwords, tokens and keys in the files that a change touches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import ClassVar

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict
from prefect_sluice.gates.base import Needs, Subject
from prefect_sluice.gates.inherited import folded
from prefect_sluice.gates.secrets.detector import FILE, PossibleSecret, SecretRules, look, rules

_ID = "secrets"
_OFF = ("HexHighEntropyString", "IPPublicDetector")
"""What is a digest, or a number with dots, far more often than a secret."""
_HEAD = 8192
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_FIX = "take it out and make it void where it is used; if it is none, "
_VOID = "make it void where it is used, today, then take it out; git's history keeps it, so to take it out is not enough"
_KEYS = frozenset({
    "AWS Access Key", "Azure Storage Account access key", "GitHub Token", "GitLab Token", "Mailchimp Access Key",
    "NPM tokens", "OpenAI Token", "Private Key", "PyPI Token", "SendGrid API Key", "Slack Token", "Square OAuth Secret",
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
    needs: ClassVar[Needs] = Needs.SOURCES
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, subject: Subject) -> GateReport:
        """Return a finding per file with what looks like a secret, and one on all that was looked through. Repeatable."""
        if not subject.touched:
            return GateReport(_ID, not_applicable="no file differs from the release that serves")
        project = subject.change.project if subject.change else "."
        root = _root(subject.project, project)
        try:
            asked = rules(root, (".", project), self.settings.plugins_off)
            texts, unread = self._read(root, subject.touched, asked)
            if not texts and not unread:
                return GateReport(_ID, not_applicable="no file that differs is a text")
            found = _found(texts, asked, subject.memory)
        except BadInput as error:
            return GateReport(_ID, (Finding(_ID, "baseline", Verdict.ERRORED, str(error), location=FILE),))
        judged = _judged(found, asked, unread, self.settings, subject.inherited)
        # A key of a fixed form is told by itself: nobody is to overlook it among guesses.
        guessed = subject.inherited - {
            path for path in found if _holds_a_key(_fresh(path, found[path], asked))
        }
        return GateReport(_ID, folded(judged, guessed, "secret-like text", named=True))

    def _read(self, root: Path, paths: Sequence[str], asked: SecretRules) -> tuple[dict[str, str], list[str]]:
        """Return the texts by path, and the files that are too large to be looked through."""
        wanted = [path for path in paths if self._is_wanted(root, path, asked)]
        sizes = {path: (root / path).stat().st_size for path in wanted}
        texts: dict[str, str] = {}
        unread: list[str] = []
        room = self.settings.max_bytes_in_all
        for path in sorted(wanted, key=lambda path: (sizes[path], path)):
            if sizes[path] > min(self.settings.max_bytes, room):
                unread.append(path)
                continue
            text = _text((root / path).read_bytes())
            if text is not None:
                texts[path] = text
                room -= sizes[path]
        return texts, unread

    def _is_wanted(self, root: Path, path: str, asked: SecretRules) -> bool:
        if asked.leaves_out(path) or any(fnmatchcase(path, pattern) for pattern in self.settings.exclude):
            return False
        file = root / path
        return file.is_file() and not file.is_symlink() and not _is_binary(file)


def _root(folder: Path, project: str) -> Path:
    """Return the checkout's root, of the folder that the project has in it."""
    parts = PurePosixPath(project).parts
    return folder.parents[len(parts) - 1] if parts else folder


def _is_binary(file: Path) -> bool:
    with file.open("rb") as content:
        head = content.read(_HEAD)
    return b"\0" in head and not head.startswith(_UTF_16)


def _text(content: bytes) -> str | None:
    """Return a file's text; None for one that is none."""
    if content.startswith(_UTF_16):
        return content.decode("utf-16", errors="replace")
    return None if b"\0" in content else content.decode("utf-8", errors="replace")


def _found(
    texts: Mapping[str, str], asked: SecretRules, memory: Memory | None
) -> dict[str, Sequence[PossibleSecret]]:
    """Return what was found by path. That a text is clean is remembered; what is in one that is not, never."""
    keys = {path: digest([asked.key, path, text]) for path, text in texts.items()}
    todo = {path: text for path, text in texts.items() if memory is None or memory.recall(keys[path]) is None}
    found: Mapping[str, Sequence[PossibleSecret]] = look(todo, asked) if todo else {}
    for path, items in found.items():
        if not items and memory is not None:
            memory.keep(keys[path], "clean")
    return {path: found.get(path, ()) for path in texts}


def _fresh(path: str, items: Sequence[PossibleSecret], asked: SecretRules) -> Sequence[PossibleSecret]:
    return [item for item in items if (path, item.type, item.digest) not in asked.known]


def _holds_a_key(items: Sequence[PossibleSecret]) -> bool:
    return any(item.type in _KEYS for item in items)


def _judged(
    found: Mapping[str, Sequence[PossibleSecret]],
    asked: SecretRules,
    unread: Sequence[str],
    settings: Settings,
    old: Collection[str],
) -> Iterator[Finding]:
    known = 0
    bad = 0
    for path, items in sorted(found.items()):
        fresh = _fresh(path, items, asked)
        known += len(items) - len(fresh)
        if fresh:
            bad += 1
            one = _of_file(path, fresh)
            yield _of_old(one) if path in old and _holds_a_key(fresh) else one
    if unread:
        yield _unread(unread, settings)
    if found and not bad:
        told = f"nothing that looks like a secret in {len(found)} file{'' if len(found) == 1 else 's'}"
        more = f"; {known} known in {FILE}" if known else ""
        yield Finding(_ID, "secrets", Verdict.PASSED, told + more, observed=0)


def _of_file(path: str, found: Sequence[PossibleSecret]) -> Finding:
    kinds = ", ".join(f"{item.type} (line {item.line})" for item in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    rows = tuple((f"{path}:{item.line}", item.type, item.short) for item in found[:EVIDENCE_ROWS])
    return Finding(
        _ID,
        "secret",
        Verdict.FAILED,
        f"{path} holds what looks like a secret: {kinds}{more}",
        path,
        observed=len(found),
        limit=0,
        location=f"{path}:{found[0].line}",
        evidence=Evidence(("where", "looks like", "SHA-1 begins with"), rows, len(found)),
        fix=_FIX + (_left_out(path) if Path(path).suffix.lower() in _WITHOUT_COMMENTS else _IN_A_COMMENT),
    )


def _of_old(finding: Finding) -> Finding:
    """Return the finding of a key that was there before the first release: to block it would take it out of nowhere."""
    return replace(
        finding,
        verdict=Verdict.WARNED,
        summary=f"{finding.summary}: it was there before the first release, and whoever has a clone has it",
        fix=_VOID,
    )


def _left_out(path: str) -> str:
    return f"leave the file out: gates: {{secrets: {{exclude: [{path}]}}}}"


def _unread(paths: Sequence[str], settings: Settings) -> Finding:
    rows = tuple((path,) for path in paths[:EVIDENCE_ROWS])
    limit = min(settings.max_bytes, settings.max_bytes_in_all)
    return Finding(
        _ID,
        "size",
        Verdict.WARNED,
        f"{len(paths)} file{' is' if len(paths) == 1 else 's are'} too large, and not looked through: {paths[0]}"
        + (" …" if len(paths) > 1 else ""),
        observed=len(paths),
        limit=limit,
        evidence=Evidence(("file",), rows, len(paths)),
        fix="leave such files out (gates.secrets.exclude), or raise max_bytes",
    )
