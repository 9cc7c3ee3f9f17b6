"""`sluice lint`: the gate `lint` over the working tree, without dbt; and what sqlfluff can mend there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect_sluice import gates
from prefect_sluice.config import GateSettings
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.former_text import Former, all_new, all_old
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.release import DIRTY, Release
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.gates.base import ReleaseView, Subject, ToolsView
from prefect_sluice.gates.catalog import make_gates
from prefect_sluice.gates.lint import sqlfluff
from prefect_sluice.gates.lint.gate import Lint
from prefect_sluice.gates.lint.project_files import describe, folders, read_template_project
from prefect_sluice.gates.lint.sqlfluff import FileToLint, LintWorkspace
from prefect_sluice.source import git
from prefect_sluice.workspace import former_files
from prefect_sluice.workspace.workspace import Environment, Workspace

_KINDS = (("model-paths", "models", NodeKind.TABLE), ("snapshot-paths", "snapshots", NodeKind.SNAPSHOT))
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ChosenFiles:
    """Which files are linted, relative to the project, and why these, in words."""

    files: tuple[Path, ...]
    why: str


@dataclass(frozen=True, slots=True)
class FixedFile:
    """What became of one file that sqlfluff was to mend: `kept` is where its former text is; `why` it was left as it is."""

    file: Path
    kept: Path | None = None
    why: str = ""


def chosen(
    workspace: Workspace, environment: Environment, paths: Sequence[Path], *, everything: bool
) -> ChosenFiles:
    """Return the SQL files of `paths` (all there are below a folder), else all, else those that differ from what serves.

    Raises BadInput for a path that is not there, not in the project or no SQL.
    """
    if paths:
        found = {file for path in paths for file in _resolve_sql_files(workspace.project, path)}
        return ChosenFiles(tuple(sorted(found)), "named")
    models = _models(workspace.project)
    if everything:
        return ChosenFiles(models, "all models and snapshots")
    served = _served(workspace, environment)
    if served is None:
        return ChosenFiles(models, f"all: {environment.name} serves nothing yet")
    commit = served.change.commit
    top = git.root(workspace.project)
    edited = git.edited_since(top, commit)
    if edited is None:
        lost = "a working tree" if commit == DIRTY else f"commit {commit[:7]}"
        return ChosenFiles(models, f"all: git does not have {lost}, which {environment.name} serves")
    changed = {(top / name).resolve() for name in edited}
    told = f"edited since commit {commit[:7]}, which {environment.name} serves"
    return ChosenFiles(
        tuple(file for file in models if (workspace.project / file).resolve() in changed), told
    )


def lint(
    workspace: Workspace,
    environment: Environment,
    files: Sequence[Path],
    memory: Memory | None,
    *,
    everything: bool,
) -> GateReport:
    """Return what the gate says of these files. What it says in a release of them is the same.

    With `everything`, what stands on lines that were there before counts like all else.
    """
    project = str(describe(workspace.project).get("name") or "")
    # By path: a name may be there twice, in a folder that dbt does not read.
    nodes = {file.as_posix(): _node(workspace.project, project, file) for file in files}
    gates.checked(workspace.settings.gates, str(workspace.file))
    settings = _settings(workspace)
    (gate,) = (gate for gate in make_gates(settings, of_candidate=False) if isinstance(gate, Lint))
    release = ReleaseView(
        workspace.project,
        nodes,
        tuple(nodes),
        rewritten=tuple(nodes),
        former=all_new if everything else _former(workspace, environment),
    )
    subject = Subject(release, tools=ToolsView(memory=memory, vars=workspace.settings.vars))
    return gates.run(gate, subject, settings)


def mend(workspace: Workspace, files: Sequence[Path]) -> tuple[FixedFile, ...]:
    """Have sqlfluff mend what it can, in place. A former text is kept in Sluice's folder.

    A file is left as it is if what came of it does not parse, if it changed meanwhile, or is a link. Raises BadInput if
    the folder is not in a git repository.
    """
    git.root(workspace.project)
    linted = LintWorkspace(
        workspace.project.resolve(),
        read_template_project(workspace.project.resolve(), workspace.settings.vars),
    )
    sqlfluff.forget_settings()
    with sqlfluff.quiet():
        done = [_mended(workspace, linted, file) for file in files]
    return tuple(item for item in done if item is not None)


def _mended(workspace: Workspace, linted: LintWorkspace, file: Path) -> FixedFile | None:
    path = linted.project / file
    if path.is_symlink() or linted.ignores(path):
        return FixedFile(file, why="it is a link") if path.is_symlink() else None
    before = path.read_bytes()
    source = sqlfluff.read(path, linted.rules(path.parent))
    ends = (before.count(b"\r\n"), before.count(b"\n"))
    if not isinstance(source, FileToLint):
        return FixedFile(file, why=source.broken)
    if ends[0] not in (0, ends[1]):
        return FixedFile(file, why="its lines end in two ways")
    try:
        text = sqlfluff.fix(source)
    except Exception as error:
        # sqlfluff and its plugins raise what they like.
        return FixedFile(file, why=f"sqlfluff broke on it: {sqlfluff.first_line(error)}")
    if text is None:
        return FixedFile(file, why="it cannot be rendered or parsed, before or after")
    if text == source.text:
        return None
    after = text.replace("\n", "\r\n") if ends[0] else text
    content = (_BOM if before.startswith(_BOM) else b"") + after.encode()
    return _written(workspace, file, path, before, content)


def _written(workspace: Workspace, file: Path, path: Path, before: bytes, content: bytes) -> FixedFile:
    """Write a file whole or not at all, after its former text was kept."""
    kept = workspace.folder / "before-fix" / file
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(before)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    Path(name).chmod(path.stat().st_mode & 0o777)
    if path.read_bytes() != before:
        Path(name).unlink()
        return FixedFile(file, why="it changed while sqlfluff read it")
    Path(name).replace(path)
    return FixedFile(file, kept=kept)


def _settings(workspace: Workspace) -> Mapping[str, GateSettings]:
    """Return the gates' settings; a gate that is off does its work here: it was asked for by name."""
    settings = dict(workspace.settings.gates)
    own = settings.get(Lint.id)
    if own is not None and own.on == "off":
        settings[Lint.id] = own.model_copy(update={"on": "block"})
    return settings


