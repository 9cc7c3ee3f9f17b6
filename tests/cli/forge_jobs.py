"""Jobs of a forge, as its runner would do them from the files of deployments/ci."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.reporting.forges.server import TOKEN

CI = Path(__file__).resolve().parents[2] / "deployments" / "ci"


def bash(script: str, folder: Path, variables: Mapping[str, str]) -> tuple[int, str]:
    """Run a step as a runner does, with the `sluice` of this interpreter, and return its exit code and all it wrote."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert TOKEN not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def filled_in(text: str, pattern: str, values: Mapping[str, str]) -> str:
    return re.sub(pattern, lambda match: values[match[1]], text)


def action(folder: Path, inputs: Mapping[str, str], variables: Mapping[str, str]) -> tuple[int, str]:
    """Run the action's steps: what GitHub would put in for expressions, its commands in bash, its upload looked at."""
    told = yaml.safe_load((CI / "github" / "action.yml").read_text())
    defaults = {name: given["default"] for name, given in told["inputs"].items()}
    values = {f"inputs.{name}": value for name, value in {**defaults, **inputs}.items()}
    values["github.token"] = variables["GITHUB_TOKEN"]
    given = {key: value for key, value in variables.items() if key != "GITHUB_TOKEN"}
    expression, answer = r"\$\{\{ ([\w.]+) \}\}", (0, "")
    values = {key: filled_in(value, expression, values) for key, value in values.items()}
    for step in told["runs"]["steps"]:
        if "run" in step:
            assert step["shell"] == "bash"
            assert "${{" not in step["run"]  # an input in a script is a script of whoever gives it
            env = {key: filled_in(value, expression, values) for key, value in step["env"].items()}
            answer = bash(step["run"], folder, {**given, **env})
        else:
            assert (step["if"], step["uses"]) == ("${{ always() }}", "actions/upload-artifact@v4")
            assert step["with"]["include-hidden-files"], (
                "without it, nothing below a folder `.sluice` is taken along"
            )
            assert (folder / filled_in(step["with"]["path"], expression, values)).is_file(), answer
    return answer


def closing_job(number: int, folder: Path) -> tuple[int, str]:
    """Run the action's closing step as the workflow in docs/ci.md uses it as a pull request is closed."""
    blocks = (CI.parents[1] / "docs" / "ci.md").read_text(encoding="utf-8").split("```text\n")[1:]
    [workflow] = [text for block in blocks if "types: [closed]" in (text := block.partition("```")[0])]
    [job] = yaml.safe_load(workflow)["jobs"].values()
    [used] = [step for step in job["steps"] if step["uses"].startswith("./")]
    assert used["uses"] == "./.github/actions/sluice-check/end-preview", "where docs/ci.md has people copy it"
    told = yaml.safe_load((CI / "github" / "end-preview" / "action.yml").read_text())
    expression = r"\$\{\{ ([\w.]+) \}\}"
    given = {
        key: filled_in(value, expression, {"github.event.number": str(number)})
        for key, value in used["with"].items()
    }
    defaults = {name: one["default"] for name, one in told["inputs"].items() if "default" in one}
    values = {f"inputs.{name}": value for name, value in {**defaults, **given}.items()}
    [step] = told["runs"]["steps"]
    assert (step["shell"], "${{" in step["run"]) == ("bash", False)
    env = {key: filled_in(value, expression, values) for key, value in step["env"].items()}
    return bash(step["run"], folder, env)


def gitlab_closing_job(number: int, folder: Path) -> tuple[int, str]:
    """Run the job that GitLab starts to stop the environment of a merge request."""
    text = (CI / "gitlab" / "sluice-preview.yml").read_text()
    spec, _ = yaml.safe_load_all(text)
    defaults = {name: one["default"] for name, one in spec["spec"]["inputs"].items()}
    body = filled_in(text.partition("\n---\n")[2], r"\$\[\[ inputs\.(\w+) \]\]", defaults)
    jobs = yaml.safe_load(body)
    shows, ends = jobs["sluice-check"], jobs["sluice-end-preview"]
    assert shows["environment"] == {"name": ends["environment"]["name"], "on_stop": "sluice-end-preview"}
    assert ends["environment"]["action"] == "stop"
    # GitLab: both jobs need the same rules, or it never finds the one that stops.
    assert [rule["if"] for rule in shows["rules"]] == [rule["if"] for rule in ends["rules"]]
    assert [rule["when"] for rule in ends["rules"]] == ["manual"]
    variables = {
        key: value.replace("$CI_MERGE_REQUEST_IID", str(number)) for key, value in ends["variables"].items()
    }
    return bash("\n".join(ends["script"]), folder, variables)


def component(folder: Path, inputs: Mapping[str, str], variables: Mapping[str, str]) -> tuple[int, str]:
    """Run the component's job as GitLab would make it from these inputs."""
    spec, _ = yaml.safe_load_all((CI / "gitlab" / "sluice-check.yml").read_text())
    defaults = {name: given["default"] for name, given in spec["spec"]["inputs"].items()}
    body = (CI / "gitlab" / "sluice-check.yml").read_text().partition("\n---\n")[2]
    job = yaml.safe_load(filled_in(body, r"\$\[\[ inputs\.(\w+) \]\]", {**defaults, **inputs}))[
        "sluice-check"
    ]
    own = {key: value or "" for key, value in job["variables"].items()}
    answer = bash("\n".join(job["script"]), folder, {**own, **variables})
    assert all((folder / path).is_file() for path in job["artifacts"]["paths"])
    return answer
