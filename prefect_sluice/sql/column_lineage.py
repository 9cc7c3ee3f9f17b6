"""Where the columns of a query's result come from, read with sqlglot: for people, and for tools that show lineage.

It says what a query names, as near as its text tells, and nothing is decided by it: what is built again is decided by shapes,
which prove what they say (docs/decisions/0068-column-lineage.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import Name

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

Origin = tuple[Name, str]
"""A column of a relation, both in lower case. The column `ROWS` stands for which rows there are."""
ROWS = "*"
_NESTED = 50
_DEPTH = "it is nested too deeply"
_STAR = "a * or COLUMNS() stands for it, over columns that are not known"


@dataclass(frozen=True, slots=True)
class QueryLineage:
    """What one query's result is made of. Names are in lower case.

    `columns` has what each column's values are made of; `rows` what decides which rows there are: columns in WHERE, JOIN,
    GROUP BY and the like. `unknown` are columns of which that cannot be told, with why; "*" among them: there may be more.
    `texts` has the expression of each column that is more than another one's value; `hidden` says why `rows` may not be all.
    `unread` says why nothing of it can be told ("": it can).
    """

    columns: Mapping[str, tuple[Origin, ...]] = field(default_factory=dict[str, tuple[Origin, ...]])
    rows: tuple[Origin, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict[str, str])
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    hidden: str = ""
    unread: str = ""

    @property
    def relations(self) -> frozenset[Name]:
        """Every relation that it reads, as far as it is understood."""
        return frozenset(
            name for name, _ in (*self.rows, *(one for reads in self.columns.values() for one in reads))
        )

    def document(self) -> Json:
        """Return it as JSON."""
        return {
            "columns": {name: _written(reads) for name, reads in self.columns.items()},
            "rows": _written(self.rows),
            "unknown": dict(self.unknown),
            "texts": dict(self.texts),
            "hidden": self.hidden,
            "unread": self.unread,
        }

    @classmethod
    def read(cls, document: Json) -> QueryLineage:
        """Read what `document` wrote."""
        raw = cast(Mapping[str, Any], document)
        columns = {name: _read(reads) for name, reads in raw["columns"].items()}
        return cls(columns, _read(raw["rows"]), raw["unknown"], raw["texts"], raw["hidden"], raw["unread"])


def _written(reads: Iterable[Origin]) -> Json:
    return [[name.schema, name.identifier, column] for name, column in reads]


def _read(value: Any) -> tuple[Origin, ...]:
    return tuple((Name(schema, identifier), column) for schema, identifier, column in value)


def query_lineage(
    sql: str, dialect: str, catalog: str, columns: Mapping[Name, Sequence[str]], schema: str = "main"
) -> QueryLineage:
    """Return the lineage of the one query in `sql`.

    `columns` are those of the relations that it may read, by name in lower case; `schema` is that of a name without one,
    `catalog` the database's own name, which may stand before it. Pure.
    """
    from sqlglot.errors import SqlglotError

    try:
        return _Query(dialect, catalog.lower(), columns, schema).read(sql)
    except SqlglotError as error:
        return QueryLineage(unread=f"its SQL is not understood: {(str(error).splitlines() or [''])[0]}")
    except RecursionError:
        return QueryLineage(unread=_DEPTH)


class _Untold(Exception):
    """One column's origin cannot be told: an answer, not an error."""


