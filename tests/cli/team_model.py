"""What has to be true of an environment and of what waits for it, worked out in plain Python: the rows that dbt would hold of a
commit on some data, and which yes lives. Nothing here asks Sluice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.cli.team_life import Clone, code_of

DAYS_OF_A_YES, DAYS_OF_WAITING = 3, 7
"""`approval_expires` and `waits`, as they are by default."""

KEYED = ("orders", "fees", "kept")
"""Relations of which the tests name a key."""
MADE_BY: Mapping[str, frozenset[str]] = {
    "orders": frozenset({"shift", "since"}),
    "fees": frozenset({"fee"}),
    "totals": frozenset({"totals", "shift", "since"}),
    "first_seen": frozenset({"version"}),
    "kept": frozenset(),
}
"""The knobs that each relation is another one by."""

Row = tuple[object, ...]
Rows = Mapping[str, Counter[Row]]
"""Rows by the name of the relation."""
Raw = dict[int, int | None]
"""The source: amounts by id."""


def rows_of(code: Mapping[str, int], raw: Raw, before: Rows | None) -> Rows:
    """Return what `dbt build` holds of some code on some data, going on from the rows `before` (None: nothing is there)."""
    shift, fee, since = code["shift"], code["fee"], code["since"]
    orders = [(id, None if amount is None else amount + shift, id >= since) for id, amount in raw.items()]
    fees = [(id, None if amount is None else amount * fee) for id, amount in raw.items()]
    amounts = [amount for _, amount, _ in orders if amount is not None]
    return {
        "orders": Counter[Row](orders),
        "fees": Counter[Row](fees),
        "totals": Counter[Row]([(len(orders), sum(amounts), code["totals"])]),
        "first_seen": _appended(raw, code["version"], before["first_seen"] if before else Counter[Row]()),
        "kept": _snapshot(raw, before["kept"] if before else Counter[Row]()),
    }


def _appended(raw: Raw, version: int, before: Counter[Row]) -> Counter[Row]:
    newest = max((id for id, *_ in before if isinstance(id, int)), default=-1)
    return before + Counter[Row]((id, amount, version) for id, amount in raw.items() if id > newest)


def _snapshot(raw: Raw, before: Counter[Row]) -> Counter[Row]:
    """A new value closes the row that was valid, and opens another; what is deleted stays as it was."""
    after = Counter(before)
    valid = {id: amount for id, amount, is_valid in before if is_valid}
    for id, amount in raw.items():
        if id in valid and valid[id] != amount:
            after -= Counter[Row]([(id, valid[id], True)])
            after[id, valid[id], False] += 1
        if id not in valid or valid[id] != amount:
            after[id, amount, True] += 1
    return after


@dataclass(frozen=True, slots=True)
class Served:
    """A generation: its commit, its cause, the data it was built on and its rows; `origin` is the one it serves again."""

    number: int
    commit: str
    cause: str
    raw: Raw
    rows: Rows
    origin: int


@dataclass
class Place:
    """An environment: what it served, newest last, and the data that lies under it now."""

    name: str
    raw: Raw = field(default_factory=lambda: {id: 10 * id for id in range(20)})
    served: list[Served] = field(default_factory=list[Served])

    @property
    def now(self) -> Served:
        """What it serves."""
        return self.served[-1]

    def candidate(self, clone: Clone, commit: str) -> Rows:
        """Return the rows that a release of a commit would serve, now."""
        return rows_of(code_of(clone, commit), self.raw, self.now.rows if self.served else None)

    def publish(self, clone: Clone, commit: str, cause: str) -> None:
        """Serve a commit, on the data of now."""
        number = len(self.served) + 1
        self.served.append(
            Served(number, commit, cause, dict(self.raw), self.candidate(clone, commit), number)
        )

    def go_back(self, origin: int) -> None:
        """Serve an older generation again, as it was."""
        old = self.served[origin - 1]
        self.served.append(
            Served(len(self.served) + 1, old.commit, "rollback", old.raw, old.rows, old.origin)
        )

    def lineage(self) -> list[Served]:
        """Return the generations that what serves goes on from, oldest first: one that serves another again is that one."""
        lineage, number = list[Served](), len(self.served)
        while number:
            served = self.served[self.served[number - 1].origin - 1]
            lineage.insert(0, served)
            number = served.number - 1
        return lineage

    def moving(self, clone: Clone, commit: str) -> set[str]:
        """Return the relations that a release of a commit would have as others than those that serve, now."""
        old, new = code_of(clone, self.now.commit), code_of(clone, commit)
        turned = {knob for knob in old if old[knob] != new[knob]}
        return {name for name, knobs in MADE_BY.items() if self.is_stale or turned & knobs}

    @property
    def is_stale(self) -> bool:
        """Say whether the data is another than what serves was built on."""
        return self.raw != self.now.raw

    def judged(self, clone: Clone, commit: str) -> Judged:
        """Return what the gates have to say of a release of a commit, now."""
        if not self.served:
            return Judged({}, None)
        moving, after = self.moving(clone, commit), self.candidate(clone, commit)
        shares = {name: _changed(self.now.rows[name], after[name], has_key=name in KEYED) for name in moving}
        nulls = sum(amount is None for amount in self.raw.values())
        return Judged(shares, nulls if "orders" in moving else None)


def _changed(before: Counter[Row], after: Counter[Row], *, has_key: bool) -> float:
    """Return the rows that are another row after, as a share (0 to 1) of those before; without a key, the most they can be."""
    if not has_key:
        return min((before - after).total(), (after - before).total()) / before.total()
    keys = {row[0] for row in before} & {row[0] for row in after}
    changed = sum(row[0] in keys for row in (before - after).elements())
    return changed / before.total()


@dataclass(frozen=True, slots=True)
class Judged:
    """What a person sees who says yes: of each relation that moves the share of rows that change, and how many amounts are
    missing (None: the test of it looks at nothing new)."""

    shares: Mapping[str, float]
    nulls: int | None

    def is_no_worse_than(self, then: Judged) -> bool:
        """Say whether a yes to `then` is one to this: docs/stages/approve.md."""
        both = self.shares.keys() & then.shares.keys()
        if any(self.shares[name] > max(then.shares[name] * 1.5, then.shares[name] + 0.01) for name in both):
            return False
        if not self.nulls:
            return True
        return bool(then.nulls) and self.nulls <= (then.nulls or 0) * 1.5


@dataclass(frozen=True, slots=True)
class Yes:
    """Who said yes to what, and on which day."""

    by: str
    day: int
    judged: Judged


@dataclass
class Waiting:
    """A commit that waits for production since a day, with every yes that was said to it since."""

    commit: str
    since: int
    yes: list[Yes] = field(default_factory=list[Yes])

    def living(self, place: Place, clone: Clone, day: int) -> Yes | None:
        """Return the yes that counts today: the newest that did not expire, if nothing is new or worse since."""
        standing = [yes for yes in self.yes if day - yes.day < DAYS_OF_A_YES]
        if standing and place.judged(clone, self.commit).is_no_worse_than(standing[-1].judged):
            return standing[-1]
        return None
