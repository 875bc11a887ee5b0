"""Former secrets and last uses of keys, the audit log, functions and their approvals."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "audit_chains",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("last_sequence", sa.Integer(), nullable=False),
        sa.Column("last_hash", sa.Text(), nullable=False),
        sa.Column("kept_after_sequence", sa.Integer(), nullable=False),
        sa.Column("kept_after_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_audit_chains")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("asset_id", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_entries")),
        sa.UniqueConstraint("id", name=op.f("uq_audit_entries_id")),
        sa.UniqueConstraint("tenant_id", "sequence", name=op.f("uq_audit_entries_tenant_id_sequence")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_audit_entries_account",
        "audit_entries",
        ["tenant_id", "account_id", "sequence"],
        unique=False,
        sqlite_where=sa.text("account_id IS NOT NULL"),
    )
    op.create_index("ix_audit_entries_actor", "audit_entries", ["tenant_id", "actor", "sequence"], unique=False)
    op.create_index(
        "ix_audit_entries_asset",
        "audit_entries",
        ["tenant_id", "asset_id", "sequence"],
        unique=False,
        sqlite_where=sa.text("asset_id IS NOT NULL"),
    )
    op.create_index("ix_audit_entries_event", "audit_entries", ["tenant_id", "event_type", "sequence"], unique=False)
    op.create_index(
        "ix_audit_entries_subject",
        "audit_entries",
        ["tenant_id", "subject_id", "sequence"],
        unique=False,
        sqlite_where=sa.text("subject_id IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_audit_entries_tenant_id_created_at_sequence"),
        "audit_entries",
        ["tenant_id", "created_at", "sequence"],
        unique=False,
    )
    op.create_table(
        "tools",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("signing_secret", sa.Text(), nullable=False),
        sa.Column("timeout_seconds", sa.Float(), nullable=False),
        sa.Column("approval", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tools_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tools")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_tools_tenant_id_name")),
    )
    op.create_index(op.f("ix_tools_tenant_id_id"), "tools", ["tenant_id", "id"], unique=False)
    op.create_table(
        "former_secrets",
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("works_until", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_former_secrets_key_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_former_secrets_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("secret_sha256", name=op.f("pk_former_secrets")),
    )
    op.create_index(op.f("ix_former_secrets_key_id"), "former_secrets", ["key_id"], unique=False)
    op.create_index(op.f("ix_former_secrets_tenant_id"), "former_secrets", ["tenant_id"], unique=False)
    op.create_index(op.f("ix_former_secrets_works_until"), "former_secrets", ["works_until"], unique=False)
    op.create_table(
        "tool_approvals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("tool_call_id", sa.Text(), nullable=False),
        sa.Column("tool_name", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_tool_approvals_conversation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tool_approvals_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tool_approvals")),
    )
    op.create_index(op.f("ix_tool_approvals_conversation_id_id"), "tool_approvals", ["conversation_id", "id"], unique=False)
    op.create_index(op.f("ix_tool_approvals_tenant_id"), "tool_approvals", ["tenant_id"], unique=False)
    op.add_column("api_keys", sa.Column("last_used_at", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("tool_calls", sa.Text(), nullable=True))
