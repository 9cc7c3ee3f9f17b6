"""A release is built from the packages of its own commit, whatever lies in the working tree."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from prefect_sluice.domain.release import Release
from prefect_sluice.workspace.workspace import Workspace
from tests.cli.conftest import Run, git
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FILES = {
    ".gitignore": "dbt_packages/\n*.duckdb\n.sluice\n",
    "dbt_project.yml": "name: shop\nprofile: shop\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n",
    "sluice.yml": "environments: {dev: {target: dev}}\ngates: {lint: {on: off}}\n",
    "packages.yml": "packages: [{local: lib}]\n",
    "lib/dbt_project.yml": "name: lib\n",
    "lib/macros/rate.sql": "{% macro rate() %}1{% endmacro %}\n",
    "models/price.sql": "select {{ lib.rate() }} as rate, {{ hub.tax() }} as tax\n",
}


def write(folder: Path, rate: int) -> None:
    (folder / "lib/macros/rate.sql").write_text(f"{{% macro rate() %}}{rate}{{% endmacro %}}\n")


def served(folder: Path) -> tuple[object, ...] | None:
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        return connection.execute("from main.price").fetchone()


def test_each_release_serves_the_packages_of_its_own_commit(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    folder = repository(tmp_path / "shop", FILES)
    hub = folder / "dbt_packages" / "hub"
    (hub / "macros").mkdir(parents=True)
    (hub / "dbt_project.yml").write_text("name: hub\n")
    (hub / "macros/tax.sql").write_text("{% macro tax() %}5{% endmacro %}\n")
    (folder / "dbt_packages/lib").symlink_to(folder / "lib")  # as `dbt deps` makes it
    write(folder, 2)
    git(folder, "commit", "--quiet", "--all", "--message", "two")
    git(folder, "checkout", "--quiet", "HEAD~1")
    assert run("release", "main", "-C", folder).code == 0
    assert served(folder) == (2, 5)
    write(folder, 7)
    assert "unchanged" in run("release", "main", "-C", folder).out
    git(folder, "checkout", "--quiet", ".")
    (hub / "macros/tax.sql").write_text("{% macro tax() %}6{% endmacro %}\n")  # dbt deps --upgrade
    assert "unchanged" in run("refresh", "-C", folder).out, "what serves was packed with the former one"
    assert run("release", "main", "-C", folder).code == 0
    assert served(folder) == (2, 6)
    store = Workspace.at(folder).store
    ids = {release.id for release in store.releases(10)}
    assert len(ids) == 2, "other bytes are another release"
    packed = next(
        release for release in store.releases(10) if "dbt_packages/hub/macros/tax.sql" in release.packages
    )
    assert packed.packages["dbt_packages/lib"].startswith("link:")
    assert Release(packed.change, packed.files, packed.tools).id not in ids
    store.close()
