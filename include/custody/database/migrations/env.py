"""How Alembic runs: on the connection that it is given, in the schema ``custody``."""

from alembic import context
from sqlalchemy import text

from custody.database.every_table import metadata  # with those of ``tables``, which it adds to

connection = context.config.attributes["connection"]
connection.execute(text("CREATE SCHEMA IF NOT EXISTS custody"))
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table_schema="custody",
    include_schemas=True,
    include_name=lambda name, kind, parents: kind != "schema" or name == "custody",
)
with context.begin_transaction():
    context.run_migrations()
