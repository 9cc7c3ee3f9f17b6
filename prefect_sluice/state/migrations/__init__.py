"""How the tables of the state store came to be: Alembic runs `versions` in order."""
