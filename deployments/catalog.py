"""The catalog of Prefect deployments: a row for each way in that people and schedules use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from prefect_sluice.config.schedules import CheckPoll, CronSchedule, IntervalSchedule, Poll, Schedules
from prefect_sluice.planning.choices import FormChoices

POOL = "sluice"
"""The work pool, unless another is named."""

Timer = Literal["", "release", "check", "refresh", "monitor", "collect"]
"""The key of `schedules` in sluice.yml that says when it runs by itself; "": never."""


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """One Prefect deployment.

    `fields` are the parameters that its form shows, in this order; of these `required` must be filled in. What else the
    flow takes is there for schedules and code. How many are at work at a time is said by their queue (`limits`).
    """

    name: str
    flow: str
    description: str
    tags: tuple[str, ...]
    fields: tuple[str, ...]
    required: tuple[str, ...] = ()
    timer: Timer = ""
    parameters: Mapping[str, str | int | bool] = field(default_factory=dict[str, str | int | bool])

    @property
    def entrypoint(self) -> str:
        """The flow, dotted: no file path, which would load a second copy of the module."""
        return f"prefect_sluice.flows.{self.flow}.{self.flow}"

    @property
    def flow_name(self) -> str:
        """The flow as Prefect calls it: one flow in its lists, whether a Prefect deployment or a command started it."""
        return self.flow.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Timing:
    """When a Prefect deployment runs by itself: by `cron` in `timezone`, or each `every`; and what it is given then."""

    cron: str = ""
    timezone: str = "UTC"
    every: timedelta | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


BY_ITSELF = "schedule"
"""Who asked for a run that a schedule started, in the ledger."""

_WAITS = {"wait_seconds": 600}

ROWS = (
    DeploymentRow(
        "release",
        "release",
        "**For engineers.** Takes a commit through Source, Build, Test, Stage, Approve, Deploy and Monitor. Only what changed "
        "is built, off to the side; nobody reads it before every gate said yes.\n\n"
        "Fill in the branch or commit. Where an approval is needed, the run waits for it.",
        ("sluice", "engineer"),
        ("environment", "ref", "actor"),
        timer="release",
        parameters=_WAITS,
    ),
    DeploymentRow(
        "check",
        "check",
        "**For engineers.** Builds and judges a commit as its release would be, beside what an environment serves. Nothing is "
        "published, and nobody is asked.\n\n"
        "Fill in the branch or commit. With `schedules.check` in sluice.yml each new commit of a branch is checked by itself.",
        ("sluice", "engineer"),
        ("environment", "ref", "actor"),
        timer="check",
        parameters=_WAITS,
    ),
    DeploymentRow(
        "nightly-refresh",
        "refresh",
        "**For everybody; runs by itself.** Builds what new source data changed, with the code that serves now, judges it and "
        "publishes it. Nothing new: nothing is built. Start it by hand when data came late.",
        ("sluice", "refresh"),
        ("environment", "select", "actor"),
        timer="refresh",
    ),
    DeploymentRow(
        "promote",
        "promote",
        "**For engineers.** Takes what serves in one environment into the next, as it is: the same bundle, judged again on the "
        "data there.",
        ("sluice", "engineer"),
        ("environment", "origin", "release", "report", "select", "actor"),
        required=("environment", "actor"),
        parameters=_WAITS,
    ),
    DeploymentRow(
        "promote-report",
        "promote_report",
        "**For analysts.** Pick a dashboard: what it reads goes into the next environment with it, and nothing else. Before "
        "anything is published, the run says in plain words what its readers will see change.",
        ("sluice", "analyst"),
        ("report", "environment", "actor"),
        required=("report", "actor"),
        parameters=_WAITS,
    ),
    DeploymentRow(
        "rollback",
        "rollback",
        "**For on-call.** Serves an older generation again, at once. Nothing is built and no row moves; what came after it "
        "stays, to go forward to again. A hold keeps the environment there until somebody lifts it: the form `controls`, or "
        "`sluice unhold`.\n\n"
        "When this server is down: `sluice rollback` does the same.",
        ("sluice", "on-call"),
        ("environment", "to", "from_generation", "reason", "hold", "catch_up", "actor"),
        required=("environment", "reason", "actor"),
        parameters=_WAITS,
    ),
    DeploymentRow(
        "answer",
        "answer",
        "**For approvers.** Says yes or no to a promotion that waits. The run that asked goes on; where it is gone (cancelled, "
        "deleted), this one does its work. What exactly a yes is to is in the report, which leads here.",
        ("sluice", "approver"),
        ("promotion", "decision", "comment", "actor"),
        required=("decision", "actor"),
        parameters=_WAITS,
    ),
    DeploymentRow(
        "controls",
        "controls",
        "**For on-call.** Holds an environment where it is, freezes one or all, blocks a release, and lifts what somebody, or a "
        "rollback, put in the way. What is in force is in the artifact `status`, with links that lift it.",
        ("sluice", "on-call"),
        ("act", "environment", "release", "reason", "until", "actor"),
        required=("act", "reason", "actor"),
    ),
    DeploymentRow(
        "plan",
        "plan",
        "**For everybody.** Says what a release, a promotion or a refresh would build, reuse and remove, and whom it reaches. "
        "Nothing is built or published, and nobody is asked.",
        ("sluice", "look"),
        ("way", "environment", "ref", "origin", "report", "select", "adopt", "why"),
    ),
    DeploymentRow(
        "collect",
        "collect",
        "**For on-call; runs by itself.** Drops relations and files that no kept generation, waiting promotion or view needs. "
        "What stays is said by `environments.NAME.keep` in sluice.yml.",
        ("sluice", "upkeep"),
        ("environment", "dry_run", "actor"),
        timer="collect",
        parameters=_WAITS,
    ),
    DeploymentRow(
        "monitor",
        "monitor",
        "**For on-call; runs by itself.** Looks at what is served, settles what a dead process left, takes up approvals that "
        "came another way, ends runs whose process is gone, and starts the night that was missed.",
        ("sluice", "upkeep"),
        ("environment",),
        timer="monitor",
    ),
)  # fmt: skip


def timing(row: DeploymentRow, schedules: Schedules, choices: FormChoices) -> Timing | None:
    """Return when a row runs by itself in a project; None for never. Pure."""
    schedule = getattr(schedules, row.timer) if row.timer else None
    match schedule:
        case Poll():
            given = {"ref": schedule.branch, "environment": schedule.environment or choices.default}
            return Timing(every=schedule.every, parameters=_scheduled_parameters(given))
        case CheckPoll():
            given = {"environment": schedule.environment or choices.default}
            return Timing(every=schedule.every, parameters=_scheduled_parameters(given))
        case CronSchedule():
            # A refresh is of one environment, the last; a collection looks at all of them.
            everywhere = "" if row.timer == "collect" else choices.last
            return Timing(
                schedule.cron,
                schedule.timezone,
                parameters=_scheduled_parameters({"environment": schedule.environment or everywhere}),
            )
        case IntervalSchedule():
            return Timing(
                every=schedule.every, parameters=_scheduled_parameters({"environment": schedule.environment})
            )
        case _:
            return None


def _scheduled_parameters(parameters: Mapping[str, str]) -> Mapping[str, str]:
    return {**{name: value for name, value in parameters.items() if value}, "actor": BY_ITSELF}
