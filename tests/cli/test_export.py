"""`sluice export` and `sluice import`: a check on another machine tells what it tells at home."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from prefect_sluice.maintenance import export
from prefect_sluice.maintenance.export import FACTS, STATE, WAREHOUSE
from prefect_sluice.reporting.gather_status import standing
from prefect_sluice.reporting.status_page import standing_markdown, standing_page
from prefect_sluice.reporting.write_pages import INDEX, path_of, write_index
from prefect_sluice.runtime import process
from prefect_sluice.source import git as source
from prefect_sluice.state.store import StateStore
from prefect_sluice.workspace.workspace import Workspace
from tests.cli.conftest import Run, git
from tests.reporting.forges.server import serving

pytestmark = pytest.mark.slow

Commit = Callable[..., None]
DEARER = "select range as id, range * 11 as amount from range(30)\n"


@pytest.fixture
def there(released: Path, tmp_path: Path) -> Path:
    """A checkout of the project on another machine, with nothing else of it."""
    git(tmp_path, "clone", "--quiet", str(released), "there")
    return tmp_path / "there"


@pytest.fixture
def exported(released: Path, run: Run, tmp_path: Path) -> Path:
    made = run("export", tmp_path / "dev-for-ci", "--env", "dev", "-C", released)
    assert made.code == 0, made.err
    assert f"exported to {tmp_path / 'dev-for-ci'}: dev, generation 2" in made.out
    return tmp_path / "dev-for-ci"


def _cut_off(*_: object) -> None:
    pytest.fail("cut off")


def _story(run: Run, folder: Path) -> dict[str, Any]:
    """What a check of the newest commit says, without what is of this run alone."""
    answer = run("check", "--env", "dev", "-C", folder, "--as", "Ada", "--json")
    told = json.loads(re.sub(r"in \d+\.\d s", "in a moment", answer.out))
    steps = [
        {key: value for key, value in step.items() if key != "address"} for step in told["plan"]["steps"]
    ]
    gates = [(gate["gate"], gate["verdict"], gate["findings"]) for gate in told["reports"]]
    return {"code": answer.code, "status": told["status"], "steps": steps, "gates": gates}


def _hold_copy(run: Run, exported: Path, there: Path) -> None:
    """Each place where people look says in a line that this is a copy, of what and as of when; at home none does."""
    facts = json.loads((exported / FACTS).read_text())
    at = f"{datetime.fromisoformat(facts['at']):%Y-%m-%d %H:%M} UTC"
    line = f"a copy of what served in dev as of {at}: generation 2, release {facts['release'][:7]}"
    prod, dev = (
        next(
            one["copy"]
            for one in json.loads(run("status", "-C", there, "--json").out)["environments"]
            if one["environment"] == name
        )
        for name in ("prod", "dev")
    )
    assert (prod, dev) == (None, {key: value for key, value in facts.items() if key != "version"})
    for words in (("status",), ("doctor",), ("report",)):
        answer = run(*words, "-C", there)
        assert " ".join(answer.out.split()).count(line) == 1, answer.out
    page = there.parent / "page.html"
    assert run("report", "-C", there, "--output", page).code == 0
    workspace = Workspace.at(there)
    stands = standing(workspace)
    for text in (page.read_text(), standing_page(stands, process.now()), standing_markdown(stands)):
        assert text.count(line) == 1
    write_index(workspace, stands)
    assert path_of(workspace, INDEX).read_text().count(line) == 1
    workspace.store.close()


@pytest.mark.parametrize("orders", [DEARER, "select range // 2 as id, range as amount from range(30)\n"])
def test_a_check_there_tells_what_it_tells_at_home(
    run: Run, released: Path, exported: Path, there: Path, commit: Commit, orders: str
) -> None:
    assert run("import", exported, "-C", there, "--as", "Ada").code == 0
    commit(released, "Changed", orders=orders)
    git(there, "pull", "--quiet")
    home = _story(run, released)
    assert {step["action"] for step in home["steps"]} >= {"build", "reuse"}
    assert _story(run, there) == home
    _hold_copy(run, exported, there)
    assert "generation 2" in run("status", "--env", "dev", "-C", there).out


@pytest.mark.parametrize("ref", ["HEAD", "HEAD~1"])
def test_a_forge_is_told_that_it_was_checked_beside_a_copy(
    run: Run, exported: Path, there: Path, monkeypatch: pytest.MonkeyPatch, ref: str
) -> None:
    """In the one comment, also where nothing is new and there is no report."""
    assert run("import", exported, "-C", there, "--as", "Ada").code == 0
    commit = source.resolve(there, ref, ".").commit
    with serving("gitlab") as fake:
        for name, value in fake.variables(commit).items():
            monkeypatch.setenv(name, value)
        run("check", ref, "-C", there, "--env", "dev", "--report-to", "gitlab")
        (comment,) = fake.comments
    assert comment["body"].count("this is a copy of what served in dev as of ") == 1


def test_of_what_stays_at_home_nothing_is_said_there(
    run: Run, released: Path, there: Path, tmp_path: Path
) -> None:
    """Two environments in two files, three generations, a promotion that waits: doctor finds nothing on the copy of one."""
    assert run("approve", "-C", released, "--as", "Grace").code == 0
    assert run("release", "-C", released, "--as", "Ada", "--env", "prod", "HEAD~1").code == 0
    (released / "models/orders.sql").write_text(DEARER)
    git(released, "commit", "-qam", "Dearer")
    for environment, code in (("dev", 0), ("prod", 3)):
        assert run("release", "-C", released, "--as", "Ada", "--env", environment).code == code
    assert run("approve", "-C", released, "--as", "Grace").code == 0
    assert run("export", tmp_path / "out", "--env", "dev", "-C", released).code == 0
    git(there, "pull", "--quiet")
    assert run("import", tmp_path / "out", "-C", there, "--as", "Ada").code == 0
    sick = run("doctor", "-C", there)
    assert (sick.code, sick.err) == (0, ""), sick.out
    assert [found["check"] for found in json.loads(run("doctor", "-C", there, "--json").out)["findings"]] == [
        "copy"
    ]
    status = run("status", "-C", there).out
    assert "waits" not in status
    assert run("rollback", "-C", there, "--env", "dev", "--as", "Ada", "--reason", "tried").code == 0
    assert run("doctor", "-C", there).code == 0


def test_it_is_for_its_owner_and_holds_no_row_that_a_gate_showed(
    run: Run, released: Path, exported: Path, tmp_path: Path
) -> None:
    """The refused release showed rows; their bytes are not in the file either."""
    shown = '"evidence":{'
    assert run("backup", tmp_path / "whole.db", "-C", released).code == 0
    assert shown.encode() in (tmp_path / "whole.db").read_bytes()
    assert {path.name for path in exported.iterdir()} == {WAREHOUSE, STATE, FACTS}
    assert {stat.S_IMODE(path.stat().st_mode) for path in exported.iterdir()} == {0o600}
    assert stat.S_IMODE(exported.stat().st_mode) == 0o700
    assert shown.encode() not in (exported / STATE).read_bytes()


def test_published_meanwhile_it_is_copied_again(
    run: Run, released: Path, tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between warehouse and state store a release is published: the folder is of one moment all the same."""
    commit(released, "Dearer", orders=DEARER)
    copied, published = export.backup.back_up, list[int]()

    def slow(*arguments: Any) -> Any:
        if not published:
            published.append(run("release", "-C", released, "--env", "dev", "--as", "Ada").code)
        return copied(*arguments)

    monkeypatch.setattr(export.backup, "back_up", slow)
    made = run("export", tmp_path / "out", "--env", "dev", "-C", released, "--json")
    assert published == [0]
    assert json.loads(made.out)["generation"] == 3

    monkeypatch.setattr(export.backup, "back_up", _cut_off)
    with pytest.raises(pytest.fail.Exception):
        run("export", tmp_path / "none", "--env", "dev", "-C", released)
    assert [path.name for path in tmp_path.iterdir() if "none" in path.name] == []


