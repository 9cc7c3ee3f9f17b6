"""What runs inside of the boundary: sqlfluff on files of the change, with the libraries that the change's settings name."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from prefect_sluice.domain.digests import Json
from prefect_sluice.gates.lint import sqlfluff
from prefect_sluice.gates.lint.project_files import TemplateProject, dbts_own, read_template_project
from prefect_sluice.gates.lint.sqlfluff import FileToLint, LintedFile, LintRules
from prefect_sluice.warehouse.engines import ASSUMED


def prepare() -> None:
    """Load what every file needs: sqlfluff, its plugins, a dialect, dbt's macros."""
    dbts_own(ASSUMED)
    if find_spec("sqlfluff") is not None:
        rules = LintRules({"core": {"dialect": ASSUMED}}, "", TemplateProject())
        sqlfluff.lint(FileToLint("any.sql", "select {{ 1 }} as one from any_table\n", rules))


def answer(question: Any) -> Json:
    """Return what sqlfluff says of each file of `files`, in order, as the fields of a LintedFile. `project` is the dbt project's
    folder, `given` its variables and `adapter` its kind of warehouse, for templates; so many `processes` work at a time."""
    templates = read_template_project(Path(question["project"]), question["given"], question["adapter"])
    sources = [
        FileToLint(
            of_file["file"],
            of_file["text"],
            LintRules(of_file["settings"], "", templates if of_file["as_dbt"] else None),
        )
        for of_file in question["files"]
    ]
    return [asdict(linted) for linted in _lint(sources, min(question["processes"], len(sources)))]


def _lint(sources: Sequence[FileToLint], processes: int) -> Sequence[LintedFile]:
    if processes < 2:
        return [sqlfluff.lint(source) for source in sources]
    # Forked: there are no threads here, and what is loaded need not be loaded again.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        return list(pool.map(sqlfluff.lint, sources))
