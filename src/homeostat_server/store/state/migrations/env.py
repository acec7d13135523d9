"""What Alembic runs: the migrations, in the transaction that `upgrade.upgrade_state` has opened. Not for import."""

from alembic import context

from homeostat_server.store.state.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
