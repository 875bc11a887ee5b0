"""Alembic's entry: runs the migrations on the connection that `tenantai.storage.migrating` hands over."""

from alembic import context

from tenantai.storage.schema import is_declared, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_name=is_declared,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
