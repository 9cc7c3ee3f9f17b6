"""Every fenced block of the docs is an example that holds, or is marked as output.

sh       what somebody types: bash can read it, and each command of Sluice in it can be given as it stands
console  what somebody types after `$ `, checked likewise, and what comes of it
usage    the usage of commands: it has the options that they have, all of them
yaml     a sluice.yml that loads, or a piece of a file of another kind that is told by its keys
python, sql, toml   can be read as what they are
text     an answer, or a drawing
"""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import textwrap
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import click
import duckdb
import pytest
import yaml

from prefect_sluice import config
from prefect_sluice.cli import cli
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.gates.catalog import checked
from tests.docs.test_pages import PAGES, ROOT, commands

OTHER_FILES: Mapping[str, Collection[str]] = {
    "models": {"name", "columns", "version", "exposures", "models", "description"},
    "exposures": {"exposures"},
    "a profile": {"shop"},
    "an approval": {"promotion", "binding", "decision", "name", "comment"},
}
"""Files that are not sluice.yml, and the keys that stand at their top."""
OFTEN = {"--env", "--json", "--folder", "-C", "--no-color", "--help", "--quiet", "-q"}
"""Options that a usage need not repeat: they are told once for all commands."""


class Block(NamedTuple):
    """A fenced block: where it is, of which language, and what stands in it."""

    where: str
    language: str
    text: str


