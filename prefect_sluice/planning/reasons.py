"""Why a plan does what it does with a relation, and what there is to say of it: the values behind a plan's words. Pure.

What a value says is its text in the plan's document, to the letter: approvals bind the document's digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

from prefect_sluice.domain.worded import Worded


class Because(StrEnum):
    """Why a step is what it is; `{}` names what it is because of. `OTHER` is what an older Sluice said in other words."""

    UNCHANGED = "unchanged"
    NEW = "new"
    BACK = "served again"
    BACK_OTHERWISE = "served again, by other code"
    RENAMED = "renamed from {}, by its text, which is the same"
    OTHER_ID = "known by another id: its code is the same"
    MOVED = "moved to another name"
    KEPT = "built before, and kept"
    LINKED_ANEW = "built before; a view is linked anew"
    KEPT_OF = "as it was in generation {}, which is kept"
    LINKED_ANEW_OF = "as it was in generation {}; a view is linked anew"
    LINKED_TO = "linked to the new {}"
    ADOPTED = "adopted, and its history goes on"
    ADOPTED_ANEW = "adopted, and built anew"
    OWN_CODE = "its own code changed"
    BUILT_FROM = "what it is built from changed"
    GRAPH = "{} changed, which it reads"
    OWN = "{} changed"
    READS = "reads {}"
    NEW_DATA = "new data in {}"
    HOOKS = "hooks write to it"
    NAMED = "renamed to {}"
    GONE = "no longer in the project"
    OTHER = "{}"


class Noted(StrEnum):
    """What else there is to say of a step: where it will be another thing than the project asked for."""

    AS_TABLE = "a view over a source, served as a table: as a view it would show rows that no gate has seen"
    IN_FULL = "an incremental model rebuilt in full: rows that its sources no longer hold will be gone"
    OTHER_KIND = (
        "what serves keeps history, and this does not go on with it: rows that only it holds will be gone"
    )
    FORWARD_ONLY = (
        "forward only: rows that are there stay as the old code made them; "
        "new columns are appended, dropped ones stay and get no value"
    )
    NEVER_IN_FULL = (
        "full_refresh: false, so forward only: rows that are there stay as the old code made them; "
        "its columns change as its on_schema_change says"
    )
    AT_REST = (
        "its history stays in the store, and goes on when a node has the name again (alias); "
        "sluice collect --drop-history lets it go"
    )
    GOES_ALONG = "its history goes on as {}"
    UNSURE = (
        "it may be {} under another name, and nobody can tell: it begins without a history; "
        "alias names the one that it goes on from"
    )
    OTHER = "{}"
    """Why it is held, or what an older Sluice said in other words."""


class HeldBy(StrEnum):
    """Why a stale node keeps what is live."""

    FAILED = "failed: {}"
    READS = "reads {}, which failed"
    NO_PART = "new data, and no part of this"
    OTHER = "{}"


Reason: TypeAlias = Worded[Because]
Note: TypeAlias = Worded[Noted]
Held: TypeAlias = Worded[HeldBy]


def some(names: Sequence[str], most: int = 2) -> str:
    """Return names in words: the first of them, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
