"""Form choices: what a form offers, as people read it, and what a flow makes of the line that was chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.release import Release
from prefect_sluice.planning.dashboards import titled

FORMER = "what another release served before"
"""The line that stands for the former release."""

_GENERATION = re.compile(r"(?:(?P<environment>\S+) )?(?P<number>\d+) - .*", re.DOTALL)
_REPORT = re.compile(r".+ \[(?P<name>\w+)\]", re.DOTALL)
_LABEL = re.compile(r"(?P<label>.+?) \((?P<kind>\w+)\)(?:, | \[|$)")
_ASKED = re.compile(r"(?P<promotion>\S+) as (?P<shown>[0-9a-f]{8,}): .*", re.DOTALL)
_SHOWN = 8
_LONGEST = 60
_MANY = 30


@dataclass(frozen=True, slots=True)
class FormChoices:
    """What the drop-downs of one project hold. `environments` are in order, production last; `actor` is who can only be filling
    in the forms ("": it may be anybody). `at` is when the lists were made, UTC.

    `generations` are lines of `generation_line`, newest first, `reports` lines of `report_line`.
    """

    environments: tuple[str, ...] = ()
    default: str = ""
    generations: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    actor: str = ""
    at: datetime | None = field(default=None, compare=False)

    @property
    def last(self) -> str:
        """The last environment: production, where there is one."""
        return self.environments[-1] if self.environments else ""


def generation_line(generation: Generation, release: Release | None) -> str:
    """Return a generation as a form offers it: `prod 7 - a1b2c3d Add discounts, 2026-11-23 04:00 UTC`."""
    change = release.change if release else None
    what = f"{change.short} {_short(change.subject)}" if change else generation.release[:7]
    again = " (refreshed)" if generation.cause.renews else ""
    at = generation.at.astimezone(UTC)
    return f"{generation.environment} {generation.number} - {what.strip()}{again}, {at:%Y-%m-%d %H:%M} UTC"


def back_to(generations: Sequence[Generation], releases: Mapping[str, Release]) -> tuple[str, ...]:
    """Return the lines of the generations of one environment that can be served again. Pure; `generations` newest first.

    Left out are the one that serves, the collected ones, and those that a rollback wrote: the one it wrote again stands there.
    """
    there = [
        generation for generation in generations[1:] if generation.number and not generation.collected_at
    ]
    own = [generation for generation in there if not generation.cause.goes_back]
    return tuple(generation_line(generation, releases.get(generation.release)) for generation in own[:_MANY])


def report_line(consumer: Consumer) -> str:
    """Return a dbt exposure as a form offers it, as its readers know it: `Delays by airport (dashboard), Ops team [delays]`."""
    line = _short(consumer.label) or consumer.name
    line += f" ({consumer.kind})" if consumer.kind else ""
    line += f", {consumer.owner}" if consumer.owner else ""
    return line if line == consumer.name else f"{line} [{consumer.name}]"


def chosen(text: str) -> str:
    """Return the name at the end of a line of `report_line`; any other text as it is, without blanks around it."""
    match = _REPORT.fullmatch(text.strip())
    return match["name"] if match else text.strip()


def report_called(text: str) -> str:
    """Return what the dashboard is called that a line of `report_line` stands for; any other text as it is. Pure."""
    match = _LABEL.match(text.strip())
    return titled(match["label"], match["kind"]) if match else chosen(text)


def chosen_generation(text: str, environment: str) -> str:
    """Return what a line of `generation_line` stands for: a generation's number, "" for the former release; any other text as
    it is. Raises BadInput when the line is of another environment.
    """
    match = _GENERATION.fullmatch(text)
    if match is None:
        return "" if text == FORMER else text
    if match["environment"] not in {None, environment}:
        raise BadInput(
            f"generation {match['number']} is one of {match['environment']}, and {environment} was to be rolled back",
            fix=f"choose a line that begins with {environment}",
        )
    return match["number"]


def asked_for(promotion: str, binding: str, title: str) -> str:
    """Return a promotion as the form of an answer names it, with the digits of what was shown of it:
    `c389c9ddc5 as 1a2b3c4d: Add discounts → prod`. Pure."""
    return f"{promotion} as {binding[:_SHOWN]}: {_short(title)}"


def parse_waiting_choice(text: str) -> tuple[str, str]:
    """Return the promotion that a line of `asked_for` names, and the digits of what was shown ("" in any other text). Pure."""
    match = _ASKED.fullmatch(text.strip())
    return (match["promotion"], match["shown"]) if match else (text.strip(), "")


def _short(text: str) -> str:
    whole = " ".join(text.split())
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1].rstrip()}…"
