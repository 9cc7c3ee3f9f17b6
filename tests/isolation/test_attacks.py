"""What hostile code of a change tries, for each kind of code that is kept inside of the boundary, seen from outside."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
import psutil
import pytest

from prefect_sluice.config.model import BuildSettings
from prefect_sluice.contracts.ask import ContractCode, losses_of
from prefect_sluice.contracts.promise import ContractInvalid
from prefect_sluice.dbt.profile import Target
from prefect_sluice.dbt.rights import of_build
from prefect_sluice.dbt.session import Session
from prefect_sluice.dbt.shut_in_project import ShutInProject
from prefect_sluice.domain.errors import DbtFailed
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.gates.base import ReleaseView, ToolsView
from prefect_sluice.gates.lint.gate import Lint
from prefect_sluice.isolation.interpreter import DEVICES, readable
from prefect_sluice.isolation.run_command import run_command
from prefect_sluice.isolation.sandbox import Limits, Rights, Sandbox
from prefect_sluice.isolation.warm import Warm
from prefect_sluice.runtime.events import NOTICES, Level, Notice
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.warehouse.duckdb.database_file import DatabaseFile
from tests.isolation.shut_in import needs_landlock, pretend

SECRET = "hunter2-of-the-state-store"
MARK = f"sluice-attack-that-stays-{os.getpid()}"

PLACES = (
    "served.duckdb",
    "state.db",
    "bundles/manifest.json",
    "repository/.git/HEAD",
    "home/.pgpass",
    "other.env",
)


@dataclass(frozen=True)
class World:
    """What lies beside the checkout: files of others, a server, this process with a password in its variables."""

    outside: Path
    checkout: Path
    server: socket.socket

    @property
    def names(self) -> str:
        """The attacker knows where everything is."""
        port = self.server.getsockname()[1]
        return f"OUT, PORT, SLUICE, MARK = {str(self.outside)!r}, {port}, {os.getpid()}, {MARK!r}\n"

    def state(self) -> dict[str, tuple[object, ...]]:
        """All files with their text, links, mode, owner, time and attributes."""
        return {
            str(path.relative_to(self.outside)): (path.read_text("utf-8"), *_attributes(path))
            for path in sorted(self.outside.rglob("*"))
            if path.is_file()
        }

    def was_reached(self) -> bool:
        """Whether somebody connected to the server."""
        try:
            self.server.accept()[0].close()
        except BlockingIOError:
            return False
        return True


def _attributes(path: Path) -> tuple[object, ...]:
    found = path.stat()
    attributes = os.listxattr(path) if sys.platform == "linux" else []
    return found.st_nlink, found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, *attributes


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # Not below /tmp, of which an empty one is laid over it: Landlock is to be tried.
    base = Path(tempfile.mkdtemp(prefix="sluice-attacked-", dir="/var/tmp"))
    outside, checkout = base / "outside", base / "checkout"
    for place in PLACES:
        (outside / place).parent.mkdir(parents=True, exist_ok=True)
        (outside / place).write_text(SECRET, "utf-8")
    (checkout / "contracts").mkdir(parents=True)
    monkeypatch.setenv("SLUICE_STATE", f"postgresql://sluice:{SECRET}@localhost/sluice")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield World(outside, checkout, server)
    shutil.rmtree(base)


def contract(world: World, attack: str) -> str:
    """Run the attack as a contract is imported; return all that this process hears of it."""
    code = (
        "import pandera.ibis as pa\nSAID = []\n"
        f"{world.names}{attack}\n"
        "M = pa.DataFrameSchema({'id': pa.Column(int, pa.Check(lambda data: True, name=repr(SAID)))})\n"
    )
    (world.checkout / "contracts/marts.py").write_text(code, "utf-8")
    [said] = ContractCode(world.checkout, Rights((world.checkout,), {"PATH": os.defpath})).describe(
        ["contracts.marts:M"]
    )
    return f"{said.where}: {said.what}" if isinstance(said, ContractInvalid) else json.dumps(said)


def command(world: World, attack: str) -> str:
    """Run the attack as a command of its own, as the project's tests are run."""
    own = world.checkout / "own"
    own.mkdir(exist_ok=True)
    with (own / "output").open("wb") as output:
        run_command(
            [sys.executable, "-c", f"SAID = []\n{world.names}{attack}\nprint(SAID)"],
            Sandbox(readable(), (*DEVICES, own)),
            folder=own,
            variables={"PATH": os.defpath},
            output=output.fileno(),
            timeout=timedelta(seconds=60),
        )
    return (own / "output").read_text("utf-8")


