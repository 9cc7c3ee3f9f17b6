"""dbt behind a port: `port.py` says what is asked of it, `core/` answers by dbt-core in this process."""
