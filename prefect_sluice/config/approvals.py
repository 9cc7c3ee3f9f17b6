"""What sluice.yml says of approvals: who may say yes, how long is waited for one, and which files carry one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from prefect_sluice.config.base import Duration, Section

_REF = re.compile(r"refs(/[0-9A-Za-z_][0-9A-Za-z_.\-]*)+")


def _ref(value: str) -> str:
    if value and (not _REF.fullmatch(value) or ".." in value):
        raise ValueError(f"{value!r} is no place for git refs: write it as refs/sluice/approvals")
    return value


def _person(value: str) -> str:
    if not value.strip():
        raise ValueError(
            "an approver needs a name: write Grace, grace@example.com or Grace <grace@example.com>"
        )
    return value.strip()


class Approving(Section):
    """Whose yes counts in an environment, and for how long."""

    approval_expires: Duration = Field(
        default=timedelta(hours=72), description="How long an approval is good for."
    )
    approval_binds: Literal["change", "data"] = Field(
        default="change",
        description="What an approval is for: `change`, so that it outlives a refresh where nothing is new or worse,"
        " or `data`, the very rows that were judged.",
    )
    approvers: tuple[Annotated[str, AfterValidator(_person)], ...] = Field(
        default=(),
        description="Who may approve: a name, an address, or both as `Grace <grace@example.com>`. Empty: anybody with a name.",
    )
    self_approval: Literal["deny", "allow"] = Field(
        default="deny",
        description="Whether an author of the change may approve it: of any commit since the release that serves.",
    )
    waits: Duration = Field(
        default=timedelta(days=7), description="How long a promotion waits for an approval before it expires."
    )


class Approvals(Section):
    """Where a yes or no may lie that nobody typed into a command or a form."""

    folder: str = Field(
        default="",
        description="A folder of files <promotion>.yml that say yes or no, relative to sluice.yml. Empty: none is read.",
    )
    ref: Annotated[str, AfterValidator(_ref)] = Field(
        default="",
        description="Git refs <ref>/<promotion> that say yes or no, as refs/sluice/approvals. Empty: none is read.",
    )
