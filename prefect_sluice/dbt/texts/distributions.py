"""Which installed distributions bring a module, as `importlib.metadata.packages_distributions` says it.

That one makes a path of each file of each distribution before it looks: 0.3 s of processor, in each process that asks.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import sys
from collections.abc import Collection
from dataclasses import dataclass, field

_CODE_ONLY = sys.version_info < (3, 12)
"""Which files are taken for modules by a Python of that age: those that end on `.py`, or any."""


@dataclass(frozen=True, slots=True)
class _Installed:
    """A distribution: the modules that it declares, or else its list of files as it is written, None where there is no such."""

    package: importlib.metadata.Distribution
    declared: frozenset[str]
    record: str | None

    @classmethod
    def read(cls, package: importlib.metadata.Distribution) -> _Installed:
        """Read what it says of itself."""
        declared = frozenset((package.read_text("top_level.txt") or "").split())
        record = None if declared else package.read_text("RECORD")
        return cls(package, declared, None if record is None else f"\n{record}")

    def brings(self, module: str) -> bool:
        """Say whether it has files of a module at the top."""
        if self.declared:
            return module in self.declared
        return self._may_bring(module) and any(
            (file.parts[0] if len(file.parts) > 1 else inspect.getmodulename(file)) == module
            for file in self.package.files or ()
            if file.suffix == ".py" or not _CODE_ONLY
        )

    def _may_bring(self, module: str) -> bool:
        """Say whether a line begins so, in quotes or not; to make paths of all lines takes fifty times as long."""
        beginnings = (f"\n{quote}{module}{end}" for quote in ("", '"') for end in "/.")
        return self.record is None or any(beginning in self.record for beginning in beginnings)


@dataclass(slots=True)
class Distributions:
    """What is installed, as of the first question."""

    _installed: list[_Installed] = field(default_factory=list[_Installed])

    def that_bring(self, modules: Collection[str]) -> frozenset[str]:
        """Return the names of the distributions that bring one of these modules."""
        if modules and not self._installed:
            self._installed.extend(map(_Installed.read, importlib.metadata.distributions()))
        bringing = (one for one in self._installed if any(map(one.brings, modules)))
        return frozenset(one.package.metadata["Name"] for one in bringing)
