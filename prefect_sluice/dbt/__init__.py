"""dbt, driven in process. The only package that imports it."""
