"""What a statement beside a model's own query means for a release: what is harmless, what is not, and what to do about it."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from prefect_sluice.domain.node import Name, Node
from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.sql.side_effects import (
    ANY,
    REF,
    SCHEMA,
    SOURCE,
    THIS,
    EffectType,
    StatementWrite,
    template_text,
)


@dataclass(frozen=True, slots=True)
class StatementEffect:
    """What one statement comes to. `leaves` says that it has an effect outside the warehouse, which nothing takes back."""

    check: str
    verdict: Verdict
    why: str
    fix: str
    leaves: bool = False


_ELSEWHERE = re.compile(r"$|[/~\\]|\w+:")
"""How a place begins that is not known, absolute, or a URL."""
_AFTER = "do it after the release, from what is served then"
_PROFILE = "say it in the profile (settings, extensions, secrets, attach), where every run has it"

PUT_ASIDE = StatementEffect(
    "copies-out",
    Verdict.WARNED,
    "its file is put aside until the next build, and does not go where it went so far; it was there before",
    _AFTER,
)
"""What a copy to a relative path comes to, where it was there before the first release."""

_RULES: Mapping[EffectType, StatementEffect] = {
    EffectType.COPIES_OUT: StatementEffect(
        "copies-out",
        Verdict.FAILED,
        "data leaves the warehouse while the candidate is built: no gate has judged it yet, and no rollback takes it back",
        _AFTER,
        leaves=True,
    ),
    EffectType.CALLS: StatementEffect(
        "calls-out",
        Verdict.FAILED,
        "a server is called whenever the candidate is built, released or not, and no rollback takes it back",
        _AFTER,
        leaves=True,
    ),
    EffectType.ATTACHES: StatementEffect(
        "attaches",
        Verdict.FAILED,
        "what is written to another database is in no release",
        "attach it with (read_only), or write to it after the release",
        leaves=True,
    ),
    EffectType.READS_ELSEWHERE: StatementEffect(
        "attaches", Verdict.WARNED, "nobody sees when what it reads there changes", _PROFILE
    ),
    EffectType.DROPS_SCHEMA: StatementEffect(
        "drops-schema",
        Verdict.FAILED,
        "in the candidate others need what stands in it, and what is served stays",
        "take it out; what the project no longer has is removed by the release itself",
    ),
    EffectType.SETS: StatementEffect(
        "settings",
        Verdict.WARNED,
        "it holds while this is built; whoever reads the release has it not",
        _PROFILE,
    ),
    EffectType.INSTALLS: StatementEffect(
        "extensions",
        Verdict.WARNED,
        "it is there while this is built; whoever reads the release has it not",
        _PROFILE,
    ),
    EffectType.KEEPS_SECRET: StatementEffect(
        "secrets",
        Verdict.FAILED,
        "it is written to the home folder of whoever builds, for good",
        "make it temporary (create secret), or say it in the profile",
        leaves=True,
    ),
    EffectType.MOVES: StatementEffect(
        "settings", Verdict.WARNED, "what comes after it may be built elsewhere", "name the database instead"
    ),
}

_UNKNOWN = StatementEffect(
    "not-known",
    Verdict.INCONCLUSIVE,
    "where it writes is not known before it runs",
    "write the relation's name out, or use this or ref",
)


@dataclass(frozen=True)
class ProjectRelations:
    """What belongs to the project: its nodes by unique id, and the name of the database that they are in."""

    nodes: Mapping[str, Node]
    catalog: str = ""

    @cached_property
    def schemas(self) -> frozenset[str]:
        """The schemas of its relations, in lower case."""
        return frozenset(node.name.schema.lower() for node in self.nodes.values())

    @cached_property
    def named(self) -> Mapping[Name, str]:
        """The nodes by their public names."""
        return {node.name.folded: uid for uid, node in self.nodes.items()}

    @cached_property
    def bare(self) -> Mapping[str, str]:
        """The nodes by the last part of their public names, and by the names that `ref` takes."""
        refs = {node.short.lower(): uid for uid, node in self.nodes.items()}
        return {node.name.identifier.lower(): uid for uid, node in self.nodes.items()} | refs


def put_aside(write: StatementWrite, folder: Path, top: Path) -> bool:
    """Say whether what a statement copies out stays within the checkout `top` that it is built in: there a build's files are
    put aside. `folder` is where dbt runs. What a template computes at the beginning of a path, and a link, may lead anywhere."""
    begin = write.place.strip("'").partition("{{")[0]
    if write.does is not EffectType.COPIES_OUT or _ELSEWHERE.match(begin):
        return False
    path = Path(os.path.normpath(folder / begin / "x"))
    above = path.relative_to(top).parts if path.is_relative_to(top) else ()
    return bool(above) and not any(top.joinpath(*above[:n]).is_symlink() for n in range(1, len(above) + 1))


def judge_statement(
    write: StatementWrite, home: ProjectRelations, own: str, *, in_query: bool = False
) -> StatementEffect | None:
    """Return what a statement comes to, None for what is harmless. Pure.

    `own` is the node whose hook it is in ("" for none); `in_query` says that only a model's own query calls it: to
    write to a relation that it is given is then how that model is made.
    """
    if write.does is not EffectType.WRITES:
        return _RULES[write.does]
    target = [part.lower() for part in write.target]
    if any(THIS in part for part in target):
        return None
    if not target or ANY in target[-1] or ANY in target[0]:
        own_schema = len(target) > 1 and SCHEMA in target[0]
        return (
            None if in_query else _beside(template_text(".".join(write.target))) if own_schema else _UNKNOWN
        )
    if SOURCE in target[-1]:
        return _source(template_text(target[-1]))
    if REF in target[-1]:
        return _effect_on_model(
            home.bare.get(target[-1].partition(REF)[2], ""), own, template_text(target[-1])
        )
    return _written(target, home, own)


def _written(target: list[str], home: ProjectRelations, own: str) -> StatementEffect | None:
    if len(target) > 2 and home.catalog and target[-3] not in (home.catalog.lower(), ANY):
        return _foreign(".".join(target))
    name = ".".join(target[-2:])
    uid = home.named.get(Name(target[-2], target[-1])) if len(target) > 1 else home.bare.get(target[-1])
    if uid is None and len(target) > 1 and SCHEMA in target[-2]:
        uid = home.bare.get(target[-1])
    if uid is not None:
        return _effect_on_model(uid, own, name)
    if len(target) == 1 or SCHEMA in target[-2] or target[-2] in home.schemas:
        return _beside(template_text(name))
    return StatementEffect(
        "writes-elsewhere",
        Verdict.FAILED,
        f"{template_text(name)} is outside the project's schemas: no gate looks at what it writes, and it is lost where that "
        "relation is there already",
        "make it a model, or write it after the release",
    )


def _effect_on_model(uid: str, own: str, said: str) -> StatementEffect | None:
    if uid and uid == own:
        return None
    return StatementEffect(
        "changes-another",
        Verdict.FAILED,
        f"{said} is another model: where that is not rebuilt, a stand-in is changed, or nothing",
        "do it in that model's own code or hook",
    )


def _source(said: str) -> StatementEffect:
    return StatementEffect(
        "writes-elsewhere",
        Verdict.FAILED,
        f"{said} is a source: in the candidate it is a copy, and thrown away",
        "load sources before the release",
    )


def _beside(said: str) -> StatementEffect:
    return StatementEffect(
        "writes-beside",
        Verdict.WARNED,
        f"{said} is no model: it is published as it is, and no gate looks at it",
        "make it a model",
    )


def _foreign(said: str) -> StatementEffect:
    return StatementEffect(
        "writes-elsewhere",
        Verdict.FAILED,
        f"{said} is in another database: what is written there is in no release",
        _AFTER,
        leaves=True,
    )
