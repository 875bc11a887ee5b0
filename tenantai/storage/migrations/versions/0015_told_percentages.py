"""How far an operation was last told to be, which no later start goes back behind."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Begin with nothing told."""
    op.add_column("operations", sa.Column("percentages", sa.Text()))