def built(world: World, files: dict[str, str], *, served: Path | None = None) -> str:
    """Have dbt, shut in, parse and build a project; return what becomes of it, or why that is not known."""
    project, work = world.checkout.parent / "dbt/project", world.checkout.parent / "dbt/work"
    for name, text in {"dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n", **files}.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, "utf-8")
    work.mkdir(exist_ok=True)
    database = DatabaseFile(served or world.checkout.parent / "dbt/shop.duckdb")
    settings = {"type": "duckdb", "path": str(database.path), "schema": "main"}
    target = Target("shop", "dev", settings, settings, database)
    place = CandidatePlace("work/dev", work / "shop.duckdb")
    session = Session(target, project, project, work, place, {})
    rights = of_build(
        session, BuildSettings(), project, included=(), profile=Path(), environ=os.environ, required=False
    )
    try:
        dbt = ShutInProject(session, rights)
        nodes = dbt.read({}, "shop").nodes
        said = [f"{result.unique_id} {result.status} {result.message}" for result in dbt.build(nodes)]
        dbt.close()
    except DbtFailed as error:
        return str(error)
    return "\n".join(said)


KINDS: dict[str, Callable[[World, str], str]] = {"contract": contract, "command": command}

WRITES = {
    "write the served file": "open(OUT + '/served.duckdb', 'w').write('x')",
    "empty the state store": "import os; os.truncate(OUT + '/state.db', 0)",
    "remove a bundle": "import os; os.remove(OUT + '/bundles/manifest.json')",
    "rename a bundle": "import os; os.rename(OUT + '/bundles', OUT + '/gone')",
    "plant a hook of git": "open(OUT + '/repository/.git/hook', 'w').write('x')",
    "write to the home folder": "open(OUT + '/home/.bashrc', 'w').write('x')",
    "write through a symbolic link": (
        "import os, tempfile; link = tempfile.mkdtemp() + '/link'\n"
        "os.symlink(OUT + '/served.duckdb', link)\nopen(link, 'w').write('x')"
    ),
    "write through a hard link": (
        "import os, tempfile; link = tempfile.mkdtemp() + '/link'\n"
        "os.link(OUT + '/served.duckdb', link)\nopen(link, 'w').write('x')"
    ),
    "write by another program": "import os; os.system(f'echo x > {OUT}/served.duckdb')",
    "write to the checkout of the release": "open(OUT + '/../checkout/contracts/new.py', 'w').write('x')",
}
MODES = {
    "chmod": "os.chmod(OUT + '/served.duckdb', 0)",
    "chmod of a folder": "os.chmod(OUT + '/bundles', 0o777)",
    "chown": "os.chown(OUT + '/served.duckdb', 65534 if os.getuid() == 0 else os.getuid(), -1)",
    "utime": "os.utime(OUT + '/state.db', (1, 1))",
    "utime of a folder": "os.utime(OUT + '/repository/.git', (1, 1))",
    "setxattr": "os.setxattr(OUT + '/served.duckdb', 'user.sluice', b'x')",
    "chmod through a symbolic link": (
        "import tempfile; link = tempfile.mkdtemp() + '/link'\n"
        "os.symlink(OUT + '/served.duckdb', link)\nos.chmod(link, 0)"
    ),
    "chmod through a hard link": (
        "import tempfile; link = tempfile.mkdtemp() + '/link'\n"
        "os.link(OUT + '/served.duckdb', link)\nos.chmod(link, 0)"
    ),
    "chmod through a descriptor": "os.fchmod(os.open(OUT + '/../checkout/contracts', os.O_RDONLY), 0o777)",
    "chmod through the root of its parent": "os.chmod(f'/proc/{os.getppid()}/root{OUT}/served.duckdb', 0)",
    "chmod after it mounted anew": (
        "import ctypes, struct; c = ctypes.CDLL(None, use_errno=True)\n"
        "def anew():\n"
        "    clear = struct.pack('=QQQQ', 0, 1, 0, 0)\n"
        "    c.syscall(442, -100, b'/', 0x8000, clear, 32)\n"
        "    c.mount(None, b'/', None, 4096 | 32, None)\n"
        "anew(); c.unshare(0x10020000); anew()\nos.chmod(OUT + '/served.duckdb', 0)"
    ),
}
READS = {
    "the state store's password in the variables": "import os; SAID.append(dict(os.environ))",
    "another environment's file": "SAID.append(open(OUT + '/other.env').read())",
    "the home folder": "import os; SAID.append(os.listdir(OUT + '/home'))\nSAID.append(open(OUT + '/home/.pgpass').read())",
    "the variables of Sluice": "SAID.append(open(f'/proc/{SLUICE}/environ').read())",
    "the variables of its parent": "import os; SAID.append(open(f'/proc/{os.getppid()}/environ').read())",
    "the memory of its parent": "import os; open(f'/proc/{os.getppid()}/mem', 'rb').read(1); SAID.append('hunter' + '2')",
}


