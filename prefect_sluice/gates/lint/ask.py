"""Asks a child process that is shut in what sqlfluff says of files: their settings may name code of the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.gates.lint.sqlfluff import FileToLint, LintedFile
from prefect_sluice.isolation.sandbox import Rights
from prefect_sluice.isolation.warm import warm
from prefect_sluice.runtime.documents import first_fault

CHILD = "prefect_sluice.gates.lint.child"
_ANSWERS = TypeAdapter(list[LintedFile])


@dataclass(frozen=True, slots=True)
class LintProcess:
    """How files are linted: `project` is the dbt project's folder in the checkout, `adapter` dbt's name of the warehouse's kind,
    `given` the variables that sluice.yml gives, `processes` how many files at a time."""

    project: Path
    adapter: str
    given: Json
    rights: Rights
    processes: int = 1

    def ask(self, sources: Sequence[FileToLint]) -> list[LintedFile]:
        """Return what sqlfluff says of each file, in order; without an answer each is `broken`, and says why. Repeatable."""
        if not sources:
            return []
        answered = warm(CHILD).ask(self._question(sources), self.rights)
        why = answered.error
        if not why:
            try:
                answers = _ANSWERS.validate_python(answered.value, strict=False)
                if len(answers) == len(sources):
                    return answers
                why = f"it gave {count(len(answers), 'answer')}, and was asked for {len(sources)}"
            except ValidationError as error:
                why = f"it gave no answer that can be read: {first_fault(error)}"
        return [
            LintedFile(broken=f"the process in which sqlfluff runs gave no answer: {why}") for _ in sources
        ]

    def _question(self, sources: Sequence[FileToLint]) -> Any:
        files = [
            {
                "file": source.file,
                "text": source.text,
                "settings": cast("Json", source.rules.settings),
                "as_dbt": source.rules.dbt is not None,
            }
            for source in sources
        ]
        return {
            "project": str(self.project),
            "given": self.given,
            "adapter": self.adapter,
            "processes": self.processes,
            "files": files,
        }
