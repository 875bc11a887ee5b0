"""The store: files, their text in pieces with its vectors, and the operations that read them."""

import sqlalchemy as sa

from tenantai.storage.schema.declaring import metadata, partial_index, tenant_column

operations = sa.Table(
    "operations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    tenant_column(),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("total_files", sa.Integer, nullable=False),
    sa.Column("processed_files", sa.Integer, nullable=False),
    sa.Column("failed_files", sa.Integer, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("finished_at", sa.Text),
    sa.Column("kind", sa.Text, nullable=False, server_default="index"),
    sa.Column("asset_ids", sa.Text),
    sa.Column("report", sa.Text),
    sa.Column("percentages", sa.Text),
    sa.Index(None, "tenant_id", "id"),
    sa.Index(None, "tenant_id", "kind", "id"),
    partial_index("ix_operations_open", "status", where="status = 'in_progress'"),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    tenant_column(),
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
    partial_index("uq_files_live", "tenant_id", "account_id", "sha256", where="state != 'deleting'", unique=True),
    partial_index("ix_files_newest", "tenant_id", "account_id", "operation_id", where="state != 'deleting'"),
    sa.Index(None, "account_id", "id"),
    sa.Index(None, "state", "tenant_id", "id"),
    sa.Index(None, "operation_id", "state"),
    partial_index(
        "uq_files_synced",
        "tenant_id",
        "asset_path",
        "sha256",
        where="asset_path IS NOT NULL AND state != 'deleting'",
        unique=True,
    ),
    partial_index("ix_files_asset", "tenant_id", "asset_id", where="asset_id IS NOT NULL AND state != 'deleting'"),
)

file_texts = sa.Table(
    "file_texts",
    metadata,
    sa.Column("file_id", sa.Text, sa.ForeignKey("files.id", ondelete="CASCADE"), primary_key=True),
    tenant_column(),
    sa.Column("text", sa.Text, nullable=False),
    sa.Index(None, "tenant_id"),
)

chunks = sa.Table(
    "chunks",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    tenant_column(),
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
    tenant_column(),
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
