"""What a query's columns are made of, proven from its text. DuckDB's grammar only."""
