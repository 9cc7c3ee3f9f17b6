"""Synthetic dbt projects of any size, the same for the same seed: `python -P benchmarks/generate.py FOLDER --models 1000`.

Raw tables and seeds, below them staging views (three in ten models), intermediate models (four in ten, views and
tables, one to three parents) and marts (three in ten: tables, some incremental, one to four parents), a test or two
each. Rows are few, so that what is measured is the machinery. Every model has the columns `id` and `v`.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

STAGING, INTERMEDIATE = 0.3, 0.4
"""Shares of the models; the rest are marts."""
PER_RAW_TABLE, PER_SEED, PER_FOLDER = 20, 100, 50
"""One raw table for so many models, one seed for so many, at most so many models in one folder."""
RAW_ROWS, SEED_ROWS = 20, 5
IDENTITY = ("-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")

PROJECT = """name: synthetic
version: '1.0'
profile: synthetic
models:
  synthetic:
    staging: {+materialized: view}
"""
PROFILE = """synthetic:
  target: prod
  outputs:
    prod: {type: duckdb, path: synthetic.duckdb, schema: main, threads: 2}
"""
SLUICE = "default_environment: prod\nenvironments:\n  prod: {approvals: 0}\n"


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A generated project. `leaf` is the path of a mart that nothing reads, `root` that of a staging model that
    many read, directly or not; `models` is how many there are."""

    folder: Path
    models: int
    leaf: Path
    root: Path


