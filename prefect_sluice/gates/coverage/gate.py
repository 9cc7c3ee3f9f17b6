"""The gate `coverage`: key tests, contracts, descriptions and unit tests may become more, not fewer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from prefect_sluice import config
from prefect_sluice.dbt.profile import read_yaml
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.coverage import (
    ASPECTS,
    BASELINE,
    KEY_TESTS,
    WORDS,
    Aspect,
    CoverageBaseline,
    Covered,
    covered,
    read_baseline,
    share,
)
from prefect_sluice.domain.declarations import Declarations
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.node import short_name
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence, Finding, GateReport, Verdict, WayPast
from prefect_sluice.gates.base import DeclarationsView, ReleaseView, ToolsView
from prefect_sluice.gates.unknown_declarations import undeclared

_ID = "coverage"


class Settings(config.GateSettings):
    """What sluice.yml may say of it."""

    require: tuple[Aspect, ...] = Field(
        default=(), description="What each model must have that is new or was edited."
    )
    minimum: dict[Aspect, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict[Aspect, float],
        description="The share of all models, 0 to 1, that must have it, by what they have.",
    )
    share: Literal["warn", "block"] = Field(
        default="warn", description="What it does that new models make a share fall: only warn, or block."
    )
    key_tests: tuple[str, ...] = Field(
        default=KEY_TESTS,
        description="How generic tests of keys are called, without their package; * and ? stand for any.",
    )


@dataclass(frozen=True, slots=True)
class Coverage:
    """Compares what models have with what they had in the release that serves, and with the policy's bar."""

    settings: Settings = field(default_factory=Settings)
    id: ClassVar[str] = _ID
    Settings: ClassVar[type[config.GateSettings]] = Settings

    def check(self, release: ReleaseView, declarations: DeclarationsView, tools: ToolsView) -> GateReport:
        """Return a finding per share, and one per model that lost something or has not what it must. Repeatable."""
        package = str(read_yaml(release.project / "dbt_project.yml", "dbt project", "").get("name", ""))
        now = covered(declarations.now, package, self.settings.key_tests)
        if not now:
            return GateReport(_ID, not_applicable="the project has no models")
        try:
            baseline = read_baseline(release.project)
            findings = list(self._against_baseline(tools, now, baseline))
        except BadInput as error:
            return GateReport(
                _ID, (_make_finding("baseline", Verdict.ERRORED, str(error), location=BASELINE),)
            )
        bar = bool(self.settings.require or self.settings.minimum or baseline is not None)
        if declarations.before is None:
            unknown = tuple(undeclared(_ID, release, declarations))
            findings += unknown
            if not unknown and not bar:
                return GateReport(_ID, not_applicable="nothing serves yet to compare with, and no bar is set")
            before: Covered = {}
        else:
            before = covered(declarations.before, package, self.settings.key_tests)
        asked = _Asked(release.edited, declarations.now, now, before, baseline or CoverageBaseline({}))
        findings += [*self._lost(asked), *self._required(asked), *self._shares(asked)]
        return GateReport(_ID, tuple(findings))

    def _lost(self, asked: _Asked) -> Iterator[Finding]:
        for uid, has in asked.now.items():
            for aspect in ASPECTS:
                if aspect in asked.before.get(uid, frozenset()) and aspect not in has:
                    yield _make_finding(
                        aspect,
                        Verdict.FAILED,
                        f"{short_name(uid)} had {WORDS[aspect]}, and has none any more",
                        uid,
                        location=asked.path(uid),
                        fix="put it back, or say for how long it may be so: gates.coverage.except",
                        way_past=WayPast.NAMED,
                    )

    def _required(self, asked: _Asked) -> Iterator[Finding]:
        """Yield what new and edited models must have and have not; what they lost is told already."""
        for uid in asked.edited:
            has = asked.now.get(uid)
            for aspect in self.settings.require if has is not None else ():
                if aspect in (has or ()) or aspect in asked.before.get(uid, frozenset()):
                    continue
                if asked.baseline.allows(uid, aspect):
                    continue
                yield _make_finding(
                    aspect,
                    Verdict.FAILED,
                    f"{short_name(uid)} was {'edited' if uid in asked.before else 'added'} and has not {WORDS[aspect]}",
                    uid,
                    location=asked.path(uid),
                    fix=f"give it {WORDS[aspect]}",
                )

    def _shares(self, asked: _Asked) -> Iterator[Finding]:
        for aspect in ASPECTS:
            yield self._share(asked, aspect)

    def _share(self, asked: _Asked, aspect: Aspect) -> Finding:
        now = share(asked.now, aspect) or 0.0
        was = asked.share_before(aspect)
        lowest = self.settings.minimum.get(aspect)
        without = [uid for uid, has in asked.now.items() if aspect not in has]
        models = count(len(asked.now), "model has", "models have")
        told = f"{len(asked.now) - len(without)} of {models} {WORDS[aspect]} ({now:.0%})"
        fresh = [uid for uid in without if uid not in asked.before]
        verdict, limit, fix = Verdict.PASSED, lowest, ""
        if was is not None and now < was and fresh:
            names = ", ".join(short_name(uid) for uid in fresh[:3])
            told += f", {was:.0%} before: not the new {names}{' …' if len(fresh) > 3 else ''}"
            verdict = Verdict.FAILED if self.settings.share == "block" else Verdict.WARNED
            limit, fix = was, f"give new models {WORDS[aspect]}"
        if lowest is not None and now < lowest:
            told += f", and {lowest:.0%} must"
            verdict, limit, fix = Verdict.FAILED, lowest, f"give more models {WORDS[aspect]}"
        return _make_finding(
            aspect, verdict, told, observed=now, limit=limit, evidence=_models(without), fix=fix
        )

    def _against_baseline(
        self, tools: ToolsView, now: Covered, baseline: CoverageBaseline | None
    ) -> Iterator[Finding]:
        """Yield what the baseline file lets pass that it did not before, and what it need not list any more."""
        if baseline is None:
            return
        earlier = tools.earlier()
        older = read_baseline(earlier) if earlier is not None else None
        added = baseline.beyond(older) if older is not None else ()
        if added:
            yield _entries(
                f"{BASELINE} may only shrink, and lists {_listed(added)} more", Verdict.FAILED, added
            )
        outlived = baseline.outlived(now)
        if outlived:
            summary = f"{BASELINE} lists {_listed(outlived)} that nothing needs any more"
            yield _entries(summary, Verdict.WARNED, outlived, "shrink it: sluice coverage --write-baseline")
        if not added and not outlived:
            entries = list(baseline.entries())
            yield _entries(f"{BASELINE} lets {_listed(entries)} pass", Verdict.PASSED, entries)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one answer is made of."""

    edited: tuple[str, ...]
    declared: Declarations
    now: Covered
    before: Covered
    baseline: CoverageBaseline

    def path(self, uid: str) -> str:
        """The file in which a model is written."""
        return self.declared.described[uid].path

    def share_before(self, aspect: Aspect) -> float | None:
        """The share of before among the models that are still there: to delete one that had it is no fall."""
        kept = self.before.keys() & self.now.keys()
        return share(self.before, aspect, kept or None)


def _make_finding(
    aspect: str,
    verdict: Verdict,
    summary: str,
    subject: str = "",
    *,
    observed: float | None = None,
    limit: float | None = None,
    location: str = "",
    evidence: Evidence | None = None,
    fix: str = "",
    way_past: WayPast = WayPast.UNSAID,
) -> Finding:
    return Finding(
        _ID,
        aspect,
        verdict,
        summary,
        (subject,) if subject else (),
        observed,
        limit,
        location=location,
        evidence=evidence,
        fix=fix,
        way_past=way_past,
    )


def _models(uids: Sequence[str]) -> Evidence | None:
    rows = tuple((short_name(uid),) for uid in sorted(uids)[:EVIDENCE_ROWS])
    return Evidence(("model without it",), rows, len(uids)) if uids else None


def _entries(summary: str, verdict: Verdict, entries: Sequence[tuple[str, Aspect]], fix: str = "") -> Finding:
    rows = tuple((short_name(uid), aspect) for uid, aspect in entries[:EVIDENCE_ROWS])
    evidence = Evidence(("model", "missing"), rows, len(entries)) if entries else None
    fix = fix or ("give them what they lack instead" if verdict is Verdict.FAILED else "")
    return _make_finding(
        "baseline", verdict, summary, location=BASELINE, observed=len(entries), evidence=evidence, fix=fix
    )


def _listed(entries: Sequence[tuple[str, Aspect]]) -> str:
    return count(len(entries), "entry", "entries")
