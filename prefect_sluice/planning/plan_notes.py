"""What a plan notes for the next one, so that it sees what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import FingerprintParts
from prefect_sluice.runtime import documents

_Noted = TypeVar("_Noted")


@dataclass(frozen=True, slots=True)
class NotesBefore:
    """What a plan notes for the next one: digests of nodes and tests by unique id, the versions of the sources it read,
    and what the nodes' fingerprints are made of, by unique id.

    `behind` are nodes whose relation was built from other versions than these, with the versions that differ; `former` the
    unique ids that a public name's node bore before, the last one first.
    """

    nodes: Mapping[str, str]
    tests: Mapping[str, str]
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    makeup: Mapping[str, FingerprintParts] = field(default_factory=dict[str, FingerprintParts])
    behind: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    former: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def document(self) -> Json:
        """Return the notes as JSON."""
        # These are there even where they are empty, as ever, and first; what came later is not.
        always: dict[str, Json] = {"nodes": {}, "tests": {}, "versions": {}, "behind": {}}
        return {**always, **documents.document(self, without_defaults=True)}

    @classmethod
    def read(cls, document: Json) -> NotesBefore:
        """Read what `document` wrote; an older plan noted less."""
        return documents.read(cls, document)

    @property
    def new_ids(self) -> Mapping[str, str]:
        """Today's unique id of each node that bore another one before, by each of those."""
        pairs = ((old, new) for new, ids in self.former.items() for old in ids)
        return {old: new for old, new in pairs if old not in self.nodes}

    def renamed(self, ids: Mapping[str, str]) -> NotesBefore:
        """Return the notes under the unique ids of today; `ids` are the new ones by the old. Tests keep theirs: a test whose
        id changed is run again."""
        if not ids:
            return self
        makeup = {
            uid: replace(parts, reads=_renamed(parts.reads, ids))
            for uid, parts in _renamed(self.makeup, ids).items()
        }
        chain = {new: (old, *self.former.get(old, ())) for old, new in ids.items()}
        return NotesBefore(
            _renamed(self.nodes, ids),
            self.tests,
            {_text(text, ids): version for text, version in self.versions.items()},
            makeup,
            {
                uid: {_text(text, ids): version for text, version in texts.items()}
                for uid, texts in _renamed(self.behind, ids).items()
            },
            {**_renamed(self.former, ids), **chain},
        )


def _renamed(noted: Mapping[str, _Noted], ids: Mapping[str, str]) -> Mapping[str, _Noted]:
    taken = set(ids.values()) - ids.keys()
    return {ids.get(uid, uid): value for uid, value in noted.items() if uid not in taken}


def _text(text: str, ids: Mapping[str, str]) -> str:
    """Return a source's text under the new id: what asks the clock is told apart by the node that asks."""
    what, of, uid = text.rpartition(" in ")
    return f"{what}{of}{ids[uid]}" if of and uid in ids else text
