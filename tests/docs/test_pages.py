"""Documentation that cannot lie: every command, gate, key and fault point is in it, every link leads on."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prefect_sluice import __version__
from prefect_sluice.domain.digests import Json
from prefect_sluice.runtime.faults import FaultPoint

if TYPE_CHECKING:
    import click

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    page for place in ("", "docs/**/", "deployments/", "benchmarks/") for page in ROOT.glob(f"{place}*.md")
)


def read(path: Path) -> str:
    """Return the text of a page; a page that is not there is an assertion, not an error."""
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing"
    return path.read_text(encoding="utf-8")


# ---- commands ------------------------------------------------------------------------------------------


def commands() -> Mapping[str, click.Command]:
    """Return every command by its full name, "sluice" itself left out: `{"ledger verify": ...}`."""
    import click

    from prefect_sluice.cli import cli

    def walk(group: click.Group, before: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None, f"{name} is listed and does not exist"
            if not command.hidden:
                yield " ".join((*before, name)), command
            if isinstance(command, click.Group):
                yield from walk(command, (*before, name))

    return dict(walk(cli, ()))


def mentions(text: str) -> Iterator[Sequence[str]]:
    """Yield the words after `sluice` of every command in code spans and code blocks of a page."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from _words(re.findall(r"^(?:\$ )?(?:\w+=\S+ )*sluice ([^#\n]*)", block, re.MULTILINE))
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from _words(re.findall(r"`sluice ([^`]*)`", prose))


def _words(lines: Sequence[str]) -> Iterator[Sequence[str]]:
    for line in lines:
        try:
            yield shlex.split(line)
        except ValueError:  # an apostrophe in the middle of a sentence
            yield line.split()


def unknown(words: Sequence[str], known: Mapping[str, frozenset[str]]) -> str:
    """Return what is wrong with a command as documented, "" if nothing: its name, or one of its options.

    `known` holds the options of each command by its full name.
    """
    given = [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
    name = next((name for end in (2, 1) if (name := " ".join(given[:end])) in known), "")
    options = {match[0] for word in words if (match := re.match(r"--[a-z][a-z-]*", word))}
    if not name and given:
        return f"there is no command `sluice {' '.join(words)}`"
    wrong = options - known.get(name, frozenset()) - {"--help", "--version"}
    return f"`sluice {name}` has no {', '.join(sorted(wrong))}" if wrong else ""


@pytest.fixture(scope="module")
def known_commands() -> Mapping[str, frozenset[str]]:
    """The long options of each command."""
    return {
        name: frozenset(
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        )
        for name, command in commands().items()
    }


def test_every_command_is_documented() -> None:
    page = read(DOCS / "commands.md")
    assert [name for name in commands() if f"sluice {name}" not in page] == []


def test_every_command_and_option_has_help() -> None:
    import click

    silent = [name for name, command in commands().items() if not command.get_short_help_str().strip()]
    silent += [
        f"{name} {option.opts[0]}"
        for name, command in commands().items()
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden and not option.help
    ]
    assert silent == []


def test_every_command_in_the_docs_exists(known_commands: Mapping[str, frozenset[str]]) -> None:
    wrong = [
        f"{page.relative_to(ROOT)}: {complaint}"
        for page in PAGES
        for words in mentions(page.read_text(encoding="utf-8"))
        if (complaint := unknown(words, known_commands))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_command_in_a_message_exists(known_commands: Mapping[str, frozenset[str]]) -> None:
    """Errors end in the next command, as in `look: sluice status`."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}"
        for folder in ("prefect_sluice", "flows", "tasks", "deployments")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for words in _words(re.findall(r": sluice ([a-z][^\n,;.)]*)", node.value))
        if unknown(words, known_commands)
    ]
    assert not wrong, "\n".join(wrong)


KNOWN = {"release": frozenset({"--env"}), "ledger": frozenset[str](), "ledger verify": frozenset({"--full"})}


@pytest.mark.parametrize(
    ("page", "complaints"),
    [
        ("run `sluice release --env prod` or `sluice ledger verify --full`", 0),
        ("`sluice --version`, `sluice release main`, `sluice ledger verify x`", 0),
        ("```\n$ sluice release  # --gone is a comment\nSLUICE_ACTOR=ada sluice release\n```", 0),
        ("run `sluice deploy`", 1),
        ("run `sluice release --force`", 1),
        ("run `sluice ledger --full`", 1),
        ("```console\nsluice deploy\nsluice release --force\nan answer\n```", 2),
    ],
)
def test_a_command_that_does_not_exist_is_found(page: str, complaints: int) -> None:
    assert len([words for words in mentions(page) if unknown(words, KNOWN)]) == complaints


# ---- gates, configuration, fault points ----------------------------------------------------------------


def test_every_gate_has_a_page() -> None:
    from prefect_sluice.gates import GATES

    contents = read(DOCS / "gates" / "README.md")
    assert [name for name in GATES if not (DOCS / "gates" / f"{name}.md").is_file()] == []
    assert [name for name in GATES if f"({name}.md)" not in contents] == []


def test_every_page_of_a_gate_is_of_a_gate() -> None:
    from prefect_sluice.gates import GATES

    pages = {path.stem for path in (DOCS / "gates").glob("*.md")} - {"README"}
    assert pages - set(GATES) == set()


def keys(schema: Json) -> Iterator[str]:
    """Yield the name of every property in a JSON schema, at any depth."""
    children: Sequence[Json] = ()
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            yield from properties
        children = list(schema.values())
    elif isinstance(schema, Sequence) and not isinstance(schema, str):
        children = schema
    for child in children:
        yield from keys(child)


def undocumented(names: Iterable[str], page: str) -> list[str]:
    """Return the names that stand, as whole words, in no code span and no code block of the page."""
    code = " ".join(re.findall(r"^```.*?^```|`[^`\n]+`", page, re.DOTALL | re.MULTILINE))
    return sorted({name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code)})


def test_every_configuration_key_is_documented() -> None:
    from prefect_sluice.gates.catalog import GATES, json_schema

    schema = dict(json_schema())
    page = read(DOCS / "configuration.md")
    gates = [read(DOCS / "gates" / f"{name}.md") for name in schema["properties"]["gates"].pop("properties")]
    assert undocumented(keys(schema), page) == []
    every = set(keys({"$defs": schema["$defs"]["GateSettings"]}))
    for name, text in zip(GATES, gates, strict=True):
        own = set(keys(json_schema()["properties"]["gates"]["properties"][name])) - every
        assert (name, undocumented(own, text)) == (name, [])


def test_a_key_without_documentation_is_found() -> None:
    schema: Json = {
        "properties": {"a": {"items": {"properties": {"b": {}}}}},
        "$defs": {"C": {"properties": {"c": {}}}},
    }
    assert sorted(keys(schema)) == ["a", "b", "c"]
    assert undocumented(keys(schema), "`a: 1`, b and `c_d`\n```yaml\nx:\n  b: 2\n```\n") == ["c"]


def test_the_schema_for_editors_is_what_the_code_says() -> None:
    from prefect_sluice.gates.catalog import json_schema

    assert json.loads(read(ROOT / "prefect_sluice" / "config" / "sluice.schema.json")) == json_schema()


def untested(points: Iterable[FaultPoint], tests: str) -> list[str]:
    """Return the points that the text of the crash tests does not name; a loop over `FaultPoint` names all."""
    if re.search(r"\b(list|tuple|sorted)\(FaultPoint\)|\bin FaultPoint\b|, FaultPoint\)", tests):
        return []
    return [
        point.name for point in points if f"FaultPoint.{point.name}" not in tests and point.value not in tests
    ]


def test_every_fault_point_is_in_the_crash_tests() -> None:
    assert (
        untested(
            FaultPoint, "\n".join(read(path) for path in sorted((ROOT / "tests" / "crash").rglob("*.py")))
        )
        == []
    )


def test_every_fault_point_is_reached_somewhere() -> None:
    """A point that no code passes is a crash that no test can cause."""
    product = [
        path
        for folder in ("prefect_sluice", "flows", "tasks", "deployments")
        for path in (ROOT / folder).rglob("*.py")
    ]
    used = "\n".join(read(path) for path in product if path.name != "faults.py")
    assert [point.name for point in FaultPoint if f"FaultPoint.{point.name}" not in used] == []


def test_a_fault_point_without_a_test_is_found() -> None:
    assert untested(
        (FaultPoint.BUILD_PACKED, FaultPoint.BUILD_PLANNED), 'FaultPoint.BUILD_PACKED, "stage.built"'
    ) == ["BUILD_PLANNED"]
    assert untested(FaultPoint, '@pytest.mark.parametrize("point", list(FaultPoint))') == []


def test_every_decision_is_in_the_list() -> None:
    listed = re.findall(
        r"^\| \[(\d{4})\]\((\1-[\w-]+\.md)\)", read(DOCS / "decisions" / "README.md"), re.MULTILINE
    )
    assert [name for _, name in listed] == sorted(path.name for path in (DOCS / "decisions").glob("0*.md"))


def test_nothing_is_promised_from_a_package_index() -> None:
    """Nothing is published: `pip install prefect-sluice` would bring whatever has that name. Extras of what is installed are."""
    wrong = [
        f"{page.relative_to(ROOT)}: {found}"
        for page in PAGES
        for found in re.findall(
            r"pip install [^`\n]*prefect-sluice(?!\[(?:lint|prefect|contracts|openlineage|postgres|pytest|docker)\])[^`\n]*",
            read(page),
        )
    ]
    assert wrong == []


# ---- changelog and links -------------------------------------------------------------------------------


def test_the_changelog_has_this_version() -> None:
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    assert project["version"] == __version__
    assert re.search(rf"^## .*\b{re.escape(__version__)}\b", read(ROOT / "CHANGELOG.md"), re.MULTILINE)


def anchors(page: str) -> set[str]:
    """Return the anchors that a forge makes of the headings of a page."""
    prose = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ +(.+?) *$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(path: Path, text: str) -> list[str]:
    """Return the relative links of a page that lead to no file, to no heading, or out of the repository."""
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", prose) + re.findall(
        r"^\[[^\]]+\]:\s*(\S+)", prose, re.MULTILINE
    )
    return [
        target
        for target in targets
        if not re.match(r"[a-z][a-z0-9+.-]*:", target) and not _leads(path, text, target)
    ]


def _leads(path: Path, text: str, target: str) -> bool:
    place, _, anchor = target.partition("#")
    file = (path.parent / place).resolve() if place else path
    if not file.is_relative_to(ROOT) or not (file.exists() or file == path):
        return False
    return not anchor or anchor in anchors(text if file == path else file.read_text(encoding="utf-8"))


def test_every_relative_link_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}" for page in PAGES for target in broken_links(page, read(page))
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](../LICENSE) [b](https://example.com/x) [c](mailto:a@example.com)", []),
        ("# One, two\n[here](#one-two) `[not](a.link)`", []),
        ("[a](nowhere.md)", ["nowhere.md"]),
        ("[a](#nowhere)", ["#nowhere"]),
        ("[a][b]\n\n[b]: nowhere.md", ["nowhere.md"]),
        ("[a](../../outside.md)", ["../../outside.md"]),
        ("![picture](nowhere.png)", ["nowhere.png"]),
    ],
)
def test_a_broken_link_is_found(text: str, broken: list[str]) -> None:
    assert broken_links(DOCS / "planted.md", text) == broken
