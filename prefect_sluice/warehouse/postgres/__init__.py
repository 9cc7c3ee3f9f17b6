"""PostgreSQL: so far what it calls what is asked of every engine."""
