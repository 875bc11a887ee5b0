"""An index that finds the newest operation with a file of an account."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "ix_files_newest", "files", ["tenant_id", "account_id", "operation_id"], sqlite_where=sa.text("state != 'deleting'")
    )
