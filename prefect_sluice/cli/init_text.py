"""The sluice.yml that `sluice init` writes: the settings that fit what was found, each with why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect_sluice.cli.build_needs import BuildNeeds
    from prefect_sluice.cli.called_from import CalledFrom
    from prefect_sluice.cli.project_survey import Survey
    from prefect_sluice.dbt.profile import Target

_MOST = 3
_TEMPLATE = """\
# How this dbt project is released with Sluice. Every key has a default.
# `sluice init --schema` prints the JSON Schema of this file: give it to your editor for checks.

# The dbt project's folder, relative to this file.
project: {project}
{called}
# Where releases serve, in order, production last: one for each DuckDB target of the profile.
# `approvals` is how many approvals a release needs there; `self_approval: allow` lets an author of the change give it,
# as where there is one person only.
environments:
{environments}

# Where `sluice release` goes without --env.
default_environment: {default}

# What a gate's no does: block the release (default), only warn, or off.
{gates}

# Paths that git does not track and the project reads: linked into each checkout.
{source}
{build}"""


def text(
    project: str, default: str, targets: Sequence[Target], survey: Survey, prefix: str, called_in: str = ""
) -> str:
    """Return the text. `project` is the dbt project's path from sluice.yml, `prefix` the one of sluice.yml's folder in the
    repository ("" for its root), `called_in` the folder in which dbt is called, from there ("" for the project's)."""
    from prefect_sluice.config import PRODUCTION

    lines: list[str] = []
    alone = len(survey.authors) <= 1
    asks = ", approvals: 1" + (", self_approval: allow" if alone else "")
    for target in targets:
        name, approvals = _yaml(target.name), asks if target.name in PRODUCTION else ""
        lines.append(f"  {name}: {{target: {name}{approvals}}}")
    return _TEMPLATE.format(
        project=_yaml(project),
        called=_called(survey, prefix, called_in),
        environments="\n".join(lines),
        default=_yaml(default),
        gates=_gates(survey),
        source=_source(survey, prefix),
        build=_build(survey.needs),
    )


def found_told(survey: Survey) -> tuple[tuple[str, str], ...]:
    """Return what was found, as (what, in words), and what it means here."""
    rules = f"rules in {survey.rules}" if survey.rules else "no .sqlfluff: the gate lint does not apply"
    if survey.rules and not survey.linter:
        rules += "; sqlfluff is not installed: pip install 'prefect-sluice[lint]'"
    packages = ", ".join(survey.packages) or "none"
    people = ", ".join(survey.authors[:_MOST]) + (
        f" and {len(survey.authors) - _MOST} more" if survey.authors[_MOST:] else ""
    )
    alone = len(survey.authors) <= 1
    one = "approves own changes: nobody else committed here" if alone else "each approves what others change"
    return (
        ("sqlfluff", rules),
        ("packages", f"{packages}; not installed" if survey.missing else packages),
        (
            "not in git",
            f"{', '.join(survey.ignored)}: named in source.include" if survey.ignored else "no input of dbt",
        ),
        *([("outside", _needs_told(survey.needs))] if survey.needs else []),
        ("hooks", _hooks_told(survey)),
        *_called_found(survey),
        ("approvers", f"{people or 'nobody yet'}; {one}"),
    )


def _called_found(survey: Survey) -> list[tuple[str, str]]:
    see = "see working_directory in sluice.yml"
    if survey.called_from:
        return [("dbt", f"{_called_why(survey.called_from)}: {see}")]
    return [("dbt", f"{survey.calls} calls it at the top: {see}")] if survey.calls else []


def _called_why(called: CalledFrom) -> str:
    return f"{called.named_in} reads {called.path}, which is not there from the project's folder, and is from above it"


def _called(survey: Survey, prefix: str, called_in: str) -> str:
    """Return the key that says where relative paths start: in force where it is known, else as a comment; "" where none fits."""
    why = "# Relative paths of SQL, hooks and profile start in the folder in which dbt is called"
    if called_in:
        because = f":\n# {_called_why(survey.called_from)}" if survey.called_from else ""
        return f"{why}{because}.\nworking_directory: {_yaml(called_in)}\n"
    up = "/".join([".."] * prefix.count("/")) or "."
    return f"{why}: at the top, by {survey.calls}?\n# working_directory: {up}\n" if survey.calls else ""


def _hooks_told(survey: Survey) -> str:
    held = [hook for hook in survey.leaving if hook.refused]
    if held:
        more = f" and {len(held) - 1} more" if len(held) > 1 else ""
        return f"{held[0].path} has: {held[0].said}{more}; it runs before any gate, so gate safety refuses it (see sluice.yml)"
    if survey.leaving:
        first = survey.leaving[0]
        return f"{first.path} has: {first.said}; its file is put aside, and does not go where it went so far"
    return (
        f"{', '.join(survey.hooks)}: what they write outside the build, gate safety says"
        if survey.hooks
        else "none"
    )


def next_steps(survey: Survey, project: str, *, is_committed: bool) -> tuple[tuple[str, str], ...]:
    """Return the commands to give next, in order, and what each is for."""
    deps = "dbt deps" if project == "." else f"dbt deps --project-dir {project}"
    steps = [(deps, "install the packages")] if survey.missing else []
    if not is_committed:
        steps.append(
            ('git add -A && git commit -m "Release with Sluice"', "sluice.yml counts once it is committed")
        )
    return (*steps, ("sluice plan", "what a release would do"), ("sluice release", "do it"))


def _gates(survey: Survey) -> str:
    comments, lint = _lint(survey)
    lines = [*lint, *_safety(survey)]
    if any(not line.startswith("#") for line in lines):
        return "\n".join(["gates:", *(f"  {line}" for line in [*comments, *lines])])
    return "\n".join([*comments, "# gates:", *(f"#   {line.removeprefix('# ')}" for line in lines)])


def _lint(survey: Survey) -> tuple[list[str], list[str]]:
    """Return what there is to say of lint, and its setting."""
    if survey.rules and not survey.linter:
        why = f"# {survey.rules} has rules, and sqlfluff is not installed: pip install 'prefect-sluice[lint]'"
        return [why], ["lint: {on: warn}"]
    why = (
        f"# {survey.rules} has its rules."
        if survey.rules
        else "# There is no .sqlfluff, so lint does not apply."
    )
    first = "On the first release, what lint and secrets find in code that is there already only warns."
    return [f"{why} {first}"], ["# lint: {on: warn}"]


def _safety(survey: Survey) -> list[str]:
    """Return, as comments, the exceptions that let hooks do what they do outside the warehouse: people say if it is meant."""
    from prefect_sluice.gates.remedies import WEEKS, quoted
    from prefect_sluice.runtime import process

    held = [hook for hook in survey.leaving if hook.refused]
    if not held:
        return []
    until = process.now().date() + WEEKS
    lines = [
        "# A hook that does, before any gate has judged anything, what no rollback takes back is refused."
    ]
    lines += [
        "# Do it after the release, from what is served then. Where it is meant as it is:",
        "# safety:",
        "#   except:",
    ]
    for node, check in dict.fromkeys((hook.node, hook.check) for hook in held):
        lines.append(f"#   - {{node: {quoted(node)}, check: {check}, reason: …, until: {until}}}")
    return lines


def _source(survey: Survey, prefix: str) -> str:
    if not survey.ignored:
        return "# source:\n#   include: [data]"
    paths = [path.removeprefix(prefix) for path in survey.ignored]
    listed = ", ".join(_yaml(path) for path in paths)
    return f"# .gitignore leaves these out, and dbt reads them.\nsource:\n  include: [{listed}]"


def _build(needs: BuildNeeds) -> str:
    """Return the key `build` with what the project's code was seen to reach outside; "" for nothing."""
    lines = [
        *([f"network: true    # an address stands in {needs.network}"] if needs.network else []),
        *_paths("may_read", "reads", needs.reads),
        *_paths("may_write", "writes", needs.writes),
        *(
            [f"env: [{', '.join(needs.secrets)}]    # secrets that it reads by env_var"]
            if needs.secrets
            else []
        ),
    ]
    if not lines:
        return ""
    why = "# What code of the project reaches outside of its checkout while dbt runs it shut in: all else is kept from it."
    return "\n".join(["", why, "build:", *(f"  {line}" for line in lines), ""])


def _paths(key: str, does: str, named: Mapping[str, str]) -> list[str]:
    files = ", ".join(dict.fromkeys(named.values()))
    return [f"{key}: [{', '.join(map(_yaml, named))}]    # {files} {does} there"] if named else []


def _needs_told(needs: BuildNeeds) -> str:
    found = [
        *([f"an address in the network stands in {needs.network}"] if needs.network else []),
        *(f"{name} reads {path}" for path, name in needs.reads.items()),
        *(f"{name} writes to {path}" for path, name in needs.writes.items()),
        *([f"env_var reads {', '.join(needs.secrets)}"] if needs.secrets else []),
    ]
    more = f" and {len(found) - _MOST} more" if found[_MOST:] else ""
    return f"{', '.join(found[:_MOST])}{more}: named under build"


def _yaml(text: str) -> str:
    import yaml

    return yaml.safe_dump(text, default_flow_style=True, allow_unicode=True).splitlines()[0]
