"""The vault: assets with their versions, and what opens the Asset Manager."""

import sqlalchemy as sa

from tenantai.storage.schema.declaring import metadata, tenant_column

assets = sa.Table(
    "assets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    tenant_column(),
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
    tenant_column(),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Index(None, "tenant_id", "sha256"),
)

asset_passwords = sa.Table(
    "asset_passwords",
    metadata,
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("changed_at", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
)

asset_sessions = sa.Table(
    "asset_sessions",
    metadata,
    sa.Column("token_sha256", sa.Text, primary_key=True),
    tenant_column(),
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
