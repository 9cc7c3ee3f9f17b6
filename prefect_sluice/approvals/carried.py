"""Approval files and git notes: a yes or no read from them is a claim like any other until the policy takes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_sluice.config import yaml_file
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import BadInput, ConfigInvalid
from prefect_sluice.domain.promotion import AnswerChannel, Decision, Promotion
from prefect_sluice.source import git
from prefect_sluice.workspace.policy_in_force import rules_of
from prefect_sluice.workspace.workspace import Workspace

_KEYS = ("promotion", "binding", "decision", "name", "comment")
_DIGITS = re.compile(r"[0-9a-f]{12,64}")
_LARGEST = 10_000
"""Bytes. What is larger was not written to say yes."""


@dataclass(frozen=True, slots=True)
class CarriedDecision:
    """A yes or no that a file or git note carries: `where`, by whom, and an `id` that the same words always have."""

    where: str
    channel: AnswerChannel
    decision: Decision
    by: str
    comment: str
    id: str


def carried(workspace: Workspace, promotion: Promotion) -> tuple[CarriedDecision | str, ...]:
    """Return what is carried for a promotion as it is now: each a claim, or why it is none. Changes nothing."""
    return tuple(
        _read(text, author, where, channel, promotion) if channel is not None else text
        for where, channel, text, author in _read_carriers(workspace, promotion)
    )


def render_answer_file(promotion: Promotion, decision: Decision, by: str, comment: str) -> str:
    """Return the text of a file that carries a decision."""
    answer = {
        "promotion": promotion.id, "binding": promotion.binding, "decision": decision.value,
        "name": by, "comment": comment,
    }  # fmt: skip
    return yaml_file.render_yaml(answer)


def _read_carriers(
    workspace: Workspace, promotion: Promotion
) -> Iterator[tuple[str, AnswerChannel | None, str, str]]:
    """Yield where, channel, text and git's author; without a channel the text says what is wrong."""
    settings = rules_of(workspace, promotion).carriers
    if settings.folder:
        path = workspace.root / settings.folder / f"{promotion.id}.yml"
        where = f"{settings.folder}/{path.name}"
        if path.is_file():
            yield _file(path, where)
    if settings.ref:
        ref = f"{settings.ref}/{promotion.id}"
        try:
            note = git.note(workspace.repository, ref)
        except BadInput as error:
            yield ref, None, f"{ref}: {error}", ""
        else:
            if note is not None:
                yield ref, AnswerChannel.REF, note.text, note.author


def _file(path: Path, where: str) -> tuple[str, AnswerChannel | None, str, str]:
    try:
        if path.stat().st_size > _LARGEST:
            return where, None, f"{where}: it is larger than {_LARGEST} bytes, and was not read", ""
        return where, AnswerChannel.FILE, path.read_text(encoding="utf-8"), ""
    except (OSError, UnicodeDecodeError) as error:
        return where, None, f"{where}: it cannot be read ({type(error).__name__})", ""


def _read(
    text: str, author: str, where: str, channel: AnswerChannel, promotion: Promotion
) -> CarriedDecision | str:
    try:
        answer = yaml_file.read(text, where)
    except ConfigInvalid as error:
        return str(error)
    wrong = _wrong(answer, author, promotion)
    if wrong:
        return f"{where}: {wrong}"
    decision = Decision(str(answer["decision"]))
    # A commit or a tag says itself who wrote it.
    by, comment = author or str(answer["name"]), str(answer.get("comment") or "")
    words = {"where": channel.value, "binding": promotion.binding, "decision": decision.value, "by": by}
    same = digest({**words, "promotion": promotion.id, "comment": comment})
    return CarriedDecision(where, channel, decision, by, comment, same[:10])


def _wrong(answer: Mapping[str, Any], author: str, promotion: Promotion) -> str:
    unknown = [key for key in answer if key not in _KEYS]
    if unknown:
        return f"unknown key {unknown[0]!r}; there are: {', '.join(_KEYS)}"
    if str(answer.get("promotion", promotion.id)) != promotion.id:
        return f"it speaks of promotion {answer['promotion']}, not {promotion.id}"
    if str(answer.get("decision")) not in set(Decision):
        return "decision has to be approve or reject"
    if not author and not str(answer.get("name") or "").strip():
        return "it has no name"
    binding = str(answer.get("binding") or "")
    if not _DIGITS.fullmatch(binding):
        return "binding has to be at least 12 digits of what is approved: see sluice approve --write"
    if not promotion.binding.startswith(binding):
        return f"it is for another plan or other evidence ({binding[:12]}, and now {promotion.binding[:12]})"
    return ""
