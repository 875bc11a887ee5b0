"""Every table, declared once; migrations bring a database to this shape.

What must stay true: types and constraints are ones that SQLite and PostgreSQL share, and every tenant's row names its tenant.
Times are RFC 3339 texts in UTC, ids UUID texts of version 7, lists and objects JSON texts.
"""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def is_declared(name: str | None, kind: str, _parents: object) -> bool:
    """Whether Alembic may compare it: FTS5 keeps tables of its own beside the full-text one, which SQL makes."""
    return not (kind == "table" and name is not None and name.startswith("full_text"))


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False)


tenants = sa.Table(
    "tenants",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("limits", sa.Text),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.Column("erased_at", sa.Text),
    sa.Index("ix_tenants_erased", "erased_at", sqlite_where=sa.text("erased_at IS NOT NULL")),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.UniqueConstraint("tenant_id", "external_id"),
    sa.Index(None, "tenant_id", "id"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id", ondelete="CASCADE")),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("secret_sha256", sa.Text, nullable=False, unique=True),
    sa.Column("first_characters", sa.Text, nullable=False),
    sa.Column("last_characters", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Text),
    sa.Column("revoked_at", sa.Text),
    sa.Column("last_used_at", sa.Text),
    sa.Index(None, "tenant_id", "id"),
    sa.Index(None, "account_id"),
)

former_secrets = sa.Table(
    "former_secrets",
    metadata,
    sa.Column("secret_sha256", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("key_id", sa.Text, sa.ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
    sa.Column("works_until", sa.Text, nullable=False),
    sa.Index(None, "tenant_id"),
    sa.Index(None, "key_id"),
    sa.Index(None, "works_until"),
)

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id", ondelete="CASCADE")),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("message_count", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.Index(None, "tenant_id", "updated_at", "id"),
    sa.Index(None, "tenant_id", "account_id", "updated_at", "id"),
    sa.Index(None, "account_id"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("citations", sa.Text, nullable=False),
    sa.Column("model", sa.Text),
    sa.Column("input_tokens", sa.Integer),
    sa.Column("output_tokens", sa.Integer),
    sa.Column("tool_calls", sa.Text),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Index(None, "conversation_id", "id"),
    sa.Index(None, "tenant_id"),
    sa.Index("ix_messages_streaming", "status", sqlite_where=sa.text("status = 'streaming'")),
)

operations = sa.Table(
    "operations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("total_files", sa.Integer, nullable=False),
    sa.Column("processed_files", sa.Integer, nullable=False),
    sa.Column("failed_files", sa.Integer, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("finished_at", sa.Text),
    sa.Column("kind", sa.Text, nullable=False, server_default="index"),
    sa.Column("asset_ids", sa.Text),
    sa.Column("report", sa.Text),
    sa.Index(None, "tenant_id", "id"),
    sa.Index("ix_operations_open", "status", sqlite_where=sa.text("status = 'in_progress'")),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id")),
    sa.Column("operation_id", sa.Text, sa.ForeignKey("operations.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("excluded", sa.Boolean, nullable=False),
    sa.Column("error_code", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("page_count", sa.Integer),
    sa.Column("chunk_count", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.Column("asset_id", sa.Text),
    sa.Column("asset_path", sa.Text),
    sa.Index(None, "tenant_id", "id"),
    sa.Index(None, "tenant_id", "sha256"),
    sa.Index("uq_files_live", "tenant_id", "account_id", "sha256", unique=True, sqlite_where=sa.text("state != 'deleting'")),
    sa.Index("ix_files_newest", "tenant_id", "account_id", "operation_id", sqlite_where=sa.text("state != 'deleting'")),
    sa.Index(None, "account_id", "id"),
    sa.Index(None, "state", "tenant_id", "id"),
    sa.Index(None, "operation_id", "state"),
    sa.Index(
        "uq_files_synced",
        "tenant_id",
        "asset_path",
        "sha256",
        unique=True,
        sqlite_where=sa.text("asset_path IS NOT NULL AND state != 'deleting'"),
    ),
    sa.Index("ix_files_asset", "tenant_id", "asset_id", sqlite_where=sa.text("asset_id IS NOT NULL AND state != 'deleting'")),
)

file_texts = sa.Table(
    "file_texts",
    metadata,
    sa.Column("file_id", sa.Text, sa.ForeignKey("files.id", ondelete="CASCADE"), primary_key=True),
    _tenant(),
    sa.Column("text", sa.Text, nullable=False),
    sa.Index(None, "tenant_id"),
)

chunks = sa.Table(
    "chunks",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    _tenant(),
    sa.Column("file_id", sa.Text, sa.ForeignKey("files.id"), nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("page", sa.Integer),
    sa.Column("heading", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("anatomy", sa.Text, nullable=False),
    sa.Column("word_count", sa.Integer, nullable=False),
    sa.UniqueConstraint("file_id", "ordinal"),
    sa.Index(None, "tenant_id"),
    sqlite_autoincrement=True,
)

vectors = sa.Table(
    "vectors",
    metadata,
    sa.Column("chunk_number", sa.Integer, sa.ForeignKey("chunks.number", ondelete="CASCADE"), primary_key=True),
    _tenant(),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Index(None, "tenant_id"),
)

stores = sa.Table(
    "stores",
    metadata,
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("settings", sa.Text),
)

audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text),
    sa.Column("account_id", sa.Text),
    sa.Column("address", sa.Text),
    sa.Column("request_id", sa.Text),
    sa.Column("subject_id", sa.Text),
    sa.Column("asset_id", sa.Text),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.UniqueConstraint("tenant_id", "sequence"),
    sa.Index("ix_audit_entries_event", "tenant_id", "event_type", "sequence"),
    sa.Index("ix_audit_entries_actor", "tenant_id", "actor", "sequence"),
    sa.Index("ix_audit_entries_account", "tenant_id", "account_id", "sequence", sqlite_where=sa.text("account_id IS NOT NULL")),
    sa.Index("ix_audit_entries_subject", "tenant_id", "subject_id", "sequence", sqlite_where=sa.text("subject_id IS NOT NULL")),
    sa.Index("ix_audit_entries_asset", "tenant_id", "asset_id", "sequence", sqlite_where=sa.text("asset_id IS NOT NULL")),
    sa.Index(None, "tenant_id", "created_at", "sequence"),
    sa.Index("ix_audit_entries_alerts", "created_at", sqlite_where=sa.text("event_type = 'usage.alert'")),
    sqlite_autoincrement=True,
)

audit_chains = sa.Table(
    "audit_chains",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("last_sequence", sa.Integer, nullable=False),
    sa.Column("last_hash", sa.Text, nullable=False),
    sa.Column("kept_after_sequence", sa.Integer, nullable=False),
    sa.Column("kept_after_hash", sa.Text, nullable=False),
)

tools = sa.Table(
    "tools",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("signing_secret", sa.Text, nullable=False),
    sa.Column("timeout_seconds", sa.Float, nullable=False),
    sa.Column("approval", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.UniqueConstraint("tenant_id", "name"),
    sa.Index(None, "tenant_id", "id"),
)

tool_approvals = sa.Table(
    "tool_approvals",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("tool_call_id", sa.Text, nullable=False),
    sa.Column("tool_name", sa.Text, nullable=False),
    sa.Column("arguments", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Text, nullable=False),
    sa.Column("decided_at", sa.Text),
    sa.Index(None, "conversation_id", "id"),
    sa.Index(None, "tenant_id"),
)

usage_events = sa.Table(
    "usage_events",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("refused", sa.Integer, nullable=False),
    sa.Column("input_tokens", sa.Integer, nullable=False),
    sa.Column("output_tokens", sa.Integer, nullable=False),
    sa.Index(None, "tenant_id", "created_at"),
    sa.Index(None, "created_at"),
    sqlite_autoincrement=True,
)

usage_counters = sa.Table(
    "usage_counters",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("starts_on", sa.Text, primary_key=True),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("tokens", sa.Integer, nullable=False),
)

usage_segments = sa.Table(
    "usage_segments",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("bytes_taken", sa.Integer, nullable=False),
    sa.Column("second", sa.Integer, nullable=False),
)

assets = sa.Table(
    "assets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.UniqueConstraint("tenant_id", "path"),
    sa.Index(None, "tenant_id", "id"),
)

asset_versions = sa.Table(
    "asset_versions",
    metadata,
    sa.Column("asset_id", sa.Text, sa.ForeignKey("assets.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    _tenant(),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Index(None, "tenant_id", "sha256"),
)

estimates = sa.Table(
    "estimates",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.id", ondelete="CASCADE")),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("input_tokens", sa.Integer, nullable=False),
    sa.Column("output_tokens", sa.Integer, nullable=False),
    sa.Column("item_count", sa.Integer, nullable=False),
    sa.Column("volume_m3", sa.Float, nullable=False),
    sa.Column("weight_kg", sa.Float, nullable=False),
    sa.Column("report", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("approved_at", sa.Text),
    sa.Column("approved_by", sa.Text),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.Index(None, "tenant_id", "id"),
    sa.Index(None, "tenant_id", "account_id", "id"),
    sa.Index(None, "account_id"),
    sa.Index("ix_estimates_running", "status", sqlite_where=sa.text("status = 'running'")),
)

estimate_pictures = sa.Table(
    "estimate_pictures",
    metadata,
    sa.Column("estimate_id", sa.Text, sa.ForeignKey("estimates.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("image", sa.Integer, primary_key=True),
    _tenant(),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("problem", sa.Text),
    sa.Index(None, "tenant_id", "sha256"),
)

asset_passwords = sa.Table(
    "asset_passwords",
    metadata,
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("changed_at", sa.Text, nullable=False),
)

asset_sessions = sa.Table(
    "asset_sessions",
    metadata,
    sa.Column("token_sha256", sa.Text, primary_key=True),
    _tenant(),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Text, nullable=False),
    sa.Index(None, "tenant_id"),
    sa.Index(None, "expires_at"),
)

password_tries = sa.Table(
    "password_tries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Index(None, "tenant_id", "kind", "created_at"),
    sa.Index(None, "created_at"),
)

idempotent_answers = sa.Table(
    "idempotent_answers",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("key_sha256", sa.Text, primary_key=True),
    sa.Column("request_sha256", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Index(None, "created_at"),
    sa.Index("ix_idempotent_answers_claimed", "status", sqlite_where=sa.text("status IS NULL")),
)
