"""Files that stand for an asset of the vault, and operations that sync a store with it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SYNCED = "asset_path IS NOT NULL AND state != 'deleting'"
OF_ASSET = "asset_id IS NOT NULL AND state != 'deleting'"


def upgrade() -> None:
    """Add them."""
    for name in ("asset_id", "asset_path"):
        op.add_column("files", sa.Column(name, sa.Text))
    op.add_column("operations", sa.Column("kind", sa.Text, nullable=False, server_default="index"))
    for name in ("asset_ids", "report"):
        op.add_column("operations", sa.Column(name, sa.Text))
    op.create_index("uq_files_synced", "files", ["tenant_id", "asset_path", "sha256"], unique=True, sqlite_where=sa.text(SYNCED))
    op.create_index("ix_files_asset", "files", ["tenant_id", "asset_id"], sqlite_where=sa.text(OF_ASSET))