def blocks(where: str, page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page, those in lists, too."""
    for found in re.finditer(r"^( *)```([^\n]*)\n(.*?)^\1```", page, re.DOTALL | re.MULTILINE):
        line = page[: found.start()].count("\n") + 1
        yield Block(f"{where}:{line}", found[2].strip(), textwrap.dedent(found[3]))


# ---- what is wrong with one ----------------------------------------------------------------------------


def given(line: str) -> list[str]:
    """Return the words of the command of Sluice in a line of shell, up to what the shell does with it; none if there is none."""
    found = re.match(r"\s*(?:\w+=\S* )*sluice (.*)", line)
    if found is None:
        return []
    said = re.sub(r"\$\([^)]*\)", "SOMETHING", found[1])
    lexer = shlex.shlex(said, posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if re.fullmatch(r"[&|;<>]+", word):
            break
        words.append(word)
    return words


def refused(words: Sequence[str]) -> str:
    """Say why the command line would not take these words, "" if it does. Nothing is run."""
    if not words or words[0] in OFTEN | {"--version"}:
        return ""
    context = click.Context(cli, info_name="sluice")
    try:
        name, command, rest = cli.resolve_command(context, list(words))
        assert command is not None
        command.make_context(name, rest, parent=context)
    except click.exceptions.Exit:
        return ""
    except click.ClickException as error:
        return f"`sluice {shlex.join(words)}`: {error.format_message()}"
    return ""


def _sh(text: str) -> Iterator[str]:
    read = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
    if read.returncode:
        yield f"bash cannot read it: {read.stderr.strip()}"
    yield from (complaint for line in text.splitlines() if (complaint := refused(given(line))))


def _console(text: str) -> Iterator[str]:
    typed = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    if not typed:
        yield "nothing is typed there (`$ ...`): is it ```sh, or ```text?"
    yield from (complaint for line in typed if (complaint := refused(given(line))))


def _usage(text: str) -> Iterator[str]:
    every = commands()
    by_name: dict[str, list[str]] = {}
    for line in text.splitlines():
        name = re.match(r"sluice ([a-z-]+)", line)
        if name is None or name[1] not in every:
            yield f"no command: {line}"
        else:
            by_name.setdefault(name[1], []).append(line)
    for name, lines in by_name.items():
        told = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(lines)))
        options = [
            one for one in every[name].params if isinstance(one, click.Option) and not one.hidden and one.opts
        ]
        real = {each for one in options for each in (*one.opts, *one.secondary_opts)}
        yield from (f"`sluice {name}` has no {option}" for option in sorted(told - real))
        left_out = [one.opts for one in options if not told & {*one.opts, *one.secondary_opts}]
        yield from (
            f"`sluice {name}` has {opts[-1]}, too" for opts in left_out if not OFTEN.intersection(opts)
        )


def _yaml(text: str) -> Iterator[str]:
    try:
        raw: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        yield f"no YAML: {error}"
        return
    if isinstance(raw, list) or set(raw) in OTHER_FILES.values():
        return
    try:
        checked(config.parse(text, "sluice.yml").gates, "sluice.yml")
    except ConfigInvalid as error:
        yield f"neither a sluice.yml ({error}) nor one of {', '.join(OTHER_FILES)}"


def _python(text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield f"no Python: {error}"
        return
    for node in ast.walk(tree):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [each.name for each in node.names] if isinstance(node, ast.Import) else []
        # Of a foreign package its name only: to find a module in it is to import the package.
        modules = [name if name.startswith("prefect_sluice") else name.partition(".")[0] for name in modules]
        yield from (f"no module {name}" for name in modules if importlib.util.find_spec(name) is None)


def _sql(text: str) -> Iterator[str]:
    with duckdb.connect() as connection:
        try:
            connection.extract_statements(text)
        except duckdb.Error as error:
            yield f"DuckDB cannot read it: {error}"


def _toml(text: str) -> Iterator[str]:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        yield f"no TOML: {error}"


def _anything(text: str) -> Iterator[str]:
    yield from ()


KINDS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "sh": _sh, "console": _console, "usage": _usage, "yaml": _yaml, "python": _python, "sql": _sql, "toml": _toml,
    "text": _anything, "mermaid": _anything,
}  # fmt: skip


def wrong(block: Block) -> list[str]:
    """Return what is wrong with a block, each with its place."""
    kind = KINDS.get(block.language)
    if kind is None:
        return [f"{block.where}: ```{block.language} is none of {', '.join(KINDS)}; an answer is ```text"]
    return [f"{block.where}: {complaint}" for complaint in kind(block.text)]


# ---- the pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", [*KINDS, ""])
def test_every_example_holds(language: str) -> None:
    found = [
        complaint
        for page in PAGES
        for block in blocks(page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8"))
        if block.language == language or (not language and block.language not in KINDS)
        for complaint in wrong(block)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("language", "text", "complaints"),
    [
        ("sh", "SLUICE_STATE=x.db sluice release main --env prod && echo done > out\n", 0),
        ("sh", "sluice release main other\n", 1),
        ("sh", "sluice rollback --to\n", 1),
        ("sh", "sluice rollback --to 1 --form 2\n", 1),
        ("sh", "sluice relase\n", 1),
        ("sh", "if true; then\n", 1),
        ("console", "$ sluice hold\nanything\n", 1),
        ("console", "sluice status\n", 1),
        ("usage", "sluice restore FILE [--as NAME]\n", 0),
        ("usage", "sluice restore FILE\n", 1),
        ("usage", "sluice restore FILE [--as NAME] [--twice]\n", 1),
        ("usage", "sluice relase\n", 1),
        ("yaml", "gates: {lint: {on: warn}}\n", 0),
        ("yaml", "gates: {lint: {onn: warn}}\n", 1),
        ("yaml", "gates: {lnt: {on: warn}}\n", 1),
        ("yaml", "a: [\n", 1),
        ("python", "from prefect_sluice.domain.verdict import Verdict\n", 0),
        ("python", "from prefect_sluice.verdicts import Verdict\n", 1),
        ("python", "def f(:\n", 1),
        ("sql", "select 1;\n", 0),
        ("sql", "selct 1;\n", 1),
        ("toml", "a = \n", 1),
        ("", "an answer\n", 1),
        ("bash", "ls\n", 1),
    ],
)
def test_an_example_that_does_not_hold_is_found(language: str, text: str, complaints: int) -> None:
    assert len(wrong(Block("page.md:1", language, text))) == complaints
