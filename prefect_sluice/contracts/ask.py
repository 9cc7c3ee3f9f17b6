"""Asks a child process what a contract promises, and what it asks of a relation. Nothing of the project is imported here.

What the child says is data: it is checked against a shape, and the queries among it are run only if they read the one
relation and call nothing but functions that compute (`sql.only_computes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, StringConstraints, ValidationError

from prefect_sluice.contracts.promise import (
    RELATION,
    CheckMeasure,
    ContractInvalid,
    MeasureScope,
    SettledCheck,
    Unaskable,
)
from prefect_sluice.contracts.weakened import Loss
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.isolation.sandbox import Rights
from prefect_sluice.isolation.warm import warm
from prefect_sluice.runtime.documents import first_fault
from prefect_sluice.sql.only_computes import Unsafe, only_computes
from prefect_sluice.warehouse.base import Column

CHILD = "prefect_sluice.contracts.child"
_COMPARING = timedelta(seconds=60)
"""A comparison takes milliseconds; with a pattern that backtracks it may not end at all."""
_Line = Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\r\n]*$")]
_VerdictName = Literal["PASSED", "WARNED", "INCONCLUSIVE", "ERRORED", "FAILED"]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Broken(_Said):
    """Why a contract cannot be had."""

    what: _Line
    where: _Line
    fix: _Line


class _Answers(_Said):
    answers: list[JsonValue]


class _SettledCheck(_Said):
    check: _Line
    verdict: _VerdictName
    summary: _Line
    where: _Line


class _Measure(_Said):
    check: _Line
    complaint: _Line
    shape: Literal["rows", "whole", "duplicates"]
    failing: Literal["FAILED", "WARNED"]
    surplus_only: bool


class _Compiled(_Said):
    settled: list[_SettledCheck]
    measures: list[_Measure]
    count: str


class _Query(_Said):
    sql: str
    why: _Line
    is_known: bool


class _Check(_Said):
    name: str
    warns: bool
    ignores_null: bool
    limits: dict[str, JsonValue] | None = None
    code: list[str] | None = None


class _Column(_Said):
    type: str
    nullable: bool
    required: bool
    regex: bool
    unique: bool
    checks: list[_Check]


class _Document(_Said):
    columns: dict[str, _Column]
    checks: list[_Check]
    unique: list[list[str]]
    strict: bool
    ordered: bool
    order: list[str]
    type: str


class _Described(_Said):
    document: _Document


class _Loss(_Said):
    where: str
    what: str
    sure: bool


class _Losses(_Said):
    losses: list[_Loss]


_Shape = TypeVar("_Shape", bound=_Said)


@dataclass(frozen=True, slots=True)
class ContractCode:
    """The contracts of one checkout: `root` is the project's folder there, `rights` what their code is given."""

    root: Path
    rights: Rights

    def describe(self, references: Sequence[str]) -> list[Json | ContractInvalid]:
        """Return what each `module:Class` promises, or why that cannot be said."""
        wanted: list[Json] = [{"kind": "describe", "reference": reference} for reference in references]
        return [
            answer if isinstance(answer, ContractInvalid) else answer.document.model_dump(exclude_unset=True)
            for answer in self.ask(wanted, _Described)
        ]

    def asked_of(
        self, relations: Sequence[tuple[str, Sequence[Column]]], dialect: str
    ) -> list[ContractQueries | ContractInvalid]:
        """Return what each `module:Class` asks of a relation with its columns, or why that cannot be said."""
        about: list[dict[str, Json]] = [
            {
                "reference": reference,
                "dialect": dialect,
                "columns": [[column.name, column.type] for column in columns],
            }
            for reference, columns in relations
        ]
        compiled = self.ask([{"kind": "compile", **one} for one in about], _Compiled)
        return [
            answer if isinstance(answer, ContractInvalid) else ContractQueries(self, one, columns, answer)
            for one, (_, columns), answer in zip(about, relations, compiled, strict=True)
        ]

    def ask(self, wanted: Sequence[Json], shape: type[_Shape]) -> list[_Shape | ContractInvalid]:
        """Return an answer of one shape for each; ContractInvalid for any other. What breaks the child is asked
        for once more, each in a child of its own, to tell which of them it was."""
        if not wanted:
            return []
        answered = warm(CHILD).ask({"root": str(self.root), "wanted": list(wanted)}, self.rights)
        why = answered.error
        if not why:
            try:
                answers = _Answers.model_validate(answered.value).answers
                if len(answers) == len(wanted):
                    return [_shaped(answer, shape) for answer in answers]
                why = f"it gave {count(len(answers), 'answer')}, and was asked for {len(wanted)}"
            except ValidationError as error:
                why = first_fault(error)
        if len(wanted) > 1 and answered.in_time:
            return [self.ask([one], shape)[0] for one in wanted]
        return [ContractInvalid(f"the process that loads it gave no answer: {why}") for _ in wanted]


