"""The policy of one environment as a value: read from a sluice.yml, kept as a document, compared key by key. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from prefect_sluice import config
from prefect_sluice.config.approvals import Approvals
from prefect_sluice.domain.digests import Json, canonical
from prefect_sluice.domain.errors import BadInput, ConfigInvalid
from prefect_sluice.domain.generation import Cause

_FORM = 1
"""The form of the document. One of a later form is refused, since what it allows is not known here."""
_NOT_POLICY = frozenset({"target", "like", "ttl"})
"""Where an environment is, and what previews are like: not what may be done there."""
_CAME_LATER: Mapping[str, Json] = {"isolation": "preferred", "approval_binds": "change"}
"""Keys that an older Sluice did not know, each with its default: left out where they say that, so that no policy is another one
because Sluice is."""
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class ReleaseRules:
    """The rules of one environment: which gates judge a change, who has to approve it, and after which environment it comes.

    In `own`, `approvals` is a number and `after` a name wherever sluice.yml has an environment before this one: what they
    default to must not hang on a file that anybody may change.
    """

    environment: str
    own: config.EnvironmentPolicy
    gates: Mapping[str, config.GateSettings]
    carriers: Approvals

    def approvals(self, cause: Cause) -> int:
        """Return how many approvals a promotion for this cause needs."""
        return self.own.refresh_approvals if cause.renews else self.own.approvals or 0

    @property
    def asks(self) -> bool:
        """Say whether somebody is asked before anything is served here, be it a refresh only."""
        return bool(self.own.approvals or self.own.refresh_approvals)

    def document(self) -> dict[str, Json]:
        """Return it as JSON. Raises ConfigInvalid for a value that JSON has no word for."""
        own = self.own.model_dump(mode="json", exclude=set(_NOT_POLICY))
        as_before = {key for key, default in _CAME_LATER.items() if own[key] == default}
        try:
            document = {
                "environment": self.environment,
                "policy": {key: value for key, value in own.items() if key not in as_before},
                "gates": {
                    name: gate.model_dump(mode="json", by_alias=True, exclude_defaults=True)
                    for name, gate in sorted(self.gates.items())
                },
                "approvals": self.carriers.model_dump(mode="json"),
            }
            canonical(cast(Json, document))
        except (ValueError, TypeError) as error:
            raise ConfigInvalid(f"holds what JSON cannot ({error})", "sluice.yml: gates", "mend it") from None
        return cast("dict[str, Json]", document)

    @classmethod
    def read(cls, document: Json) -> ReleaseRules:
        """Read what `document` wrote. Raises BadInput."""
        recorded = cast("dict[str, Any]", document)
        try:
            return cls(
                recorded["environment"],
                config.EnvironmentPolicy.model_validate(recorded["policy"]),
                {name: config.GateSettings.model_validate(gate) for name, gate in recorded["gates"].items()},
                Approvals.model_validate(recorded["approvals"]),
            )
        except (KeyError, TypeError, AttributeError, ValidationError) as error:
            raise BadInput(
                "the recorded policy cannot be read",
                fix="work with the version of Sluice that wrote it, or a later one",
            ) from error


def policy_in_file(settings: config.Config, environment: str) -> ReleaseRules | None:
    """Return the policy of an environment as a sluice.yml has it; None where it names environments, and not this one."""
    named = settings.served
    if named and environment not in named:
        return None
    own = named.get(environment, config.EnvironmentPolicy())
    approvals = own.approvals if own.approvals is not None else int(environment in config.PRODUCTION)
    after = own.after if own.after is not None else _before(tuple(named), environment)
    own = own.model_copy(update={"approvals": approvals, "after": after})
    return ReleaseRules(environment, own, dict(settings.gates), settings.approvals)


def _before(names: tuple[str, ...], environment: str) -> str | None:
    ordered = sorted(names, key=lambda name: name in config.PRODUCTION)
    position = ordered.index(environment) if environment in ordered else 0
    return ordered[position - 1] if position else None


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One key of the policy that changes, as text ("-": it is not there). `weaker`: less is asked for than before."""

    key: str
    before: str
    after: str
    weaker: bool = False

    @property
    def text(self) -> str:
        """The change in a line: `approvals: 1 → 0 (weaker)`."""
        return f"{self.key}: {self.before} → {self.after}{' (weaker)' if self.weaker else ''}"

    def document(self) -> Json:
        """Return it as JSON."""
        return {"key": self.key, "before": self.before, "after": self.after, "weaker": self.weaker}


def changes(before: ReleaseRules, after: ReleaseRules) -> tuple[RuleChange, ...]:
    """Return each key whose value is another one, those that weaken the policy first."""
    old, new = dict(_flat(before)), dict(_flat(after))
    keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    key_changes = [
        RuleChange(key, _text(old.get(key)), _text(new.get(key)), _weaker(key, old.get(key), new.get(key)))
        for key in keys
    ]
    return tuple(sorted(key_changes, key=lambda change: not change.weaker))