@needs_landlock
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attack", WRITES)
def test_nothing_outside_is_written(attack: str, kind: str, world: World) -> None:
    before = world.state()
    KINDS[kind](world, WRITES[attack])
    assert world.state() == before
    assert not (world.checkout / "contracts/new.py").exists()


@needs_landlock
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attack", MODES)
def test_no_mode_owner_time_or_attribute_outside_is_changed(attack: str, kind: str, world: World) -> None:
    before = _of_folders(world)
    said = KINDS[kind](world, f"import os\n{MODES[attack]}\nSAID.append('worked')")
    assert "worked" not in said
    assert _of_folders(world) == before


def _of_folders(world: World) -> tuple[object, ...]:
    folders = list(map(_attributes, (world.outside, *world.outside.glob("**/"))))
    return world.state(), folders, (world.checkout / "contracts").stat().st_mode


@needs_landlock
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attack", READS)
def test_no_secret_is_read(attack: str, kind: str, world: World) -> None:
    said = KINDS[kind](world, READS[attack])
    assert said
    assert "hunter2" not in said


@needs_landlock
@pytest.mark.parametrize("kind", KINDS)
def test_no_server_is_reached(kind: str, world: World) -> None:
    KINDS[kind](world, "import socket; socket.create_connection(('127.0.0.1', PORT), 5).send(b'x')")
    assert not world.was_reached()


# Whatever it does with its name, the variables that it was started with stay.
LEAVES = """
import os, signal, sys
read, write = os.pipe()
program = [sys.executable, "-c", {code!r}, str(write)]
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.set_inheritable(write, True)
        os.execve(sys.executable, ["[kworker/0:1]", *program[1:]], {{"MARK": MARK}})
    os._exit(0)
os.wait()
SAID.append(os.read(read, 4).decode())
"""
READY = "import os, signal, sys\n{first}\nos.write(int(sys.argv[1]), b'left')\nwhile True: signal.pause()"
STAYS = {
    "detached, under another name": "",
    "deaf to every order": (
        "[signal.signal(order, signal.SIG_IGN) for order in signal.valid_signals() - {9, 19, 32, 33}]"
    ),
    "many": "for _ in range(6): os.fork(); os.setpgid(0, 0)",
    "in namespaces of its own": (
        "import ctypes\nctypes.CDLL(None).unshare(0x30000000)\nif os.fork() == 0: os.setsid()"
    ),
    "that traces another": (
        "import ctypes\nchild = os.fork()\nif child == 0:\n    while True: signal.pause()\n"
        "ctypes.CDLL(None).ptrace(16, child, None, None)"
    ),
}


