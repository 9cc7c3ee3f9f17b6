"""YAML files, read with the line of each mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.domain.untrusted_text import parsing, plain


class _Loader(yaml.SafeLoader):
    """YAML without its surprises: `on` and `off` are words (YAML 1.2), dates are texts, no key stands there twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """See SafeLoader. Raises MarkedYAMLError for a key that is there already."""
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} stands there twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [
        pair for pair in pairs if pair[0] not in {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
    ]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]  # the stubs leave it open
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def parsed(text: str, where: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """Return the document in a YAML text. Raises ConfigInvalid with the line where one is known; `where` names the file."""
    try:
        with parsing("is not YAML", where, "mend it", ConfigInvalid):
            return yaml.load(text, Loader=loader)  # a SafeLoader
    except ConfigInvalid as invalid:
        error = invalid.__cause__
        mark = getattr(error, "problem_mark", None)
        if mark is None:
            raise
        problem = getattr(error, "problem", None) or "broken YAML"
        raise ConfigInvalid(
            f"is not YAML: {problem}", f"{where}, line {mark.line + 1}", "mend that line"
        ) from error


def read(text: str, where: str) -> dict[str, Any]:
    """Return the keys of a YAML file, none of an empty one. Raises ConfigInvalid; `where` names the file."""
    raw = parsed(text, where, _Loader)
    why = plain(raw)
    if why:
        raise ConfigInvalid(why, where, "write it as plain text, numbers, lists and keys")
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ConfigInvalid("must hold keys, such as `project: .`", where, "see docs/configuration.md")
    return raw  # pyright: ignore[reportUnknownVariableType]  # YAML knows no types


def render_yaml(texts: Mapping[str, str]) -> str:
    """Return texts by key as a YAML file, in their order; reading it gives the same."""
    return yaml.dump(dict(texts), Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True, width=1000)
