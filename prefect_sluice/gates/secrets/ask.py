"""Looks for secrets, in a child process that is shut in where a baseline of the change brings patterns of its own: one that
backtracks for ever would hang whoever matches it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.gates.secrets.detector import FILE, PossibleSecret, SecretRules, find_secrets
from prefect_sluice.isolation.sandbox import Rights
from prefect_sluice.isolation.warm import warm
from prefect_sluice.runtime.documents import first_fault

CHILD = "prefect_sluice.gates.secrets.child"
_T = TypeVar("_T")
_PATHS = TypeAdapter(frozenset[str])
_FOUND = TypeAdapter(dict[str, list[PossibleSecret]])


@dataclass(frozen=True, slots=True)
class SecretSearch:
    """What is looked for, and what a process is given that does it."""

    rules: SecretRules
    rights: Rights

    def left_out(self, paths: Iterable[str]) -> frozenset[str]:
        """Return which of these files a baseline leaves out by its patterns. Raises BadInput."""
        if not self.rules.excluded:
            return frozenset()
        return self._ask("paths", list(paths), _PATHS)

    def find(self, texts: Mapping[str, str]) -> Mapping[str, Sequence[PossibleSecret]]:
        """Return what `find_secrets` does. Raises BadInput."""
        if not texts:
            return {}
        if not self.rules.has_patterns:
            return find_secrets(texts, self.rules)
        secrets = self._ask("texts", dict(texts), _FOUND)
        if secrets.keys() != texts.keys():
            raise _without_answer("it answered about other files than it was asked about")
        return secrets

    def _ask(self, verb: str, value: Any, shape: TypeAdapter[_T]) -> _T:
        answered = warm(CHILD).ask({"rules": self.rules.document(), verb: value}, self.rights)
        if answered.error:
            raise _without_answer(answered.error)
        match answered.value:
            case {"refused": [str(what), str(where), str(fix)]}:
                raise BadInput(what, where, fix)
            case {"answer": answer}:
                try:
                    return shape.validate_python(answer)
                except ValidationError as error:
                    raise _without_answer(first_fault(error)) from None
            case _:
                raise _without_answer("it said something else")


def _without_answer(why: str) -> BadInput:
    fix = "mend its patterns, or write it anew: detect-secrets scan > .secrets.baseline"
    return BadInput(f"the process that looks for secrets gave no answer: {why}", FILE, fix)