def _kinds_of_kernels() -> list[tuple[str, str]]:
    return [("contract", "this"), *(("command", kernel) for kernel in ("this", "6.2", "no namespaces"))]


@pytest.mark.skipif(sys.platform != "linux", reason="what detaches itself is found on Linux only")
@pytest.mark.parametrize(("kind", "kernel"), _kinds_of_kernels())
@pytest.mark.parametrize("process", STAYS)
def test_no_process_stays(
    process: str, kind: str, kernel: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(kernel, monkeypatch)
    said = KINDS[kind](world, LEAVES.format(code=READY.format(first=STAYS[process])))
    assert "left" in said
    assert not [each for each in psutil.process_iter() if _is_marked(each)]


def _is_marked(process: psutil.Process) -> bool:
    try:
        return process.environ().get("MARK") == MARK
    except psutil.Error:
        return False


ENDS = (
    "import os\nfor pid in (SLUICE, os.getppid()):\n    try:\n        os.kill(pid, 9)\n        SAID.append('ended')\n"
    "    except PermissionError:\n        SAID.append('denied')\n"
)


@needs_landlock
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_outside_is_ended(kind: str, world: World) -> None:
    said = KINDS[kind](world, ENDS)
    assert "denied" in said
    assert "ended" not in said


SAYS = """
import os
for descriptor in os.listdir("/proc/self/fd"):
    try:
        os.write(int(descriptor), {text!r})
    except OSError:
        pass
{then}
"""
FLOODS = """
for descriptor in os.listdir("/proc/self/fd"):
    try:
        for _ in range(100):
            os.write(int(descriptor), bytes(10**6))
    except OSError:
        pass
"""
EMPTY = (
    '{"columns": {}, "checks": [], "unique": [], "strict": false, "ordered": false, "order": [], "type": ""}'
)
LIES = {
    "two answers": ((f'{{"answers": [{{"document": {EMPTY}}}]}}').encode() * 2, "os._exit(0)", "no JSON"),
    "an answer before its own": (f'{{"answers": [{{"document": {EMPTY}}}]}}\n'.encode(), "", "no JSON"),
    "about another relation": (
        (f'{{"answers": [{{"document": {EMPTY}}}, {{"document": {EMPTY}}}]}}').encode(),
        "os._exit(0)",
        "2 answers",
    ),
    "of another shape": (b'{"answers": [{"document": {"columns": []}}]}', "os._exit(0)", "document"),
    "no answer": (b"", "os._exit(0)", "no JSON"),
    "a crash": (b"", "os.kill(os.getpid(), 11)", "SIGSEGV"),
    "an exit": (b"", "os._exit(7)", "ended with 7"),
    "more than can be held": (b"", FLOODS, "more than"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for its descriptors in /proc")
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_no_answer(lie: str, world: World) -> None:
    text, then, why = LIES[lie]
    said = contract(world, SAYS.format(text=text, then=then))
    assert "gave no answer" in said
    assert why in said
    assert "\n" not in said


FORGED = (
    '{"answer": {"value": [{"unique_id": "model.other.b", "kind": "model", "status": "success", "message": "OK",'
    ' "failures": null, "seconds": 0, "relation": "", "parents": [], "path": "", "compiled": "", "severity": "",'
    ' "started": null, "ended": null, "fail_calc": ""}]}, "to": 6}\n'
)
DBT_LIES = {
    "of another shape": (b'{"answer": {"value": [{"unique_id": 1}]}, "to": 6}\n', "os._exit(0)", "build: 0"),
    "no JSON": (b"nothing\n", "os._exit(0)", "cannot be read"),
    "no value": (b'{"answer": 7, "to": 6}\n', "os._exit(0)", "gave no answer"),
    "an error of its own kind": (b'{"answer": {"error": 3}, "to": 6}\n', "os._exit(0)", "gave no answer"),
    "an answer before its own": (b'{"answer": {"value": []}, "to": 5}\n', "", "not asked"),
    "an exit": (b"", "os._exit(7)", "ended with 7"),
    "a crash": (b"", "os.kill(os.getpid(), 11)", "SIGSEGV"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for its descriptors in /proc")
@pytest.mark.parametrize("lie", DBT_LIES)
def test_a_lie_of_what_dbt_runs_is_told_in_a_line(lie: str, world: World) -> None:
    text, then, why = DBT_LIES[lie]
    said = built(world, {"models/a.py": _model(SAYS.format(text=text, then=then))})
    assert "the process in which dbt runs gave no answer" in said
    assert why in said
    assert "\n" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for its descriptors in /proc")
def test_what_dbt_was_not_asked_about_is_not_heard(world: World) -> None:
    assert built(world, {"models/a.py": _model(SAYS.format(text=FORGED.encode(), then=""))}) == ""


def test_what_dbt_warns_of_is_heard(world: World) -> None:
    old = "models: [{name: a, columns: [{name: id, data_tests: [{accepted_values: {values: [1]}}]}]}]\n"
    heard: list[Notice] = []
    with NOTICES.heard_by(heard.append):
        said = built(world, {"models/a.sql": "select 1 as id\n", "models/a.yml": old})
    assert said == "model.shop.a success OK"
    assert [notice for notice in heard if "MissingArgumentsPropertyInGenericTestDeprecation" in notice.text]
    assert {notice.level for notice in heard} == {Level.WARNING}


def _model(code: str) -> str:
    inside = "\n".join(f"    {line}" for line in code.splitlines())
    return f"def model(dbt, session):\n{inside}\n    return session.sql('select 1 as id')\n"


def test_what_does_not_end_is_stopped_and_the_next_is_answered(world: World) -> None:
    assert "int64" in contract(world, "")  # the time to load the libraries is not what is tried
    marts = world.checkout / "contracts/marts.py"
    marts.write_text("while True:\n    pass\n", "utf-8")
    rights = Rights((world.checkout,), {"PATH": os.defpath}, timeout=timedelta(seconds=2))
    [said] = ContractCode(world.checkout, rights).describe(["contracts.marts:M"])
    assert isinstance(said, ContractInvalid)
    assert "stopped after 2 s" in said.what
    assert "int64" in contract(world, "")


@needs_landlock
@pytest.mark.parametrize(
    ("limits", "attack", "why"),
    [
        (
            Limits(processes=50),
            "import os, signal\nfor _ in range(400):\n    if os.fork() == 0: signal.pause()\nsignal.pause()",
            "more processes and threads ran at one time than 50",
        ),
        (
            Limits(disk=100_000_000),
            "import os, signal\nfor number in range(300):\n"
            "    open(os.environ['TMPDIR'] + f'/{number}', 'wb').write(bytes(10_000_000))\nsignal.pause()",
            "and 100 MB is the most",
        ),
        (
            Limits(memory_together=300_000_000),
            "import os, signal\nfor _ in range(30):\n    if os.fork() == 0:\n        x = b'x' * 100_000_000\n"
            "        signal.pause()\nsignal.pause()",
            "and 300 MB is the most",
        ),
    ],
    ids=["the process table", "the disk", "the memory"],
)
def test_a_contract_that_fills_the_machine_is_ended(
    limits: Limits, attack: str, why: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(_folder: Path, _timeout: timedelta | None) -> Limits:
        return limits

    monkeypatch.setattr("prefect_sluice.isolation.warm.limits_of_machine", small)
    said = contract(world, attack)
    assert "gave no answer" in said
    assert why in said


def test_a_pattern_that_backtracks_for_ever_is_stopped(world: World) -> None:
    """Promises are compared by matching the patterns that stand in them."""
    pattern, text = "^(a|a)*$", "a" * 60 + "b"
    [before, now] = ContractCode(world.checkout, Rights((world.checkout,), {"PATH": os.defpath})).describe(
        _two_contracts(world, f"{{{text!r}: pa.Column()}}", f"{{{pattern!r}: pa.Column(regex=True)}}")
    )
    assert not isinstance(before, ContractInvalid)
    assert not isinstance(now, ContractInvalid)
    assert losses_of(before, before) == ()
    lost = losses_of(before, now, timedelta(seconds=1))
    assert isinstance(lost, ContractInvalid)
    assert "stopped after 1 s" in lost.what


def test_what_the_process_loads_is_not_the_time_of_the_first_question(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefect_sluice.isolation.warm._GRACE_SECONDS", 0)
    fresh = Warm("prefect_sluice.contracts.child")  # loads pandera, for some seconds
    question: dict[str, object] = {"root": str(world.checkout), "wanted": []}
    answered = fresh.ask(question, Rights((world.checkout,), timeout=timedelta(seconds=1.5)))
    assert (answered.error, answered.value) == ("", {"answers": []})


def _two_contracts(world: World, *columns: str) -> list[str]:
    lines = [f"C{number} = pa.DataFrameSchema({each})" for number, each in enumerate(columns)]
    code = "\n".join(["import pandera.ibis as pa", *lines])
    (world.checkout / "contracts/marts.py").write_text(code, "utf-8")
    return [f"contracts.marts:C{number}" for number in range(len(columns))]


ATTACKS = [
    *WRITES.values(),
    *MODES.values(),
    *READS.values(),
    "import socket; socket.create_connection(('127.0.0.1', PORT), 5).send(b'x')",
    LEAVES.format(code=READY.format(first=STAYS["detached, under another name"])),
    ENDS,
]


def _is_untouched(world: World, before: dict[str, tuple[object, ...]]) -> None:
    assert world.state() == before
    assert not (world.checkout / "contracts/new.py").exists()
    assert not world.was_reached()
    assert not [each for each in psutil.process_iter() if _is_marked(each)]


@needs_landlock
def test_no_python_model_leads_outside(world: World) -> None:
    """All attacks in one build: each is a model, tells what it heard, and fails."""
    before = world.state()
    files = {
        f"models/m{number}.py": _model(f"SAID = []\n{world.names}{attack}\nraise ValueError(SAID)")
        for number, attack in enumerate(ATTACKS)
    }
    said = built(world, files)
    assert [line for line in said.splitlines() if line.startswith("model.") and " error " not in line] == []
    assert said.count("Python model failed") == len(ATTACKS)
    assert "hunter2" not in said
    assert "ValueError: ['denied', 'denied']" in said
    assert "'ended'" not in said.replace("SAID.append('ended')", "")
    assert "'worked'" not in said
    _is_untouched(world, before)


@needs_landlock
def test_no_library_of_sqlfluffs_leads_outside(world: World) -> None:
    """All attacks in one file that is linted: a library that the settings name tells what it heard, and fails."""
    before = world.state()
    library = (
        f"import os\nSAID = []\n{world.names}\ndef run():\n    for attack in {ATTACKS!r}:\n        try:\n"
        "            exec(attack, globals())\n            SAID.append('worked')\n"
        "        except Exception as error:\n            SAID.append(type(error).__name__)\n"
        "    raise ValueError(' '.join(map(str, SAID)))\n"
    )
    said = linted(world, library)
    assert "left" in said
    assert "hunter2" not in said
    assert "denied denied" in said
    assert "ended" not in said
    _is_untouched(world, before)


@pytest.mark.parametrize(
    ("library", "why"),
    [
        ("import os\ndef run(): os._exit(7)\n", "ended with 7"),
        ("import os\ndef run(): os.kill(os.getpid(), 11)\n", "SIGSEGV"),
        (
            "import os\ndef run():\n    for fd in range(3, 20):\n        try: os.write(fd, b'[{\"skipped\": 1}]')\n"
            "        except OSError: pass\n    os._exit(0)\n",
            "gave no answer",
        ),
    ],
    ids=["an exit", "a crash", "a forged answer"],
)
def test_a_library_of_sqlfluffs_that_ends_its_process_is_told_in_a_line(
    library: str, why: str, world: World
) -> None:
    said = linted(world, library)
    assert "the process in which sqlfluff runs gave no answer" in said
    assert why in said
    assert "\n" not in said


def linted(world: World, library: str) -> str:
    """Lint a model whose template calls `run` of a library that the settings name; return what is said of it."""
    project = world.checkout / "lint"
    settings = "[sqlfluff]\ndialect = duckdb\nrules = LT01\n[sqlfluff:templater:jinja]\nlibrary_path = libs\n"
    files = {".sqlfluff": settings, "libs/attack.py": library, "models/a.sql": "select {{ attack.run() }}\n"}
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, "utf-8")
    node = Node(
        "model.shop.a", NodeKind.TABLE, Name("shop", "a"), "models/a.sql", "sql", ("shop", "a"), "0" * 8
    )
    release = ReleaseView(project, {node.unique_id: node}, (), rewritten=(node.unique_id,))
    [finding] = Lint().check(release, ToolsView()).findings
    return f"{finding.verdict.name} {finding.summary}"


def test_isolation_that_is_required_and_cannot_be_had_runs_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefect_sluice.contracts.ask.CHILD", "tests.isolation.without_landlock")
    (world.checkout / "contracts/marts.py").write_text("open(__file__ + '.ran', 'w').write('x')\n", "utf-8")
    rights = Rights((world.checkout,), {"PATH": os.defpath}, required=True)
    [said] = ContractCode(world.checkout, rights).describe(["contracts.marts:M"])
    assert isinstance(said, ContractInvalid)
    assert "isolation is required" in said.what
    assert [path.name for path in (world.checkout / "contracts").iterdir()] == ["marts.py"]


SQL_WRITES = {
    "copy over the served file": "copy (select 1 as id) to '{out}/served.duckdb' (format csv)",
    "copy to the home folder": "copy (select 1 as id) to '{out}/home/.bashrc' (format csv)",
    "write to the database that serves": "detach sluice_live; attach '{live}' as w; insert into w.t values (2)",
    "write to another database": "attach '{out}/other.duckdb' as o; insert into o.t values (2)",
    "begin a database": "attach '{out}/new.duckdb' as n; create table n.t (id int)",
    "export the database": "export database '{out}/home/all'",
}
SQL_READS = {
    "a text": "select * from read_text('{out}/home/.pgpass')",
    "a table": "select * from read_csv('{out}/other.env', header = false)",
    "another database": "attach '{out}/other.duckdb' as o; select * from o.t",
    "the names of files": "select error(coalesce(string_agg(file), 'none')) from glob('{out}/home/*')",
}


@needs_landlock
def test_no_sql_of_a_change_leads_outside(world: World) -> None:
    before = world.state()
    live = world.checkout.parent / "dbt/shop.duckdb"
    live.parent.mkdir()
    for file in (live, world.outside / "other.duckdb"):
        with duckdb.connect(str(file)) as connection:
            connection.execute("create table t as select 1 as id, 'hunter2' as word")
    other = (world.outside / "other.duckdb").read_bytes()
    attacks = [*SQL_WRITES.values(), *SQL_READS.values()]
    hooks = [attack.format(out=world.outside, live=live) for attack in attacks]
    files = {
        f"models/m{number}.sql": f"{{{{ config(pre_hook={hook!r}) }}}}\nselect 1 as id\n"
        for number, hook in enumerate(hooks)
    }
    said = built(world, files, served=live)
    assert [
        line.partition(" ")[2].partition(" ")[0] for line in said.splitlines() if line.startswith("model.")
    ] == ["error"] * len(hooks)
    assert "hunter2" not in said
    assert ".pgpass" not in said.replace("home/.pgpass", "")
    assert (world.outside / "other.duckdb").read_bytes() == other
    (world.outside / "other.duckdb").unlink()
    assert world.state() == before
    with duckdb.connect(str(live), read_only=True) as connection:
        assert connection.execute("select * from t").fetchall() == [(1, "hunter2")]
