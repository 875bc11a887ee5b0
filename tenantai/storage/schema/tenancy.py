"""Tenants, their accounts and API keys, and answers that are given again to whoever sends a request twice."""

import sqlalchemy as sa

from tenantai.storage.schema.declaring import metadata, partial_index, tenant_column

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
    partial_index("ix_tenants_erased", "erased_at", where="erased_at IS NOT NULL"),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    tenant_column(),
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
    tenant_column(),
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
    tenant_column(),
    sa.Column("key_id", sa.Text, sa.ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
    sa.Column("works_until", sa.Text, nullable=False),
    sa.Index(None, "tenant_id"),
    sa.Index(None, "key_id"),
    sa.Index(None, "works_until"),
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
    partial_index("ix_idempotent_answers_claimed", "status", where="status IS NULL"),
)
