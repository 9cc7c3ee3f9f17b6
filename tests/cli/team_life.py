"""A team's project and its commits: what is in one, and which come and go between two. Git is asked, and nothing of Sluice."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

AUTHORS = ("Ada", "Bob", "Cyd")
ENVIRONMENTS: tuple[str, ...] = ("dev", "prod")
_ID = "columns: [{name: id, data_tests: [unique]}"
FILES = {
    ".gitignore": "*.duckdb*\n.sluice\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {+materialized: table}\n",
    "profiles.yml": (
        "shop: {target: dev, outputs: {dev: {type: duckdb, path: dev.duckdb, threads: 1}, "
        "prod: {type: duckdb, path: prod.duckdb, threads: 1}}}\n"
    ),
    # Not shut in: a process for each dbt costs three times as much, and what is told here does not hang on it.
    "sluice.yml": (
        "environments:\n"
        "  dev: {target: dev, isolation: off, keep: {generations: 3, age: 5d}}\n"
        "  prod: {target: prod, approvals: 1, isolation: off, keep: {generations: 3, age: 5d}}\n"
        "gates: {lint: {on: off}, project_tests: {on: off}, anomalies: {on: off}}\n"
    ),
    "models/models.yml": (
        "sources: [{name: raw, schema: raw, tables: [{name: orders}]}]\n"
        "models:\n"
        f"- {{name: orders, {_ID}, {{name: amount, data_tests: [{{not_null: {{config: {{severity: warn}}}}}}]}}]}}\n"
        f"- {{name: fees, {_ID}]}}\n"
    ),
    "models/orders.sql": (
        "select id,\n    amount + 0 as amount,\n    id >= 1000 as is_new\nfrom {{ source('raw', 'orders') }}\n"
    ),
    "models/fees.sql": "select id, amount * 1 as fee from {{ source('raw', 'orders') }}\n",
    "models/totals.sql": (
        "{{ config(materialized='view') }}\n"
        "select count(*) as orders, sum(amount) as amount, 0 as version from {{ ref('orders') }}\n"
    ),
    "models/first_seen.sql": (
        "{{ config(materialized='incremental', meta={'sluice': {'forward_only': true}}) }}\n"
        "select id, amount, 0 as version from {{ source('raw', 'orders') }}\n"
        "{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}\n"
    ),
    "snapshots/kept.sql": (
        "{% snapshot kept %}{{ config(unique_key='id', strategy='check', check_cols=['amount'], target_schema='main') }}"
        "select id, amount from {{ source('raw', 'orders') }}{% endsnapshot %}\n"
    ),
}
KNOBS: Mapping[str, tuple[str, str]] = {
    "shift": ("models/orders.sql", r"(?<=amount \+ )\d+"),
    "since": ("models/orders.sql", r"(?<=id >= )\d+"),
    "fee": ("models/fees.sql", r"(?<=amount \* )\d+"),
    "version": ("models/first_seen.sql", r"\d+(?= as version)"),
    "totals": ("models/totals.sql", r"\d+(?= as version)"),
}
"""What the team changes: a number in a file."""
QUERIES = {
    "orders": "select id, amount, is_new from main.orders",
    "fees": "select id, fee from main.fees",
    "totals": "select orders, amount, version from main.totals",
    "first_seen": "select id, amount, version from main.first_seen",
    "kept": "select id, amount, dbt_valid_to is null from main.kept",
}


@dataclass(frozen=True, slots=True)
class Clone:
    """The repository, asked and changed by git alone."""

    folder: Path

    def git(self, *words: str, by: str = "") -> str:
        """Run git, as an author if one is named; return what it answers."""
        who = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", by), ("EMAIL", f"{by.lower()}@example.com"))
        }
        environ = {**os.environ, **(who if by else {})}
        command = ["git", *words]
        return subprocess.run(
            command, cwd=self.folder, env=environ, check=True, capture_output=True, text=True
        ).stdout

    def ids(self, *words: str) -> list[str]:
        """Return what git lists, one a line."""
        return self.git(*words).split()

    def set_knob(self, knob: str, value: int, message: str, by: str) -> str:
        """Commit another value of a knob on the branch that is checked out; return the commit."""
        path, pattern = KNOBS[knob]
        file = self.folder / path
        file.write_text(re.sub(pattern, str(value), file.read_text("utf-8")), "utf-8")
        self.git("commit", "--quiet", "--all", "--allow-empty", "--message", message, by=by)
        return self.head("HEAD")

    def head(self, ref: str) -> str:
        """Return the commit that a ref names."""
        return self.git("rev-parse", ref).strip()

    def sentence(self, commit: str) -> str:
        """Return a commit as people are told of it."""
        return sentence_of(self, commit)


@cache
def sentence_of(clone: Clone, commit: str) -> str:
    """Return a commit as people are told of it: its first seven digits, its subject, its author."""
    return clone.git("show", "--no-patch", "--format=%h %s (%an)", "--abbrev=7", commit).strip()


@dataclass(frozen=True, slots=True)
class Range:
    """The commits that come and go from one commit to another, and how many that go come again as others."""

    comes: frozenset[str]
    goes: frozenset[str]
    again: int

    @classmethod
    @cache
    def between(cls, clone: Clone, since: str, until: str) -> Range:
        """Ask git: a commit that is there as another one with the same change (`git cherry`) does not go, nor an empty merge."""
        comes = clone.ids("rev-list", f"{since}..{until}")
        gone = clone.ids("rev-list", f"{until}..{since}")
        cherries = clone.git("cherry", until, since).splitlines()
        alike = {line[2:] for line in cherries if line.startswith("-")}
        merges = set(clone.ids("rev-list", "--merges", f"{until}..{since}"))
        own = ("diff-tree", "--cc", "--no-commit-id", "-r", "--name-only")
        empty = {commit for commit in merges if not clone.git(*own, commit)}
        return cls(frozenset(comes), frozenset(gone) - alike - empty, len(alike))

    @property
    def is_old(self) -> bool:
        """Say whether nothing comes."""
        return bool(self.goes) and not self.comes


@cache
def undeclared(clone: Clone, since: str, until: str) -> frozenset[str]:
    """Return the commits that go, and that no commit that comes declares by itself or by one above which they are."""
    goes = Range.between(clone, since, until).goes
    words = tuple(declared(clone, since, until))
    named = [commit for commit in goes if commit.startswith(words)] if words else []
    return goes - frozenset(clone.ids("rev-list", *named, f"^{until}")) if named else goes


@cache
def declared(clone: Clone, since: str, until: str) -> frozenset[str]:
    """Return the commits, by their first digits, of which a commit that comes says that they go."""
    messages = clone.git("log", "--format=%B", f"{since}..{until}")
    return frozenset(re.findall(r"^Expect: (\w{7,}) goes", messages, re.M))


@cache
def authors(clone: Clone, since: str, until: str) -> frozenset[str]:
    """Return who wrote or committed what comes."""
    return frozenset(clone.git("log", "--format=%an%n%cn", f"{since}..{until}").split())


@cache
def code_of(clone: Clone, commit: str) -> Mapping[str, int]:
    """Return the value of each knob in a commit."""
    values: dict[str, int] = {}
    for knob, (path, pattern) in KNOBS.items():
        number = re.search(pattern, clone.git("show", f"{commit}:{path}"))
        assert number is not None
        values[knob] = int(number[0])
    return values
