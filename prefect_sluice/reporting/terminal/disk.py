"""What releases take on disk: a table of generations per warehouse, and the folders beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.maintenance.usage import WarehouseUse
from prefect_sluice.reporting.styled_text import BLANK, Line, faint, line, strong
from prefect_sluice.reporting.table import WIDTH, table
from prefect_sluice.reporting.wording import short, size

_MOST = 20


def lines(
    warehouses: Mapping[str, WarehouseUse], folders: Mapping[str, int], *, width: int = WIDTH
) -> list[Line]:
    """Return a block per warehouse file, and one line for Sluice's own folders."""
    page: list[Line] = []
    for name, use in warehouses.items():
        page += [BLANK, *_warehouse(name, use, width)]
    sizes = ", ".join(f"{name} {size(octets)}" for name, octets in folders.items())
    return [*page, BLANK, line(strong("beside it"), f"  {sizes}")]


def _warehouse(name: str, use: WarehouseUse, width: int) -> Sequence[Line]:
    room = f"  {size(use.size)}, of which {size(use.free)} free; {count(use.relations, 'physical relation')}"
    rows = [
        (
            generation.environment,
            str(generation.number),
            short(generation.release),
            str(generation.relations),
            str(generation.rows),
            size(generation.own),
            size(generation.shared),
        )
        for generation in use.generations[:_MOST]
    ]
    header = ("environment", "generation", "release", "relations", "rows", "only here", "shared")
    block = [
        line(strong(name), room),
        *table(rows, header=header, right=(1, 3, 4, 5, 6), indent=2, width=width),
    ]
    if len(use.generations) > _MOST:
        block.append(line(faint(f"  and {len(use.generations) - _MOST} older (all of them: --json)")))
    if use.unreached:
        block.append(line(f"  no generation needs {size(use.unreached)}: sluice collect --dry-run"))
    return block


def document(warehouses: Mapping[str, WarehouseUse], folders: Mapping[str, int]) -> Json:
    """Return it as JSON, whole."""
    return {
        "warehouses": [
            {
                "path": name,
                "bytes": use.size,
                "free": use.free,
                "relations": use.relations,
                "unneeded": use.unreached,
                "generations": [
                    {
                        "environment": generation.environment,
                        "generation": generation.number,
                        "release": generation.release,
                        "relations": generation.relations,
                        "rows": generation.rows,
                        "own_bytes": generation.own,
                        "shared_bytes": generation.shared,
                    }
                    for generation in use.generations
                ],
            }
            for name, use in warehouses.items()
        ],
        "folders": dict(folders),
    }