@dataclass(slots=True)
class _Query:
    dialect: str
    catalog: str
    columns: Mapping[Name, Sequence[str]]
    schema: str
    _values: dict[tuple[int, str], frozenset[Origin] | _Untold] = field(
        default_factory=dict[tuple[int, str], "frozenset[Origin] | _Untold"]
    )
    _rows: dict[int, frozenset[Origin]] = field(default_factory=dict[int, frozenset[Origin]])
    _hidden: list[str] = field(default_factory=list[str])

    def read(self, sql: str) -> QueryLineage:
        from sqlglot import exp, parse
        from sqlglot.optimizer.scope import build_scope

        trees = [tree for tree in parse(sql, dialect=self.dialect) if tree is not None]
        if len(trees) != 1 or not isinstance(trees[0], exp.Query):
            return QueryLineage(unread="its SQL is no single query")
        scope = build_scope(self._qualified(trees[0]))
        if scope is None:
            return QueryLineage(unread="its SQL is no single query")
        origins: dict[str, tuple[Origin, ...]] = {}
        unknown: dict[str, str] = {}
        for name in _names(scope):
            try:
                origins[name] = tuple(sorted(self._column(scope, name)))
            except _Untold as why:
                unknown[name] = str(why)
        rows = tuple(sorted(self._of_rows(scope)))
        texts = {
            name: text for name in (*origins, *unknown) if name != ROWS and (text := self._text(scope, name))
        }
        return QueryLineage(origins, rows, unknown, texts, "; ".join(dict.fromkeys(self._hidden)))

    def _text(self, scope: Scope, name: str, depth: int = 0) -> str:
        """Return the expression that a column is; "" for one that is another one's value as it is."""
        from sqlglot import exp
        from sqlglot.optimizer.scope import Scope as ScopeType

        if isinstance(scope.expression, exp.SetOperation):
            names = _names(scope)
            parts = [part for part in scope.union_scopes if len(_names(part)) == len(names)]
            texts = [self._text(part, _names(part)[names.index(name)], depth) for part in parts]
            return " | ".join(dict.fromkeys(text for text in texts if text))
        selects: list[Any] = getattr(scope.expression, "selects", [])
        one = next((one for one in selects if one.alias_or_name.lower() == name), None)
        if one is None:
            return ""
        expression = one.unalias()
        if not isinstance(expression, exp.Column):
            return expression.sql(dialect=self.dialect, comments=False)
        source = scope.sources.get(expression.table)
        if not isinstance(source, ScopeType) or depth == _NESTED:
            return ""
        return self._text(source, expression.name.lower(), depth + 1)

    def _qualified(self, tree: exp.Expr) -> exp.Expr:
        """Return the query with `*` written out, and with the relation of each column."""
        from sqlglot import exp
        from sqlglot.optimizer.qualify import qualify
        from sqlglot.schema import MappingSchema

        schema = MappingSchema(dialect=self.dialect, normalize=False)
        there = {_name(table, self.catalog, self.schema) for table in tree.find_all(exp.Table)}
        for name in sorted(name for name in there if name in self.columns):
            columns = {column.lower(): "unknown" for column in self.columns[name]}
            table = exp.table_(
                exp.to_identifier(name.identifier, quoted=True), exp.to_identifier(name.schema, quoted=True)
            )
            schema.add_table(table, columns)
        for table in tree.find_all(exp.Table):
            self._spell(table)
        return qualify(
            tree,
            dialect=self.dialect,
            schema=schema,
            db=self.schema,
            infer_schema=True,
            isolate_tables=False,
            validate_qualify_columns=False,
            allow_partial_qualification=True,
            quote_identifiers=False,
        )

    def _spell(self, table: exp.Table) -> None:
        """Take the database's own name off a relation, and make one part of the name and schema of another database."""
        from sqlglot import exp

        if not table.catalog:
            if table.db.lower() == self.catalog and table.db.lower() != self.schema:
                table.set("db", exp.to_identifier(self.schema, quoted=True))
            return
        if table.catalog.lower() != self.catalog:
            table.set("db", exp.to_identifier(f"{table.catalog}.{table.db}", quoted=True))
        table.set("catalog", None)

    def _column(self, scope: Scope, name: str) -> frozenset[Origin]:
        """Return what the values of a column of a query's result are made of. Raises _Untold."""
        key = (id(scope), name)
        if key not in self._values:
            self._values[key] = frozenset()  # a recursive one meets itself
            try:
                self._values[key] = self._of_column(scope, name)
            except _Untold as why:
                self._values[key] = why
        value = self._values[key]
        if isinstance(value, _Untold):
            raise value
        return value

    def _of_column(self, scope: Scope, name: str) -> frozenset[Origin]:
        from sqlglot import exp

        if isinstance(scope.expression, exp.SetOperation):
            return self._of_set(scope, name)
        if not isinstance(scope.expression, exp.Select):
            raise _Untold(f"what it reads is no SELECT: {scope.expression.key}")
        for one in scope.expression.selects:
            if one.alias_or_name.lower() == name and not one.is_star and not one.find(exp.Columns):
                return self._of_expression(scope, one)
        raise _Untold(_STAR)

    def _of_set(self, scope: Scope, name: str) -> frozenset[Origin]:
        """Return what a column of a UNION is made of: by its place in each part, or by its name."""
        names = _names(scope)
        if name not in names:
            raise _Untold(_STAR)
        parts: list[frozenset[Origin]] = []
        for part in scope.union_scopes:
            own = _names(part)
            if scope.expression.args.get("by_name"):
                parts += [self._column(part, name)] if name in own else []
            elif ROWS in own or len(own) != len(names):
                raise _Untold(_STAR)
            else:
                parts.append(self._column(part, own[names.index(name)]))
        return frozenset[Origin]().union(*parts)

    def _of_expression(self, scope: Scope, expression: exp.Expr) -> frozenset[Origin]:
        """Return all columns in an expression, those of queries in it included."""
        from sqlglot import exp
        from sqlglot.optimizer.scope import find_all_in_scope

        inner = {id(one.expression): one for one in scope.subquery_scopes}
        reads: set[Origin] = set()
        for column in _columns_in(expression):
            reads |= self._of_name(scope, column)
        for query in find_all_in_scope(expression, exp.Query):
            if id(query) in inner:
                reads |= self._of_inner(inner[id(query)])
        if isinstance(expression, exp.Query) and id(expression) in inner:
            reads |= self._of_inner(inner[id(expression)])
        return frozenset(reads)

    def _of_inner(self, scope: Scope) -> frozenset[Origin]:
        """Return what a query in an expression comes to: its columns, and what decides its rows."""
        values = (self._column(scope, name) for name in _names(scope) if name != ROWS)
        return frozenset[Origin]().union(*values, self._of_rows(scope))

    def _of_name(self, scope: Scope, column: exp.Column) -> frozenset[Origin]:
        """Return what a column's name in a query stands for. Raises _Untold."""
        from sqlglot import exp
        from sqlglot.optimizer.scope import Scope as ScopeType

        name, table = column.name.lower(), column.table
        source, within = scope.sources.get(table), scope
        while source is None and within.parent is not None:
            within = within.parent
            source = within.sources.get(table)
        if source is None and any(cte.alias == table for cte in _around(scope)):
            return frozenset()  # a recursive one reads itself
        if source is None:
            raise _Untold(f"which relation {name!r} is of cannot be told")
        if isinstance(source, ScopeType):
            if isinstance(source.expression, exp.UDTF):
                return self._of_function(within, source)
            return self._column(source, name)
        return self._of_relation(source, name)

    def _of_function(self, scope: Scope, source: Scope) -> frozenset[Origin]:
        """Return what UNNEST and the like are called with."""
        columns = [self._of_name(scope, column) for column in source.expression.find_all(_column_type())]
        return frozenset[Origin]().union(*columns)

    def _of_relation(self, table: exp.Expr, name: str) -> frozenset[Origin]:
        from sqlglot import exp

        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            raise _Untold("it comes from a function or a file")
        return frozenset({(_name(table, self.catalog, self.schema), name)})

    def _of_rows(self, scope: Scope) -> frozenset[Origin]:
        """Return what decides which rows a query has; what of that cannot be told is left out."""
        if id(scope) not in self._rows:
            self._rows[id(scope)] = frozenset()
            self._rows[id(scope)] = frozenset(self._rows_of(scope))
        return self._rows[id(scope)]

    def _rows_of(self, scope: Scope) -> Iterator[Origin]:
        from sqlglot import exp
        from sqlglot.optimizer.scope import Scope as ScopeType

        for part in scope.union_scopes:
            yield from self._of_rows(part)
        if not isinstance(scope.expression, exp.Select):
            return
        for clause in _clauses(scope.expression):
            yield from self._tellable(scope, clause)
        for source in scope.sources.values():
            if isinstance(source, ScopeType):
                yield from self._of_rows(source)
            elif isinstance(source.this, exp.Identifier):
                yield _name(source, self.catalog, self.schema), ROWS

    def _tellable(self, scope: Scope, clause: exp.Expr) -> Iterator[Origin]:
        inner = {id(one.expression): one for one in scope.subquery_scopes}
        for node in clause.walk(prune=lambda one: id(one) in inner):
            try:
                if id(node) in inner:
                    yield from self._of_inner(inner[id(node)])
                elif isinstance(node, _column_type()):
                    yield from self._of_name(scope, node)
            except _Untold as why:
                self._hidden.append(str(why))


