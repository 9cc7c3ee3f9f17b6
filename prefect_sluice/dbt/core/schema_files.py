"""Which schema files (`.yml`) dbt reads again: those whose time is not that of the file which its kept parse was made from."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from prefect_sluice.dbt.core.replaced_attributes import replaced


@contextmanager
def known_by_the_last_read() -> Generator[None]:
    """While the block parses, have dbt note of a schema file that changed when the one was written that it reads now.

    dbt 1.11 does not read a schema file whose time of change is the one it noted, and of one that changed it keeps noting
    the time of the first. So with a release, another one, and the first again, from the same checkout, it would take the
    tests, columns and configuration of the other one for those of the first (`PartialParsing.change_schema_file`).
    """
    from dbt.parser.partial import PartialParsing

    change: Callable[[Any, str], None] = vars(PartialParsing)["change_schema_file"]

    def change_and_note(parsing: Any, file_id: str) -> None:
        change(parsing, file_id)
        parsing.saved_files[file_id].path = parsing.new_files[file_id].path

    with replaced(PartialParsing, change_schema_file=change_and_note):
        yield
