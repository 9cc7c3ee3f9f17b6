"""Consumers as an analyst picks them: found by the name that people use, and as dbt's selector of all that one reads. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prefect_sluice.domain.counting import did_you_mean
from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.planning.impact import title

_SELECTOR = "+exposure:"
_MOST = 12


def selector(consumer: Consumer) -> str:
    """Return dbt's selector of all that a consumer reads, directly or not."""
    return f"{_SELECTOR}{consumer.name}"


def picked(select: str) -> str:
    """Return the name of the consumer that a selector is all the reading of; "" for any other selector."""
    name = select.removeprefix(_SELECTOR)
    return name if select.startswith(_SELECTOR) and name and not set(name) & set(" ,*:+") else ""


def part_title(select: str, consumer: Consumer | None) -> str:
    """Return what a promoted part is called: `Revenue dashboard`, else by its selector. Pure."""
    if consumer is None:
        return f"part {select}"
    return titled(consumer.label or consumer.name, consumer.kind)


def titled(label: str, kind: str) -> str:
    """Return what a dashboard is called with its kind, which its label may say already. Pure."""
    words = kind if kind and kind not in {"ml"} and kind.casefold() not in label.casefold() else ""
    return f"{label} {words}".strip()


def called(consumers: Iterable[Consumer], name: str) -> Consumer | None:
    """Return the consumer of that name in dbt, None when there is none."""
    return next((consumer for consumer in consumers if consumer.name == name), None)


def find_consumer(consumers: Sequence[Consumer], text: str, where: str) -> Consumer:
    """Return the consumer that people call so: by label, name, label with owner, or unique id, in any case.

    Raises BadInput, with the known ones, when there is none, or several.
    """
    wanted = " ".join(text.split()).casefold()
    matching = [consumer for consumer in consumers if wanted in {one.casefold() for one in _names(consumer)}]
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = ", ".join(consumer.name for consumer in matching)
        raise BadInput(f"{text!r} is any of {names}", fix="name one of them: --report")
    labels = sorted(consumer.label or consumer.name for consumer in consumers)
    if not labels:
        raise BadInput(
            f"what {where} serves declares no dashboard", fix="declare one in the project: dbt's exposures"
        )
    meant = did_you_mean(text, labels) if wanted else ""
    hint = f" ({meant})" if meant else ""
    more = f" and {len(labels) - _MOST} more" if len(labels) > _MOST else ""
    raise BadInput(
        f"what {where} serves has no dashboard {text!r}{hint}; it has: {', '.join(labels[:_MOST])}{more}",
        fix="name one of them",
    )


def _names(consumer: Consumer) -> tuple[str, ...]:
    return tuple(
        name for name in (consumer.label, consumer.name, title(consumer), consumer.unique_id) if name
    )
