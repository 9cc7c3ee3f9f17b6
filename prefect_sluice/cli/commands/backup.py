"""`sluice backup` and `sluice restore`: a state store or a warehouse into a file, and a state store back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prefect_sluice.cli import options
from prefect_sluice.cli.actor import actor as who
from prefect_sluice.cli.console import Console

if TYPE_CHECKING:
    from prefect_sluice.domain.digests import Json
    from prefect_sluice.state.backed_up_bundles import BundleCopy
    from prefect_sluice.state.backup import StoreCopy
    from prefect_sluice.workspace.workspace import Workspace

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--warehouse", "of_warehouse", is_flag=True, help="Copy the warehouse of an environment instead."
)
@options.environment
@options.common
def backup(file: Path, of_warehouse: bool, environment: str, folder: Path, console: Console) -> int:
    """Write the state store, or a warehouse, into a file, while others work.

    FILE must not be there yet. It holds one moment, whole, with the bundle files of what serves and waits. A state store can be
    looked into: SLUICE_STATE=FILE sluice history.
    """
    from prefect_sluice.domain.errors import BadInput
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    if of_warehouse:
        return _warehouse(workspace, environment, file, console)
    if environment:
        raise BadInput(
            "the state store is that of all environments",
            fix="leave out --env, or add --warehouse for the warehouse of one",
        )
    return _state(workspace, file, console)


def _state(workspace: Workspace, file: Path, console: Console) -> int:
    from prefect_sluice.domain.counting import count
    from prefect_sluice.domain.errors import BadInput
    from prefect_sluice.maintenance.needed import bundles_of_history, bundles_of_what_serves
    from prefect_sluice.promotions.lookups import existing_store
    from prefect_sluice.reporting.styled_text import Span, Style, line, strong
    from prefect_sluice.state import backup as copying
    from prefect_sluice.state.backed_up_bundles import add_bundles

    if existing_store(workspace) is None:
        raise BadInput("there is no state store yet", workspace.state, "release something: sluice release")
    copied: list[BundleCopy] = []
    serving = bundles_of_what_serves(workspace)  # also that of then: what serves may move on meanwhile

    def add(fresh: Path) -> None:
        needed = serving | bundles_of_what_serves(workspace)
        copied.append(add_bundles(fresh, workspace.bundles, needed, bundles_of_history(workspace)))

    done = copying.back_up(workspace.state, file, add)
    if done.broken:
        damage = f"the ledger is broken at entry {done.number}: {done.broken}; the file has it as it is"
        console.show([_line(done, f"backed up to {file}"), line(Span(damage, Style.BAD))])
    else:
        console.show([_line(done, f"backed up to {file}")])
    (bundles,) = copied
    console.show([line(f"{count(bundles.files, 'bundle file')}")])
    if bundles.lost:
        names = ", ".join(digest[:12] for digest in bundles.lost[:5])
        damage = f"{count(len(bundles.lost), 'bundle file')} cannot be read: {names}"
        console.show([line(Span(damage, Style.BAD), "; what needs it: ", strong("sluice doctor"))])
    console.answer({**_document(done, file), "bundles": {"files": bundles.files, "lost": list(bundles.lost)}})
    return 1 if done.broken or bundles.lost else 0


def _warehouse(workspace: Workspace, environment: str, file: Path, console: Console) -> int:
    from prefect_sluice.domain.counting import count
    from prefect_sluice.reporting.styled_text import line

    resolved = workspace.environment(environment or None)
    done = workspace.warehouse(resolved).back_up(resolved.name, file)
    current = done.generation
    serves = f"generation {current.number}, {count(len(current.relations), 'relation')}"
    summary = serves if current.number else "nothing is served yet"
    console.show([line(f"backed up to {file}: {resolved.name}, {summary}")])
    console.answer({
        "file": str(file),
        "environment": resolved.name,
        "warehouse": resolved.database.place,
        "generation": current.number,
        "release": current.release,
        "relations": len(current.relations),
        "bytes": done.size,
        "journal": done.journal,
    })  # fmt: skip
    return 0


@click.command()
@click.argument("file", type=_FILE)
@options.actor
@options.common
def restore(file: Path, actor: str, folder: Path, console: Console) -> int:
    """Write a backup into an empty state store.

    The state store is the one of sluice.yml, or of SLUICE_STATE: a SQLite file or a PostgreSQL database, whichever
    the backup was made of. The same backup again changes nothing.
    """
    from prefect_sluice.domain.counting import count
    from prefect_sluice.reporting.styled_text import faint, line
    from prefect_sluice.runtime import process
    from prefect_sluice.state import backup as copying
    from prefect_sluice.state.backed_up_bundles import put_bundles
    from prefect_sluice.workspace.workspace import Workspace

    workspace = Workspace.at(folder)
    _ = workspace.folder
    done = copying.restore(file, workspace.state, actor=who(actor, folder), at=process.now())
    bundles = put_bundles(file, workspace.bundles)
    console.show([
        _line(done, f"restored from {file}" if done.anew else f"nothing changed: {file} was restored before"),
        line(count(bundles, "bundle file")),
        line(faint("see what does not agree with it: sluice doctor")),
    ])  # fmt: skip
    console.answer({**_document(done, file), "bundles": {"files": bundles}, "changed": done.anew})
    return 0


def _line(done: StoreCopy, what: str):
    from prefect_sluice.domain.counting import count
    from prefect_sluice.reporting.styled_text import line

    promotions = count(done.rows["sluice_promotion"], "promotion")
    return line(
        f"{what}: {promotions}, {count(done.number, 'ledger entry', 'ledger entries')}, head {done.head[:12]}"
    )


def _document(done: StoreCopy, file: Path) -> dict[str, Json]:
    return {
        "file": str(file),
        "rows": dict(done.rows),
        "ledger": {"entries": done.rows["sluice_ledger"], "head": done.head, "broken": done.broken},
    }
