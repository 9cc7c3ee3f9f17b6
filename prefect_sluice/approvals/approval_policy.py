"""The approval policy: which yes or no counts for a promotion, and whose. Pure. Signatures would be verified here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from prefect_sluice.domain.promotion import Approval, Decision, Promotion, State

_BOTH = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_CO_AUTHOR = re.compile(r"^\s*co-authored-by:[ \t]*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """Who may say yes in an environment. A person is a name, an address, or "Name <address>".

    `approvers` are those who may, () is anybody with a name; `authors` made the change and may not, () where they may, too.
    `untold` says why there may be more authors than are known ("": there are not): then nobody may who is not listed.
    """

    environment: str
    approvers: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    untold: str = ""


@dataclass(frozen=True, slots=True)
class Objection:
    """The reason why somebody's yes or no is not taken, and what to do."""

    why: str
    fix: str


def objection(policy: ApprovalPolicy, decision: Decision, by: str) -> Objection | None:
    """Return why this person may not give this decision; None if they may. A no needs a name only: it changes nothing served."""
    person = known_as(by)
    if not person:
        return Objection("an approval needs a name", "say who you are")
    if decision is Decision.REJECT:
        return None
    entries = [known_as(approver) for approver in policy.approvers]
    listed = [entry for entry in entries if entry & person]
    if policy.approvers and not listed:
        return Objection(
            f"{by} is not one of the approvers of {policy.environment}",
            f"one of environments.{policy.environment}.approvers has to say it: {', '.join(policy.approvers)}",
        )
    # Who is listed with a name and an address is known by both, whichever was typed.
    person = person.union(*listed)
    if any(person & known_as(author) for author in policy.authors):
        return Objection(
            f"{by} is an author of the change",
            "have somebody else say it (sluice approve --as NAME), or allow it:"
            f" environments.{policy.environment}.self_approval: allow",
        )
    if policy.untold and not listed:
        return Objection(
            f"the authors of the change cannot be told: {policy.untold}",
            "say it where all commits are (git fetch --unshallow), or have one of the listed approvers say it:"
            f" environments.{policy.environment}.approvers",
        )
    return None


def known_as(person: str) -> frozenset[str]:
    """Return the names of a person: name and address, equal for all spellings that look the same; none for an empty text."""
    both = _BOTH.fullmatch(person.strip())
    parts = (both["name"], both["address"]) if both else (person,)
    return frozenset(plain_name for part in parts if (plain_name := _plain(part)))


def _plain(text: str) -> str:
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", text) if letter.isprintable())
    return " ".join(seen.casefold().split())


def co_authors(message: str) -> tuple[str, ...]:
    """Return whom a commit's message names as `Co-authored-by`."""
    return tuple(_CO_AUTHOR.findall(message))


_MAPPED = re.compile(r"([^<#]*)<([^<>]*)>(?:([^<#]*)<([^<>]*)>)?")


def aliases(person: str, mailmap: str) -> tuple[str, ...]:
    """Return the other names of a person by the text of a .mailmap: names, and names with addresses. Pure.

    Each line counts both ways, so that whoever wrote under one address is known by the others, too.
    """
    lines = [match.groups(default="") for text in mailmap.splitlines() if (match := _MAPPED.match(text))]
    seen, names = set(known_as(person)), list[str]()
    grown = True
    while grown:
        grown = False
        for name, first, other, second in lines:
            address = second or first
            by_commit = _plain(address) in seen and (not other.strip() or _plain(other) in seen)
            if not (by_commit or (second and _plain(first) in seen)):
                continue
            # An address with a name before it may be shared by several people: not all that is under it is this one's.
            named = [f"{name.strip()} <{first}>", *([] if other.strip() or not second else [f"<{second}>"])]
            fresh = [alias for alias in named if not known_as(alias) <= seen]
            grown = grown or bool(fresh)
            names += fresh
            seen |= {part for alias in fresh for part in known_as(alias)}
    return tuple(names)


@dataclass(frozen=True, slots=True)
class ApprovalRuling:
    """The ruling on all approvals: the one that decides (None: still open), and why others do not count."""

    by: Approval | None
    ignored: tuple[str, ...] = ()


Objects = Callable[[Approval], str]
"""Says why the one who gave an approval may not, or ""."""


def _nobody(_: Approval) -> str:
    return ""


def rule(
    promotion: Promotion, approvals: Iterable[Approval], now: datetime, objects: Objects = _nobody
) -> ApprovalRuling:
    """Return the ruling: the first rejection that counts, else the first approval that counts."""
    ignored: list[str] = []
    counting: list[Approval] = []
    for approval in sorted(approvals, key=lambda approval: approval.at):
        why = void(promotion, approval, now) or objects(approval)
        if why:
            ignored.append(f"{approval.decision.value} by {approval.who} does not count: {why}")
        else:
            counting.append(approval)
    deciding = [approval for approval in counting if approval.decision is Decision.REJECT] or counting
    return ApprovalRuling(deciding[0] if deciding else None, tuple(ignored))


def void(promotion: Promotion, approval: Approval, now: datetime) -> str:
    """Return why an approval does not count, or "" if it does."""
    if approval.binding != promotion.binding:
        return "it is for another plan or other evidence"
    if approval.expires_at <= now:
        return f"it expired at {approval.expires_at:%Y-%m-%d %H:%M} UTC"
    return "it was used" if approval.used_at is not None else ""


def overdue(promotion: Promotion, since: datetime, waits: timedelta, now: datetime) -> bool:
    """Say whether a promotion that is staged has waited for longer than `waits` since then."""
    return promotion.state is State.STAGED and since + waits <= now