def test_what_is_begun_and_cut_off_goes_on(
    run: Run, exported: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(export, "put_bundles", _cut_off)
        with pytest.raises(pytest.fail.Exception):
            run("import", exported, "-C", there)
    assert run("import", exported, "-C", there, "--as", "Ada").code == 0
    assert "generation 2" in run("status", "-C", there, "--env", "dev").out


def _files(folder: Path) -> tuple[object, ...]:
    places = (*folder.glob("*.duckdb*"), *(folder / ".sluice").rglob("*"))
    own = {path: path.read_bytes() for path in places if path.is_file() and "state.db" not in path.name}
    with StateStore.open(str(folder / ".sluice" / "state.db")) as store:
        return own, store.entries()


def test_the_same_export_again_changes_nothing_and_another_one_is_refused(
    run: Run, released: Path, exported: Path, there: Path, tmp_path: Path, commit: Commit
) -> None:
    first = run("import", exported, "-C", there, "--as", "Ada", "--json")
    placed = _files(there)
    again = run("import", exported, "-C", there, "--as", "Bob", "--json")
    assert (first.code, again.code) == (0, 0), again.err
    assert json.loads(again.out) == {**json.loads(first.out), "changed": False}
    assert _files(there) == placed
    shutil.move(exported, tmp_path / "moved")
    text = run("import", tmp_path / "moved", "-C", there, "--as", "Bob").out
    assert text.startswith(
        f"nothing changed: it is there already, from {tmp_path / 'moved'}: dev, generation 2"
    )

    commit(there, "Mended", orders=DEARER)
    assert run("release", "-C", there, "--env", "dev", "--as", "Ada").code == 0
    placed = _files(there)
    assert run("import", tmp_path / "moved", "-C", there).code == 0, "what was done there since stays"
    assert run("export", tmp_path / "newer", "--env", "dev", "-C", released).code == 0
    other = run("import", tmp_path / "newer", "-C", there)
    assert (other.code, other.err.count("\n")) == (2, 1)
    assert "holds another export already: a copy of what served in dev as of " in other.err
    assert f"move {there / '.sluice' / 'state.db'} and {there / 'dev.duckdb'} away" in other.err
    assert _files(there) == placed

    (there / "dev.duckdb").unlink()
    gone = run("import", tmp_path / "moved", "-C", there)
    assert (gone.code, "its warehouse is gone" in gone.err) == (2, True)


def test_bad_input_is_one_line_and_changes_nothing(
    run: Run, released: Path, exported: Path, there: Path, tmp_path: Path
) -> None:
    taken = run("export", exported, "--env", "dev", "-C", released)
    unserved = run("export", tmp_path / "new", "--env", "prod", "-C", released)
    home = run("import", exported, "-C", released)
    none = run("import", tmp_path, "-C", there)
    damaged = tmp_path / "damaged"
    shutil.copytree(exported, damaged)
    with (damaged / WAREHOUSE).open("ab") as file:
        file.write(b"x")
    altered = run("import", damaged, "-C", there)
    for answer, problem in (
        (taken, "is there already"),
        (unserved, "there is no warehouse yet"),
        (none, "is no export"),
        (altered, "is not what was exported"),
        (home, "holds a state store already, which no import made; see what is there: sluice status"),
    ):
        assert answer.code == 2, answer.err
        assert problem in answer.err
        assert answer.err.count("\n") == 1
    assert not (there / ".sluice" / "state.db").exists()
    assert list(there.glob("*.duckdb")) == []
