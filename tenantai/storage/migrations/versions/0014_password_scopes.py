"""What a password of the Asset Manager grants: no more than who set it had."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let those that are set keep the whole vault, which they opened."""
    whole = sa.text("'file:read file:upload file:delete'")
    op.add_column("asset_passwords", sa.Column("scopes", sa.Text(), nullable=False, server_default=whole))