def losses_of(before: Json, now: Json, timeout: timedelta = _COMPARING) -> tuple[Loss, ...] | ContractInvalid:
    """Return what `before` promises and `now` does not (`weakened.losses`), or why that cannot be told. Asked in a child, which
    can be stopped: the patterns in them are the project's, and one may be matched for ever."""
    answered = warm(CHILD).ask({"compared": [before, now]}, Rights(timeout=timeout))
    if answered.error:
        return ContractInvalid(f"the process that compares them gave no answer: {answered.error}")
    try:
        found = _Losses.model_validate(answered.value).losses
    except ValidationError as error:
        return ContractInvalid(
            f"the process that compares them gave no answer that can be read: {first_fault(error)}"
        )
    return tuple(Loss(loss.where, loss.what, loss.sure) for loss in found)


def _shaped(value: JsonValue, shape: type[_Shape]) -> _Shape | ContractInvalid:
    try:
        if isinstance(value, dict) and "what" in value:
            broken = _Broken.model_validate(value)
            return ContractInvalid(broken.what, broken.where, broken.fix)
        return shape.model_validate(value)
    except ValidationError as error:
        return ContractInvalid(
            f"the process that loads it gave no answer that can be read: {first_fault(error)}"
        )


class ContractQueries:
    """What a contract asks of one relation. See `promise.Asked`; a question in detail is put to the child when it is needed."""

    def __init__(
        self, code: ContractCode, about: dict[str, Json], columns: Sequence[Column], compiled: _Compiled
    ) -> None:
        self._code, self._about, self._count = code, about, compiled.count
        self.columns: Sequence[str] = tuple(column.name for column in columns)
        self.settled = tuple(
            SettledCheck(one.check, Verdict[one.verdict], one.summary, one.where) for one in compiled.settled
        )
        self.measures: Sequence[CheckMeasure] = tuple(
            CheckMeasure(
                one.check,
                one.complaint,
                MeasureScope(one.shape),
                Verdict[one.failing],
                one.surplus_only,
            )
            for one in compiled.measures
        )

    def count(self, numbers: Sequence[int]) -> str:
        """See `promise.Asked`."""
        if len(numbers) == len(self.measures) and self._count:
            return self._checked(self._count)
        return self._query("count", list(numbers))

    def shared(self, number: int) -> str:
        """See `promise.Asked`."""
        return self._query("shared", number)

    def rows(self, number: int) -> str:
        """See `promise.Asked`."""
        return self._query("rows", number)

    def _query(self, which: str, of: Json) -> str:
        question: Json = {"kind": "query", "which": which, "of": of, **self._about}
        [query] = self._code.ask([question], _Query)
        if isinstance(query, ContractInvalid):
            raise Unaskable(query.what) from query
        if query.why:
            raise Unaskable(query.why, is_known=query.is_known)
        return self._checked(query.sql)

    def _checked(self, sql: str) -> str:
        try:
            return only_computes(sql, RELATION, str(self._about["dialect"]))
        except Unsafe as error:
            raise Unaskable(f"it is not asked, since it {error}") from error
