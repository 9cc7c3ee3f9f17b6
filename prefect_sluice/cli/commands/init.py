"""`sluice init`: a commented sluice.yml for the dbt project that is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.dbt.profile import Target
    from prefect_sluice.reporting.styled_text import Line

_FIRST = ("dev", "development", "local")
_SKIPPED = frozenset({"dbt_packages", "target", "node_modules"})


@click.command()
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The dbt project's folder, where there are several.",
)
@click.option(
    "--schema", is_flag=True, help="Print the JSON Schema of sluice.yml, for editors, and write nothing."
)
@options.common
def init(project: Path | None, schema: bool, folder: Path, console: Console) -> int:
    """Write a sluice.yml for the dbt project found here."""
    if schema:
        from prefect_sluice.gates.catalog import json_schema

        print(json.dumps(json_schema(), indent=2))
        return 0
    present = _present(folder.resolve())
    file = present or _write(*_project(folder.resolve(), project), folder.resolve())
    _tell(file, present is None, console)
    return 0


def _write(place: Path, project: Path, folder: Path) -> Path:
    """Write sluice.yml, and the warehouse files into .gitignore. Returns where the former is."""
    import os

    from prefect_sluice import config
    from prefect_sluice.cli.called_from import called_from
    from prefect_sluice.cli.init_text import text
    from prefect_sluice.cli.project_survey import survey
    from prefect_sluice.runtime import process
    from prefect_sluice.source import git

    top = git.root(place)
    given = process.environment().get("DBT_PROJECT_DIR")
    # dbt itself reads it, so that it is called here; the project lies below.
    home = folder if given and folder != project and (folder / given).resolve() == project else None
    called = called_from(project, top) if home is None else None
    home = called.folder if called else home
    default, targets = _targets(project, home)
    surveyed = survey(project, top, [target.settings for target in targets])
    if home is None and surveyed.called_from:
        home = surveyed.called_from.folder
        default, targets = _targets(project, home)
    prefix = "" if place == top else f"{place.relative_to(top).as_posix()}/"
    file = place / config.FILE
    called_in = os.path.relpath(home, place) if home else ""
    content = text(project.relative_to(place).as_posix(), default, targets, surveyed, prefix, called_in)
    file.write_text(content, encoding="utf-8")
    _keep_out(top, [file for target in targets for file in target.database.files])
    return file


def _keep_out(top: Path, files: Sequence[Path]) -> None:
    """Have git leave warehouse files alone that it would take along. Repeatable."""
    from prefect_sluice.cli.project_survey import unignored

    names = [name for name in dict.fromkeys(unignored(file, top) for file in files) if name]
    if not names:
        return
    place = top / ".gitignore"
    before = place.read_bytes() if place.is_file() else b""
    end = "" if not before or before.endswith(b"\n") else "\n"
    lines = "".join(f"/{name}\n/{name}.wal\n" for name in names)
    place.write_bytes(before + f"{end}# Warehouse files, written by sluice init\n{lines}".encode())


def _present(folder: Path) -> Path | None:
    from prefect_sluice import config
    from prefect_sluice.domain.errors import ConfigInvalid

    try:
        return config.find(folder)
    except ConfigInvalid:
        return None


def _project(folder: Path, named: Path | None) -> tuple[Path, Path]:
    """Return where sluice.yml goes, and the dbt project's folder. Raises BadInput when there is none, or one
    must be named."""
    from prefect_sluice.domain.errors import BadInput
    from prefect_sluice.source import git

    top = git.root(folder)
    if named is not None:
        project = (folder / named).resolve()
        if not (project / "dbt_project.yml").is_file() or not project.is_relative_to(top):
            raise BadInput(
                "no dbt project in this repository",
                str(project),
                "name the folder of its dbt_project.yml: --project DIR",
            )
        return (project, project) if project == folder else (top, project)
    if (folder / "dbt_project.yml").is_file():
        return folder, folder
    found_all = _projects(top)
    if len(found_all) == 1:
        return top, found_all[0]
    if not found_all:
        raise BadInput(
            "no dbt project here or below",
            str(top),
            "go to a repository that has a dbt_project.yml, or make one: dbt init",
        )
    names = ", ".join(project_folder.relative_to(top).as_posix() for project_folder in found_all)
    first = found_all[0].relative_to(folder) if found_all[0].is_relative_to(folder) else found_all[0]
    raise BadInput(
        f"several dbt projects: {names}", str(top), f"name one of them: sluice init --project {first}"
    )


def _projects(top: Path) -> list[Path]:
    """Return the folders of every dbt_project.yml that git would hold; those of installed packages are
    none."""
    import os
    import subprocess

    from prefect_sluice.domain.untrusted_text import is_text

    command = [
        "git",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        ":(glob)**/dbt_project.yml",
    ]
    done = subprocess.run(command, cwd=top, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    names = [name for name in os.fsdecode(done.stdout).split("\0") if name and is_text(name)]
    files = {top / name for name in names if not _SKIPPED & set(Path(name).parts)}
    return sorted(file.parent for file in files if file.is_file())


def _targets(project: Path, home: Path | None) -> tuple[str, list[Target]]:
    """Return the default environment, and the DuckDB targets that can be environments, production last."""
    from prefect_sluice import config
    from prefect_sluice.dbt import profile
    from prefect_sluice.domain.errors import ConfigInvalid
    from prefect_sluice.runtime import process

    read = profile.load(project, process.environment(), home=home)
    different: dict[tuple[str, str], Target] = {}
    for target in read.usable().values():
        # Two environments cannot share their names: of targets with one file and schema the first counts.
        different.setdefault(target.names, target)
    if not different:
        raise ConfigInvalid(
            "no target is a DuckDB file", str(read.file), "add an output of type duckdb with a path"
        )

    def rank(target: Target) -> int:
        return 0 if target.name in _FIRST else 2 if target.name in config.PRODUCTION else 1

    ordered = sorted(different.values(), key=rank)
    default = different[read.usable()[read.default].names] if read.default in read.usable() else ordered[0]
    return default.name, ordered


def _shown(path: Path, root: Path) -> str:
    """Return a path as people would type it in the folder of sluice.yml."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _next_lines(following: Sequence[tuple[str, str]]) -> list[Line]:
    from prefect_sluice.reporting.styled_text import faint, line, strong

    wide = max(len(command) for command, _ in following)
    return [
        line("      " if n else "next: ", strong(command), faint(f"{'':{wide - len(command)}}  {why}"))
        for n, (command, why) in enumerate(following)
    ]


