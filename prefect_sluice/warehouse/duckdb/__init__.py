"""DuckDB: one file that serves, side files to build in."""
