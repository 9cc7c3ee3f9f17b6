"""How well the models of a project are covered: a key test, a contract, a description, its columns', a unit test. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from prefect_sluice.domain.declarations import Declarations, DeclaredTest, NodeDescription
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.untrusted_text import parsing

BASELINE = "sluice-coverage.json"
"""The file in the dbt project's root that lists what is missing, and let pass."""

Aspect: TypeAlias = Literal["key_test", "contract", "description", "columns", "unit_test"]
WORDS: Mapping[Aspect, str] = {
    "key_test": "a key test",
    "contract": "a contract",
    "description": "a description",
    "columns": "descriptions of its columns",
    "unit_test": "a unit test",
}
"""What a model may have, and how one says it."""

ASPECTS: tuple[Aspect, ...] = tuple(WORDS)
KEY_TESTS = ("unique*", "primary_key*", "*_to_be_unique")
"""How generic tests are called that say which columns tell rows apart, packages' prefixes left out."""

Covered: TypeAlias = Mapping[str, frozenset[Aspect]]
"""What each model has, by unique id."""

_FIX = "write it anew: delete it, then sluice coverage --write-baseline"


def covered(declared: Declarations, package: str, key_tests: Sequence[str] = KEY_TESTS) -> Covered:
    """Return what the models of one package have. Ephemeral ones have no rows, and do not count."""
    tested = {test.node for test in declared.tests.values() if _is_key_test(test, key_tests)}
    unit = {test.node for test in declared.tests.values() if test.is_unit}
    return {
        uid: _of_one(node, tested=uid in tested, unit_tested=uid in unit)
        for uid, node in declared.described.items()
        if uid.startswith(f"model.{package}.") and not node.ephemeral
    }


def _of_one(node: NodeDescription, *, tested: bool, unit_tested: bool) -> frozenset[Aspect]:
    has: Mapping[Aspect, bool] = {
        "key_test": tested or (node.keyed and node.enforced),
        "contract": node.enforced or bool(node.contract),
        "description": bool(node.description.strip()),
        "columns": _columns_described(node),
        "unit_test": unit_tested,
    }
    return frozenset(aspect for aspect in ASPECTS if has[aspect])


def _is_key_test(test: DeclaredTest, patterns: Sequence[str]) -> bool:
    name = test.generic.rpartition(".")[2]
    return bool(name) and any(fnmatchcase(name, pattern) for pattern in patterns)


def _columns_described(node: NodeDescription) -> bool:
    return bool(node.columns) and all(text.strip() for text in node.columns.values())


def share(models: Covered, aspect: Aspect, among: Collection[str] | None = None) -> float | None:
    """Return the share of models (of those `among`) that have something; None where there are none."""
    aspects = [has for uid, has in models.items() if among is None or uid in among]
    return sum(aspect in has for has in aspects) / len(aspects) if aspects else None


@dataclass(frozen=True, slots=True)
class CoverageBaseline:
    """What is missing and let pass, by unique id."""

    missing: Covered

    def allows(self, uid: str, aspect: Aspect) -> bool:
        """Say whether it is let pass that a model has no such thing."""
        return aspect in self.missing.get(uid, frozenset())

    def beyond(self, older: CoverageBaseline) -> Sequence[tuple[str, Aspect]]:
        """Return the entries that were not in an older one."""
        return [entry for entry in self.entries() if not older.allows(*entry)]

    def outlived(self, models: Covered) -> Sequence[tuple[str, Aspect]]:
        """Return the entries of models that are gone, or have by now what they had not."""
        return [(uid, one) for uid, one in self.entries() if uid not in models or one in models[uid]]

    def entries(self) -> Iterable[tuple[str, Aspect]]:
        """Yield each entry, sorted by model."""
        for uid, aspects in sorted(self.missing.items()):
            for aspect in ASPECTS:
                if aspect in aspects:
                    yield uid, aspect

    def text(self) -> str:
        """Return what stands in the file."""
        listed: dict[str, list[Aspect]] = {}
        for uid, aspect in self.entries():
            listed.setdefault(uid, []).append(aspect)
        return json.dumps({"version": 1, "missing": listed}, indent=2, ensure_ascii=False) + "\n"


def table(now: Covered, baseline: CoverageBaseline | None) -> Mapping[str, Mapping[Aspect, str]]:
    """Return per model what it has: "yes", "no", or "let pass" by the baseline."""
    allowed = baseline or CoverageBaseline({})
    return {
        uid: {
            aspect: "yes" if aspect in has else "let pass" if allowed.allows(uid, aspect) else "no"
            for aspect in ASPECTS
        }
        for uid, has in sorted(now.items())
    }


def lacking(models: Covered, older: CoverageBaseline | None = None) -> CoverageBaseline:
    """Return a baseline of all that is missing; with an older one, only of what stands in there, too."""
    missing = {uid: frozenset(ASPECTS) - has for uid, has in models.items()}
    if older is not None:
        missing = {uid: aspects & older.missing.get(uid, frozenset()) for uid, aspects in missing.items()}
    return CoverageBaseline({uid: aspects for uid, aspects in missing.items() if aspects})


def read_baseline(project: Path) -> CoverageBaseline | None:
    """Return the baseline in a project's root; None where there is none. Raises BadInput when it cannot be read."""
    file = project / BASELINE
    if not file.exists():
        return None
    with parsing("is no baseline that can be read", BASELINE, _FIX):
        raw = json.loads(file.read_text(encoding="utf-8"))
        if raw["version"] != 1:
            raise BadInput(f"is of version {raw['version']!r}, and this Sluice reads 1", BASELINE, _FIX)
        return CoverageBaseline({str(uid): _aspects(names) for uid, names in raw["missing"].items()})


def _aspects(names: Any) -> frozenset[Aspect]:
    aspects = frozenset(cast(list[Any], names) if isinstance(names, list) else [names])
    unknown = aspects - set(ASPECTS)
    if unknown:
        raise BadInput(
            f"names {sorted(map(str, unknown))[0]!r}, which is none of {', '.join(ASPECTS)}", BASELINE, _FIX
        )
    return cast(frozenset[Aspect], aspects)
