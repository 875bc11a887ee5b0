"""A tenant's newest operation of a kind."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Find the last sync among however many operations."""
    op.create_index("ix_operations_tenant_id_kind_id", "operations", ["tenant_id", "kind", "id"], unique=False)