def _tell(file: Path, written: bool, console: Console) -> None:
    from prefect_sluice.cli.init_text import found_told, next_steps
    from prefect_sluice.cli.project_survey import survey
    from prefect_sluice.reporting.styled_text import Span, Style, faint, line
    from prefect_sluice.reporting.table import table
    from prefect_sluice.source import git
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(file.parent)
    head = (
        line(Span("written", Style.GOOD), f": {file}")
        if written
        else line(f"{file} is there already; nothing was changed")
    )
    rows = [
        (
            environment.name,
            environment.database.place_from(workspace.root),
            "needs an approval" if environment.approvals else "",
        )
        for environment in workspace.environments.values()
    ]
    default = workspace.environment().name
    top = git.root(workspace.root)
    settings = [environment.target.settings for environment in workspace.environments.values()]
    surveyed = survey(workspace.project, top, settings)
    is_committed = git.content(top, "HEAD", file.relative_to(top).as_posix()) == file.read_bytes()
    following = next_steps(surveyed, _shown(workspace.project, workspace.root), is_committed=is_committed)
    console.show(
        [
            head,
            line(faint("project      "), _shown(workspace.project, workspace.root)),
            line(faint("profile      "), _shown(workspace.profile.file, workspace.root)),
            *table(rows, indent=2, width=console.width),
            line(faint("default      "), default),
            *(line(faint(f"{name:<12} "), sentence) for name, sentence in found_told(surveyed)),
            *_next_lines(following),
        ]
    )
    console.answer({
        "file": str(file),
        "written": written,
        "project": str(workspace.project),
        "environments": [
            {"name": environment.name, "warehouse": environment.database.place, "approvals": environment.approvals}
            for environment in workspace.environments.values()
        ],
        "default_environment": default,
        "found": dict(found_told(surveyed)),
        "next": [command for command, _ in following],
    })  # fmt: skip