@dataclass(slots=True)
class _Draft:
    """The files of a project as they are thought up."""

    random: random.Random
    files: dict[str, str] = field(default_factory=dict[str, str])
    models: dict[str, str] = field(default_factory=dict[str, str])
    """Path by model."""
    read: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Parents by model."""

    def model(self, name: str, layer: str, number: int, parents: list[str], kind: str) -> None:
        """Add a model that reads `parents`, Jinja expressions or names of models."""
        folder = f"models/{layer}/{layer[:3]}_{number // PER_FOLDER:02}"
        path = f"{folder}/{name}.sql"
        self.files[path] = _sql(parents, kind, self.random.randint(1, 9))
        self.models[name] = path
        self.read[name] = [parent for parent in parents if parent in self.models]
        listed = f"{folder}/schema.yml"
        text = self.files.setdefault(listed, "models:\n")
        tests = self.random.choice(("[not_null]", "[unique, not_null]"))
        self.files[listed] = (
            text
            + f"  - name: {name}\n    description: Model {number} of the layer {layer}.\n"
            + f"    columns: [{{name: id, data_tests: {tests}}}, {{name: v, description: A number.}}]\n"
        )


def _sql(parents: list[str], kind: str, factor: int) -> str:
    read = [parent if "{{" in parent else f"{{{{ ref('{parent}') }}}}" for parent in parents]
    terms = " + ".join(f"coalesce(t{at}.v, 0)" for at in range(len(read)))
    lines = [] if kind == "view" else [f"{{{{ config(materialized='{kind}') }}}}"]
    if kind == "incremental":
        lines = ["{{ config(materialized='incremental', unique_key='id') }}"]
    lines += ["-- generated: the columns are always these two", f"select t0.id, {factor} * ({terms}) as v"]
    lines += [f"from {read[0]} as t0"]
    lines += [f"left join {other} as t{at} on t{at}.id = t0.id" for at, other in enumerate(read[1:], 1)]
    if kind == "incremental":
        lines += ["{% if is_incremental() %}where t0.id > (select max(id) from {{ this }}){% endif %}"]
    return "\n".join(lines) + "\n"


def generate(folder: Path, *, models: int, seed: int = 0) -> Synthetic:
    """Write a project of `models` models, its raw data and its first commit into `folder`, which must not exist yet."""
    draft = _Draft(random.Random(seed))
    raw, seeds = max(2, models // PER_RAW_TABLE), max(1, models // PER_SEED)
    _base(draft, raw, seeds)
    names = _layers(draft, models, raw, seeds)
    for path, text in draft.files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    load(folder, raw)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "first")
    return Synthetic(folder, models, folder / draft.models[_leaf(names)], folder / draft.models[_root(draft)])


def _base(draft: _Draft, raw: int, seeds: int) -> None:
    draft.files |= {
        "dbt_project.yml": PROJECT,
        "profiles.yml": PROFILE,
        "sluice.yml": SLUICE,
        ".gitignore": "*.duckdb*\ntarget/\nlogs/\n",
        "models/sources.yml": "sources:\n  - name: raw\n    tables:\n"
        + "".join(f"      - name: raw_{at:03}\n" for at in range(raw)),
    }
    for at in range(seeds):
        rows = "".join(f"{number},{number * (at + 2)}\n" for number in range(SEED_ROWS))
        draft.files[f"seeds/seed_{at:03}.csv"] = "id,v\n" + rows


def _layers(draft: _Draft, models: int, raw: int, seeds: int) -> list[str]:
    """Add the models of all layers; return the names of the marts."""
    staging, middle = max(1, round(models * STAGING)), max(1, round(models * INTERMEDIATE))
    below: list[str] = []
    for at in range(staging):
        source = f"{{{{ source('raw', 'raw_{draft.random.randrange(raw):03}') }}}}"
        draft.model(f"stg_{at:04}", "staging", at, [source], "view")
        below.append(f"stg_{at:04}")
    for at in range(middle):
        parents = _near(draft, below, draft.random.randint(1, 3))
        if at % 20 == 0:
            parents.append(f"{{{{ ref('seed_{draft.random.randrange(seeds):03}') }}}}")
        draft.model(f"int_{at:04}", "intermediate", at, parents, "view" if at % 3 else "table")
        below.append(f"int_{at:04}")
    marts = [f"mart_{at:04}" for at in range(models - staging - middle)]
    for at, name in enumerate(marts):
        parents = _near(draft, below, draft.random.randint(1, 4))
        draft.model(name, "marts", at, parents, "table" if at % 6 else "incremental")
    return marts


def _near(draft: _Draft, below: list[str], count: int) -> list[str]:
    """Return some of the models so far: a project has neighbourhoods, and a view is not put on forty views."""
    centre = draft.random.randrange(len(below))
    window = [name for name in below[max(0, centre - 15) : centre + 15] if _depth(draft, name) < 5]
    chosen = window or below[:15]
    return draft.random.sample(chosen, min(count, len(chosen)))


def _depth(draft: _Draft, name: str) -> int:
    return 1 + max((_depth(draft, parent) for parent in draft.read[name]), default=0)


def _leaf(marts: list[str]) -> str:
    """Return a mart that nothing reads and that is a plain table."""
    return next(name for at, name in enumerate(marts) if at % 6)


def _root(draft: _Draft) -> str:
    """Return the staging model that the most models read, directly or not; of equals the first."""
    children: dict[str, list[str]] = {}
    for name, parents in draft.read.items():
        for parent in parents:
            children.setdefault(parent, []).append(name)

    def below(name: str) -> set[str]:
        found: set[str] = set()
        todo = [name]
        while todo:
            fresh = set(children.get(todo.pop(), ())) - found
            found |= fresh
            todo.extend(fresh)
        return found

    return max((name for name in draft.models if name.startswith("stg_")), key=lambda name: len(below(name)))


def load(folder: Path, raw: int) -> None:
    """Write the raw tables, as an ETL job would."""
    import duckdb

    with duckdb.connect(
        str(folder / "synthetic.duckdb"), config={"default_block_size": "16384"}
    ) as connection:
        connection.execute("create schema if not exists raw")
        for at in range(raw):
            connection.execute(
                f"create or replace table raw.raw_{at:03} as select i as id, i * {at + 1} as v from range({RAW_ROWS}) t(i)"
            )


def commit(folder: Path, message: str) -> None:
    """Commit everything in `folder`."""
    git(folder, "add", "-A")
    git(folder, *IDENTITY, "commit", "-qm", message)


def git(folder: Path, *words: str) -> None:
    """Run git. Raises CalledProcessError."""
    subprocess.run(["git", *words], cwd=folder, check=True)


def main() -> int:
    """Generate one project."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to; must not exist")
    parser.add_argument("--models", type=int, default=1000, help="how many (default 1000, at least 10)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another project (default 0)")
    chosen = parser.parse_args()
    if chosen.folder.exists():
        sys.exit(f"generate: {chosen.folder} exists; name a folder that does not")
    if chosen.models < 10:
        sys.exit("generate: --models must be at least 10")
    made = generate(chosen.folder, models=chosen.models, seed=chosen.seed)
    print(f"{made.models} models in {made.folder}; a leaf: {made.leaf.name}, a root: {made.root.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
