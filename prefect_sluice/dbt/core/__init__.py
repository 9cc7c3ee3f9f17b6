"""dbt-core behind the port of dbt: the only package that knows its Python objects. See docs/decisions/0063-port-of-dbt.md."""
