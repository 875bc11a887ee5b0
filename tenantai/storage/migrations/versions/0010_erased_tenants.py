"""When a tenant was deleted, while what it had is being erased."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it."""
    op.add_column("tenants", sa.Column("erased_at", sa.Text(), nullable=True))
    op.create_index("ix_tenants_erased", "tenants", ["erased_at"], unique=False, sqlite_where=sa.text("erased_at IS NOT NULL"))