def _flat(rules: ReleaseRules) -> Iterator[tuple[str, Json]]:
    """Yield each setting by its key; a gate's `on` also where nothing is written of it, since the default blocks."""
    document = cast("dict[str, dict[str, Any]]", rules.document())
    for key, value in {**_CAME_LATER, **document["policy"]}.items():
        if isinstance(value, dict):
            yield from (
                (f"{key}.{inner}", setting) for inner, setting in cast("dict[str, Json]", value).items()
            )
        else:
            yield key, value
    for gate, settings in document["gates"].items():
        yield from ((f"gates.{gate}.{key}", value) for key, value in settings.items())
    yield from ((f"approvals.{key}", value) for key, value in document["approvals"].items())


def _text(value: Json) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return _cut(", ".join(_text(entry) for entry in value) or "-")
    return _cut(str(value) if isinstance(value, str) else canonical(value).decode()) or "-"


def _cut(text: str) -> str:
    whole = " ".join(text.split())
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1]}…"


_STRICT = {"approval_binds": "data", "self_approval": "deny", "direct": "deny", "partial": "deny"}
_ON = ("off", "warn", "block")
_ISOLATION = ("off", "preferred", "required")
_LESS = ("approvals", "refresh_approvals", "keep.generations")
"""Settings of which less asks for less."""


def _weaker(key: str, before: Json, after: Json) -> bool:
    last = key.rpartition(".")[2]
    if key in _STRICT:
        return before == _STRICT[key]
    if key == "approvers":
        old, new = cast("list[str]", before or []), cast("list[str]", after or [])
        return not new or bool(old and set(new) - set(old))
    if key == "after":
        return after == "any"
    if key == "isolation":
        return _ISOLATION.index(str(after)) < _ISOLATION.index(str(before))
    if key in {"keep.age", "approval_expires"}:
        shorter = _number(after) < _number(before)
        return shorter if key == "keep.age" else not shorter
    if key.startswith("gates."):
        return _weaker_gate(last, before, after)
    return key in _LESS and _number(after) < _number(before)


def _weaker_gate(last: str, before: Json, after: Json) -> bool:
    """Say whether a gate demands less. A change of a limit whose stricter direction is not known counts as no less."""
    if last == "on":
        return _ON.index(str(after or "block")) < _ON.index(str(before or "block"))
    if last == "except" or last.startswith("allow"):
        return any(entry not in _items(before) for entry in _items(after))
    if last.startswith("max_"):
        return after is None or (before is not None and _number(after) > _number(before))
    if last.startswith("min"):
        return after is None or (before is not None and _number(after) < _number(before))
    return False


def _items(value: Json) -> list[Json]:
    return list(value) if isinstance(value, list) else []


def _number(value: Json) -> float:
    try:
        return float(str(value).removesuffix("s"))
    except ValueError:
        return 0.0


@dataclass(frozen=True, slots=True)
class Governance:
    """Which policy judges one promotion, and which is in force once it is served.

    `served` is the policy in force while it was planned (None: nothing was ever served there), `proposed` the one that it
    brings. The one in force judges where it asks somebody; where it asks nobody, the new one counts at once, since the
    change of the policy could be served before it in the same way, by itself.
    """

    cause: Cause
    served: ReleaseRules | None
    proposed: ReleaseRules

    @property
    def counting(self) -> ReleaseRules:
        """The policy that judges it."""
        if self.served is None or not self.served.approvals(self.cause):
            return self.proposed
        return self.served

    @property
    def changes(self) -> tuple[RuleChange, ...]:
        """What it changes of the policy in force; nothing where there is none."""
        return changes(self.served, self.proposed) if self.served is not None else ()

    @property
    def judged_by_served(self) -> bool:
        """Say whether the policy in force judges it, so that what a sluice.yml says otherwise counts only once it is served."""
        return self.served is not None and self.counting is self.served

    @property
    def waits(self) -> bool:
        """Say whether what it changes of the policy counts only after it."""
        return bool(self.changes) and self.judged_by_served

    def document(self) -> dict[str, Json]:
        """Return it as JSON: what a promotion's `policy` is the digest of."""
        return {
            "version": _FORM,
            "cause": self.cause.value,
            "served": self.served.document() if self.served else None,
            "proposed": self.proposed.document(),
        }

    @classmethod
    def read(cls, document: Json) -> Governance:
        """Read what `document` wrote. Raises BadInput."""
        recorded = cast("dict[str, Any]", document)
        if not isinstance(document, dict) or recorded.get("version") != _FORM:
            raise BadInput(
                "the recorded policy is of a form that this version does not know",
                fix="upgrade Sluice: git pull && pip install '.[all]', in its checkout",
            )
        served = ReleaseRules.read(recorded["served"]) if recorded["served"] else None
        return cls(Cause(recorded["cause"]), served, ReleaseRules.read(recorded["proposed"]))
