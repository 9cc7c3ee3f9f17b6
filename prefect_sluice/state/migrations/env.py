"""What Alembic runs: the migrations, on the connection and in the transaction that `migrate` opened."""

from __future__ import annotations

from alembic import context

from prefect_sluice.state.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # Alembic thinks that SQLite cannot; with our BEGIN it can
)
with context.begin_transaction():
    context.run_migrations()