def _former(workspace: Workspace, environment: Environment) -> Former:
    """Return what tells of the project's files what they were in the release that serves; while nothing ever served, that is
    what they are now."""
    served = _served(workspace, environment)
    files = former_files.before(workspace, served.id if served else "") if workspace.has_store else None
    if files is None:
        return all_old
    inside = workspace.project.relative_to(git.root(workspace.project))
    known = {Path(path): entry for path, entry in files.items()}
    own = {
        path.relative_to(inside).as_posix(): entry for path, entry in known.items() if inside in path.parents
    }
    return former_files.FormerFiles(workspace.bundles, own, workspace.project)


def _served(workspace: Workspace, environment: Environment) -> Release | None:
    """Return the release that an environment serves, None if none; what is recorded, where the file is being written."""
    from prefect_sluice.domain.errors import WarehouseBusy

    if not environment.database.exists():
        return None
    try:
        name = workspace.warehouse(environment).generation(environment.name).release
    except WarehouseBusy:
        present = workspace.store.serves(environment.name)
        name = str(present["release"]) if present else ""
    return workspace.store.release(name) if name else None


def _models(project: Path) -> tuple[Path, ...]:
    roots = [folder for key, default, _ in _KINDS for folder in folders(project, key, default)]
    found = {file for folder in roots for file in folder.rglob("*.sql") if file.is_file()}
    return tuple(sorted(file.relative_to(project) for file in found))


def _resolve_sql_files(project: Path, path: Path) -> list[Path]:
    full = path.absolute().parent.resolve() / path.absolute().name
    if not full.exists():
        raise BadInput("is not there", str(path), "name a .sql file or a folder of the project")
    if not full.is_relative_to(project):
        raise BadInput(f"is not in the project {project}", str(path), "name a file of the project")
    if full.is_dir():
        return [file for file in _models(project) if (project / file).is_relative_to(full)]
    if full.suffix != ".sql":
        raise BadInput("is no .sql file", str(path), "name one, or a folder")
    return [full.relative_to(project)]


def _node(project: Path, name: str, file: Path) -> Node:
    """Return as much of a node as the gate looks at."""
    snapshots = folders(project, "snapshot-paths", "snapshots")
    is_snapshot = any((project / file).is_relative_to(place) for place in snapshots)
    kind, word = (NodeKind.SNAPSHOT, "snapshot") if is_snapshot else (NodeKind.TABLE, "model")
    return Node(
        f"{word}.{name}.{file.stem}", kind, Name("", file.stem), file.as_posix(), "sql", (name, file.stem), ""
    )
