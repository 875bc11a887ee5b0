"""Former secrets, usage, audit, the vault, tools and idempotent answers."""

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
    for name in ("account", "subject", "asset"):
        op.create_index(
            f"ix_audit_entries_{name}",
            "audit_entries",
            ["tenant_id", f"{name}_id", "sequence"],
            unique=False,
            sqlite_where=sa.text(f"{name}_id IS NOT NULL"),
        )
    op.create_index(
        op.f("ix_audit_entries_tenant_id_created_at_sequence"),
        "audit_entries",
        ["tenant_id", "created_at", "sequence"],
        unique=False,
    )
    op.create_index("ix_audit_entries_event", "audit_entries", ["tenant_id", "event_type", "sequence"], unique=False)
    op.create_index("ix_audit_entries_actor", "audit_entries", ["tenant_id", "actor", "sequence"], unique=False)
    op.create_table(
        "idempotent_answers",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotent_answers")),
    )
    op.create_index(op.f("ix_idempotent_answers_created_at"), "idempotent_answers", ["created_at"], unique=False)
    op.create_index(op.f("ix_idempotent_answers_tenant_id"), "idempotent_answers", ["tenant_id"], unique=False)
    op.create_table(
        "usage_segments",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bytes_taken", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_usage_segments")),
    )
    op.create_table(
        "asset_passwords",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_asset_passwords_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_asset_passwords")),
    )
    op.create_table(
        "asset_sessions",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_asset_sessions_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_asset_sessions")),
    )
    op.create_index(op.f("ix_asset_sessions_expires_at"), "asset_sessions", ["expires_at"], unique=False)
    op.create_index(op.f("ix_asset_sessions_tenant_id"), "asset_sessions", ["tenant_id"], unique=False)
    op.create_table(
        "assets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_assets_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
        sa.UniqueConstraint("tenant_id", "path", name=op.f("uq_assets_tenant_id_path")),
    )
    op.create_index(op.f("ix_assets_tenant_id_id"), "assets", ["tenant_id", "id"], unique=False)
    op.create_index(op.f("ix_assets_tenant_id_sha256"), "assets", ["tenant_id", "sha256"], unique=False)
    op.create_table(
        "password_attempts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_password_attempts_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_attempts")),
    )
    op.create_index(
        op.f("ix_password_attempts_tenant_id_created_at"), "password_attempts", ["tenant_id", "created_at"], unique=False
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
        "usage_counters",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.Text(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_usage_counters_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "period", "starts_at", name=op.f("pk_usage_counters")),
    )
    op.create_table(
        "usage_events",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.Float(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_usage_events_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_usage_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_usage_events_created_at"), "usage_events", ["created_at"], unique=False)
    op.create_index(op.f("ix_usage_events_tenant_id_created_at"), "usage_events", ["tenant_id", "created_at"], unique=False)
    op.create_table(
        "asset_versions",
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], name=op.f("fk_asset_versions_asset_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_asset_versions_tenant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("asset_id", "version", name=op.f("pk_asset_versions")),
    )
    op.create_index(op.f("ix_asset_versions_tenant_id_sha256"), "asset_versions", ["tenant_id", "sha256"], unique=False)
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
    op.add_column("files", sa.Column("asset_id", sa.Text(), nullable=True))
    op.add_column("files", sa.Column("asset_path", sa.Text(), nullable=True))
    op.create_index(
        "ix_files_asset", "files", ["tenant_id", "asset_id"], unique=False, sqlite_where=sa.text("asset_id IS NOT NULL")
    )
    op.create_index(
        "ix_files_synced", "files", ["tenant_id", "asset_path"], unique=False, sqlite_where=sa.text("asset_path IS NOT NULL")
    )
    op.add_column("messages", sa.Column("tool_calls", sa.Text(), nullable=True))
    op.add_column("operations", sa.Column("kind", sa.Text(), server_default="upload", nullable=False))
    op.add_column("operations", sa.Column("report", sa.Text(), nullable=True))
    op.add_column("stores", sa.Column("settings", sa.Text(), nullable=True))
    op.add_column("tenants", sa.Column("limits", sa.Text(), nullable=True))