def _column_type() -> type[exp.Column]:
    from sqlglot import exp

    return exp.Column


def _around(scope: Scope) -> Iterator[exp.Expr]:
    """Yield the common table expressions in which a query stands."""
    from sqlglot import exp

    within = scope.expression.find_ancestor(exp.CTE)
    while within is not None:
        yield within
        within = within.find_ancestor(exp.CTE)


def _names(scope: Scope) -> list[str]:
    """Return the names of a result's columns, in order."""
    names: list[str] = cast(Any, scope.expression).named_selects
    return [name.lower() for name in names]


def _columns_in(expression: exp.Expr) -> Iterable[exp.Column]:
    from sqlglot.optimizer.scope import find_all_in_scope

    return find_all_in_scope(expression, _column_type())


def _clauses(select: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the parts of a SELECT that decide which rows there are."""
    for key in ("where", "group", "having", "qualify", "distinct"):
        if clause := select.args.get(key):
            yield clause
    if select.args.get("limit") and select.args.get("order"):
        yield select.args["order"]
    for join in select.args.get("joins") or ():
        if on := join.args.get("on"):
            yield on


def _name(table: exp.Table, catalog: str, schema: str) -> Name:
    """Return a relation's name in lower case; one of another database has that one's name in its schema."""
    db = table.db.lower()
    if table.catalog and table.catalog.lower() != catalog:
        db = f"{table.catalog.lower()}.{db}"
    elif not table.catalog and db == catalog and db != schema:
        db = schema
    return Name(db or schema, table.name.lower())
