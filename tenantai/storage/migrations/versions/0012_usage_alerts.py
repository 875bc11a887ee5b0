"""The newest alerts of all tenants, for the operator."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index them alone: they are a few among millions of entries."""
    where = sa.text("event_type = 'usage.alert'")
    op.create_index("ix_audit_entries_alerts", "audit_entries", ["created_at"], unique=False, sqlite_where=where)
