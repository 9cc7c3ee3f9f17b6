"""Which relations that are not the project's own its code may write to while it is built."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_sluice.domain.node import Name


@dataclass(frozen=True, slots=True)
class Targets:
    """Relations that code writes to. `names` are as it names them, in lower case: schema ("": any) and identifier. `words` is
    the text, in lower case, of code that writes to what nobody can tell before it runs: whatever it mentions may be meant."""

    names: frozenset[tuple[str, str]] = frozenset()
    words: str = ""

    def may_be(self, name: Name) -> bool:
        """Say whether a relation may be among them."""
        schema, identifier = name.folded.schema, name.folded.identifier
        if self.names & {(schema, identifier), ("", identifier)}:
            return True
        return identifier in self.words and schema in self.words
