"""A project by its git URL, on real repositories reached by file://."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.orchestration import remote_project
from prefect_sluice.source import git
from tests.repository import repository as made


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return made(
        tmp_path / "shop.git", {"sluice.yml": "", "a.sql": "select 1\n", "dbt_project.yml": "name: shop\n"}
    )


def commit(folder: Path, text: str) -> str:
    (folder / "a.sql").write_text(text, encoding="utf-8")
    for command in (["add", "-A"], ["commit", "-qm", text.strip()]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return run(folder, "rev-parse", "HEAD")


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_head_is_the_remotes_default_branch_as_it_is_now(remote: Path) -> None:
    url = f"file://{remote}"
    first = remote_project.current(url)
    assert remote_project.current(url) == first
    assert (first / "a.sql").read_text() == "select 1\n"
    expected = commit(remote, "select 2\n")
    second = remote_project.current(url)
    assert git.resolve(second, "HEAD", ".").commit == expected
    # Who works from the older head goes on with it.
    assert ((first / "a.sql").read_text(), (second / "a.sql").read_text()) == ("select 1\n", "select 2\n")
    assert git.root(second) == second.resolve()
    assert git.uncommitted(second, (".",)) == ()


def test_a_branch_is_the_remotes_and_goes_when_it_goes_there(remote: Path) -> None:
    url = f"file://{remote}"
    run(remote, "checkout", "-q", "-b", "try")
    tried = commit(remote, "select 3\n")
    run(remote, "tag", "v1")
    run(remote, "checkout", "-q", "main")
    folder = remote_project.current(url)
    assert git.resolve(folder, "try", ".").commit == git.resolve(folder, "v1", ".").commit == tried
    run(remote, "commit", "-q", "--amend", "--allow-empty", "-m", "written anew")
    run(remote, "branch", "-q", "-D", "try")
    run(remote, "tag", "-d", "v1")
    run(remote, "branch", "-m", "main", "trunk")
    folder = remote_project.current(url)
    assert git.resolve(folder, "HEAD", ".").commit == run(remote, "rev-parse", "trunk")
    for gone in ("try", "v1", "main"):
        with pytest.raises(BadInput, match="is not a commit, branch or tag"):
            git.resolve(folder, gone, ".")


def test_checkouts_of_a_clone_share_what_sluice_keeps(remote: Path) -> None:
    first = remote_project.current(f"file://{remote}")
    (first / ".sluice" / "facts").write_text("known")
    commit(remote, "select 2\n")
    second = remote_project.current(f"file://{remote}")
    assert (second / ".sluice" / "facts").read_text() == "known"


def test_several_at_once_and_one_that_died_halfway(remote: Path, home: Path) -> None:
    url = f"file://{remote}"
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(remote_project.current, [url] * 4))
    (folder,) = folders
    (home / "repositories").chmod(0o755)
    (folder / "a.sql").unlink()
    folder.with_name(f"{folder.name}.complete").unlink()  # as if it had died before it was whole
    assert (remote_project.current(url) / "a.sql").exists()


def test_a_remote_that_is_away_is_no_release_but_may_be_a_rollback(remote: Path) -> None:
    url = f"file://{remote}"
    with pytest.raises(remote_project.RemoteAway, match="git ls-remote"):
        remote_project.current(f"{url}-not", fresh=False)
    folder = remote_project.current(url)
    shutil.move(remote, remote.with_name("moved"))
    with pytest.raises(
        remote_project.RemoteAway,
        match=r"shop\.git: git ls-remote: fatal: .*; see that this user may read it",
    ):
        remote_project.current(url)
    assert remote_project.current(url, fresh=False) == folder


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:s3cret@example.com/shop.git", "https://***@example.com/shop.git"),
        ("https://ghp_token@example.com/shop.git", "https://***@example.com/shop.git"),
        ("ssh://git:s3cret@example.com/shop.git", "ssh://***@example.com/shop.git"),
    ],
)
def test_a_url_that_holds_a_secret_is_refused_and_not_shown(url: str, shown: str, home: Path) -> None:
    with pytest.raises(BadInput) as caught:
        remote_project.current(url)
    assert str(caught.value).startswith(shown)
    assert "s3cret" not in str(caught.value)
    assert "ghp_token" not in str(caught.value)
    assert not home.exists()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("https://example.com/shop.git", True),
        ("ssh://git@example.com/shop", True),
        ("git@example.com:team/shop.git", True),
        ("file:///srv/git/shop.git", True),
        ("/srv/shop", False),
        (".", False),
        ("ext::sh -c whoami", False),
        ("s3://bucket/shop", False),
        ("C:/shop", False),
    ],
)
def test_what_is_a_url(text: str, answer: bool) -> None:
    assert remote_project.is_url(text) is answer


PROFILE = "shop: {target: prod, outputs: {prod: {type: duckdb, path: %s}}}\n"


@pytest.mark.parametrize(
    ("config", "warehouse", "said"),
    [
        (
            "",
            "/srv/shop.duckdb",
            r"sluice.yml: state is a path in a clone.*state: postgresql://",
        ),
        ("state: postgresql://db/s\n", "/srv/shop.duckdb", r"sluice.yml: bundles is a path in a clone"),
        (
            "state: postgresql://db/s\nbundles: s3://b/s\n",
            "shop.duckdb",
            r"profiles.yml: the warehouse of 'prod' is a path in a clone.*give target 'prod' an absolute path",
        ),
    ],
)
def test_what_only_one_machine_sees_is_refused(
    tmp_path: Path, config: str, warehouse: str, said: str
) -> None:
    files = {
        "sluice.yml": config,
        "profiles.yml": PROFILE % warehouse,
        "dbt_project.yml": "name: shop\nprofile: shop\n",
    }
    url = f"file://{made(tmp_path / 'shop', files)}"
    with pytest.raises(BadInput, match=said):
        remote_project.shared(url, remote_project.current(url))


def test_what_every_machine_sees_will_do(tmp_path: Path) -> None:
    files = {
        "sluice.yml": "state: postgresql://db/s\nbundles: s3://b/s\n",
        "profiles.yml": PROFILE % "/srv/shop.duckdb",
        "dbt_project.yml": "name: shop\nprofile: shop\n",
    }
    url = f"file://{made(tmp_path / 'shop', files)}"
    folder = remote_project.current(url)
    assert remote_project.shared(url, folder).root == folder
