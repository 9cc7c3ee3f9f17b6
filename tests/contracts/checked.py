"""A contract's queries as the gate runs them: looked at, and written again, but made in this process."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.contracts.promise import RELATION
from prefect_sluice.contracts.questions import Questions
from prefect_sluice.sql.only_computes import only_computes


class Checked(Questions):
    """See `ask.ContractQueries`."""

    def count(self, numbers: Sequence[int]) -> str:
        return only_computes(super().count(numbers), RELATION, self.dialect)

    def shared(self, number: int) -> str:
        return only_computes(super().shared(number), RELATION, self.dialect)

    def rows(self, number: int) -> str:
        return only_computes(super().rows(number), RELATION, self.dialect)
