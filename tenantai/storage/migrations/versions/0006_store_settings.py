"""How a tenant's answers cite and what they are made from."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them."""
    op.add_column("stores", sa.Column("settings", sa.Text))
