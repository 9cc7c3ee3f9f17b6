"""`sluice init`: a commented sluice.yml for the dbt project that is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.profile import Target

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
    from prefect_sluice import config

    if schema:
        from prefect_sluice.gates.catalog import json_schema

        print(json.dumps(json_schema(), indent=2))
        return 0
    present = _present(folder.resolve())
    if present is None:
        place, found = _project(folder.resolve(), project)
        default, targets = _targets(found)
        present = place / config.FILE
        text = _text(found.relative_to(place).as_posix(), default, targets, alone=_has_one_author(place))
        present.write_text(text, encoding="utf-8")
        written = True
    else:
        written = False
    _tell(present, written, console)
    return 0


def _present(folder: Path) -> Path | None:
    from prefect_sluice import config
    from prefect_sluice.errors import ConfigInvalid

    try:
        return config.find(folder)
    except ConfigInvalid:
        return None


def _project(folder: Path, named: Path | None) -> tuple[Path, Path]:
    """Return where sluice.yml goes, and the dbt project's folder. Raises BadInput when there is none, or one
    must be named."""
    from prefect_sluice import git
    from prefect_sluice.errors import BadInput

    top = git.root(folder)
    if named is not None:
        found = (folder / named).resolve()
        if not (found / "dbt_project.yml").is_file() or not found.is_relative_to(top):
            raise BadInput(
                "no dbt project in this repository",
                str(found),
                "name the folder of its dbt_project.yml: --project DIR",
            )
        return (found, found) if found == folder else (top, found)
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
    names = ", ".join(item.relative_to(top).as_posix() for item in found_all)
    raise BadInput(f"several dbt projects: {names}", str(top), "name one of them: sluice init --project DIR")


def _projects(top: Path) -> list[Path]:
    """Return the folders of every dbt_project.yml that git would hold; those of installed packages are
    none."""
    import subprocess

    asked = [
        "git",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        ":(glob)**/dbt_project.yml",
    ]
    listed = subprocess.run(
        asked, cwd=top, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    ).stdout
    files = {top / name for name in listed.split("\0") if name and not _SKIPPED & set(Path(name).parts)}
    return sorted(file.parent for file in files if file.is_file())


def _targets(project: Path) -> tuple[str, list[Target]]:
    """Return the default environment, and the DuckDB targets that can be environments, production last."""
    from prefect_sluice import config, profile, surroundings
    from prefect_sluice.errors import ConfigInvalid

    read = profile.load(project, surroundings.environment())
    different: dict[tuple[Path, str], Target] = {}
    for target in read.files().values():
        # Two environments cannot share their names: of targets with one file and schema the first counts.
        different.setdefault(_names(target), target)
    if not different:
        raise ConfigInvalid(
            "no target is a DuckDB file", str(read.file), "add an output of type duckdb with a path"
        )

    def rank(target: Target) -> int:
        return 0 if target.name in _FIRST else 2 if target.name in config.PRODUCTION else 1

    ordered = sorted(different.values(), key=rank)
    default = different[_names(read.files()[read.default])] if read.default in read.files() else ordered[0]
    return default.name, ordered


def _shown(path: Path, root: Path) -> str:
    """Return a path as people would type it in the folder of sluice.yml."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _names(target: Target) -> tuple[Path, str]:
    """Return where a target's names are: its file and its schema."""
    return target.path, str(target.settings.get("schema", "main"))


def _has_one_author(folder: Path) -> bool:
    """Say whether nobody but one person, or nobody yet, committed here: then there is nobody else to say yes."""
    import subprocess

    asked = ["git", "log", "--max-count=1000", "--format=%aE"]
    listed = subprocess.run(
        asked, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    ).stdout
    return len({address.casefold() for address in listed.split()}) <= 1


def _text(project: str, default: str, targets: list[Target], *, alone: bool) -> str:
    from prefect_sluice.config import PRODUCTION

    lines: list[str] = []
    asks = ", approvals: 1" + (", self_approval: allow" if alone else "")
    for target in targets:
        name, approvals = _yaml(target.name), asks if target.name in PRODUCTION else ""
        lines.append(f"  {name}: {{target: {name}{approvals}}}")
    return _TEMPLATE.format(project=_yaml(project), environments="\n".join(lines), default=_yaml(default))


_TEMPLATE = """\
# How this dbt project is released with Sluice. Every key has a default.
# `sluice init --schema` prints the JSON Schema of this file: give it to your editor for checks.

# The dbt project's folder, relative to this file.
project: {project}

# Where releases serve, in order, production last: one for each DuckDB target of the profile.
# `approvals` is how many approvals a release needs there; `self_approval: allow` lets an author of the change give it,
# as where there is one person only.
environments:
{environments}

# Where `sluice release` goes without --env.
default_environment: {default}

# What a gate's no does: block the release (default), only warn, or off.
# gates:
#   lint: {{on: warn}}

# Paths that git does not track and the project reads: linked into each checkout.
# source:
#   include: [data]
"""


def _yaml(text: str) -> str:
    import yaml

    return yaml.safe_dump(text, default_flow_style=True, allow_unicode=True).splitlines()[0]


def _tell(file: Path, written: bool, console: Console) -> None:
    from prefect_sluice.render.styled import Span, Style, faint, line, strong
    from prefect_sluice.render.table import table
    from prefect_sluice.workshop import Workshop

    workshop = Workshop.at(file.parent)
    head = (
        line(Span("written", Style.GOOD), f": {file}")
        if written
        else line(f"{file} is there already; nothing was changed")
    )
    rows = [
        (place.name, _shown(place.target.path, workshop.root), "needs an approval" if place.approvals else "")
        for place in workshop.places.values()
    ]
    default = workshop.place().name
    following = [
        line("next: ", strong("sluice plan"), faint("     what a release would do")),
        line("      ", strong("sluice release"), faint("  do it")),
    ]
    console.show(
        [
            head,
            line(faint("project      "), _shown(workshop.project, workshop.root)),
            line(faint("profile      "), _shown(workshop.profile.file, workshop.root)),
            *table(rows, indent=2, width=console.width),
            line(faint("default      "), default),
            *following,
        ]
    )
    console.answer({
        "file": str(file),
        "written": written,
        "project": str(workshop.project),
        "environments": [
            {"name": place.name, "warehouse": str(place.target.path), "approvals": place.approvals}
            for place in workshop.places.values()
        ],
        "default_environment": default,
        "next": ["sluice plan", "sluice release"],
    })  # fmt: skip
