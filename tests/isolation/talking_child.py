"""A child for tests: what is asked of it says what it does."""

from __future__ import annotations

import os
from typing import Any

from prefect_sluice.isolation.warm_process import Channel


def prepare() -> None:
    """Nothing is loaded."""


def talk(channel: Channel, opening: Any) -> None:
    """Do what each question says."""
    for count, question in enumerate(channel.questions(), 1):
        match question:
            case ["count"]:
                channel.answer([opening, count])
            case ["say", *words]:
                for word in words:
                    channel.say(word)
                channel.answer("said")
            case ["end", code]:
                os._exit(code)
            case ["raw", text]:
                os.write(channel._connection.fileno(), text.encode())  # pyright: ignore[reportPrivateUsage]  # it forges
            case _:
                raise ValueError(question)
