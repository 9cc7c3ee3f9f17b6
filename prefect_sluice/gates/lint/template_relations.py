"""Relations and columns as a dbt template sees them, for linting: `ref(...)`, `this`, `api.Relation`, `api.Column`.

They have what dbt's own have by name (dbt-adapters, `BaseRelation` and `Column`), and ask nothing of a warehouse. Packages look
closely: dbt_utils takes for a relation only a mapping whose `metadata` says that it is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

_PATH = ("database", "schema", "identifier")
_EPHEMERAL = "__dbt__cte__"


@dataclass(frozen=True, slots=True, eq=False)
class TemplateRelation(Mapping[str, Any]):
    """A relation. `text` is what it renders to: the same everywhere, whatever schema an environment has."""

    identifier: str
    text: str
    schema: str = "dev"
    database: str = "dev"
    type: str | None = "table"

    Table: ClassVar[str] = "table"
    View: ClassVar[str] = "view"
    CTE: ClassVar[str] = "cte"
    External: ClassVar[str] = "external"
    MaterializedView: ClassVar[str] = "materialized_view"

    @classmethod
    def create(
        cls, database: str = "", schema: str = "", identifier: str = "", type: str | None = None, **_: Any
    ) -> TemplateRelation:
        """Return a relation by the parts of its name that are given, as `api.Relation.create` does."""
        text = ".".join(part for part in (schema, identifier) if part)
        return cls(identifier, text or "relation", schema or "dev", database or "dev", type)

    @staticmethod
    def add_ephemeral_prefix(name: str) -> str:
        """Return what dbt calls the common table expression of an ephemeral model."""
        return f"{_EPHEMERAL}{name}"

    @property
    def name(self) -> str:
        """The last part of its name."""
        return self.identifier

    @property
    def table(self) -> str:
        """The last part of its name, by dbt's other word for it."""
        return self.identifier

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of its name."""
        return {part: getattr(self, part) for part in _PATH}

    @property
    def is_table(self) -> bool:
        """Whether it is a table: what is not known otherwise is taken for one."""
        return self.type == self.Table

    @property
    def is_view(self) -> bool:
        """Whether it is a view."""
        return self.type == self.View

    @property
    def is_cte(self) -> bool:
        """Whether it is an ephemeral model's common table expression."""
        return self.type == self.CTE

    @property
    def is_materialized_view(self) -> bool:
        """Whether it is a materialized view."""
        return self.type == self.MaterializedView

    def render(self) -> str:
        """Return its text."""
        return self.text

    def quoted(self, identifier: str) -> str:
        """Return an identifier in quotes."""
        return f'"{identifier}"'

    def include(self, **_: Any) -> TemplateRelation:
        """Return it as it is: which parts of a name are written makes no difference to a linter."""
        return self

    quote = include

    def incorporate(
        self, path: Mapping[str, str] | None = None, type: str | None = None, **_: Any
    ) -> TemplateRelation:
        """Return it with other parts in its name, or of another type."""
        parts = {**self.path, **{part: text for part, text in (path or {}).items() if text}}
        renamed = self.create(**parts) if path else self
        return replace(renamed, type=type or self.type)

    def replace_path(self, **path: str) -> TemplateRelation:
        """Return it with other parts in its name."""
        return self.incorporate(path=path)

    def without_identifier(self) -> TemplateRelation:
        """Return its schema."""
        return replace(self, identifier="", text=self.schema)

    def information_schema(self, view: str | None = None) -> TemplateRelation:
        """Return the information schema of its database, or a view of it."""
        return self.create(schema="information_schema", identifier=view or "")

    def matches(self, database: str = "", schema: str = "", identifier: str = "") -> bool:
        """Say whether these are its names, as far as they are given."""
        given = dict(zip(_PATH, (database, schema, identifier), strict=True))
        return all(not text or text == self.path[part] for part, text in given.items())

    def __getitem__(self, key: str) -> Any:
        if key == "metadata":
            return {"type": "DuckDBRelation"}  # dbt gives the name of the class; packages look at its end
        try:
            return {**self.path, "type": self.type}[key]
        except KeyError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        return iter((*_PATH, "type"))

    def __len__(self) -> int:
        return len(_PATH) + 1

    def __hash__(self) -> int:
        return hash((self.text, self.type))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TemplateRelation) and (self.text, self.type) == (other.text, other.type)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class TemplateColumn:
    """A column: its name, and its type as the template gave it."""

    name: str
    dtype: str = "varchar"
    column: str = field(init=False)
    data_type: str = field(init=False)
    quoted: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "column", self.name)
        object.__setattr__(self, "data_type", self.dtype)
        object.__setattr__(self, "quoted", f'"{self.name}"')

    @classmethod
    def create(cls, name: str, label_or_dtype: str = "varchar") -> TemplateColumn:
        """Return a column, as `api.Column.create` does."""
        return cls(name, label_or_dtype)

    @staticmethod
    def translate_type(dtype: str) -> str:
        """Return the type as it is."""
        return dtype

    @staticmethod
    def string_type(size: int = 256) -> str:
        """Return the type of a text of at most this many characters."""
        return f"varchar({size})"

    @staticmethod
    def numeric_type(dtype: str, precision: Any = None, scale: Any = None) -> str:
        """Return the type of a number of this precision and scale."""
        return f"{dtype}({precision},{scale})" if precision is not None and scale is not None else dtype

    def is_string(self) -> bool:
        """Say whether its type is a text's."""
        return self.dtype.lower().startswith(("text", "char", "varchar", "string"))

    def is_number(self) -> bool:
        """Say whether its type is a number's."""
        return self.dtype.lower().startswith(("int", "bigint", "float", "double", "decimal", "numeric"))
