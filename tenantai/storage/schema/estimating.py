"""Estimates and their pictures."""

import sqlalchemy as sa

from tenantai.storage.schema.declaring import metadata, partial_index, tenant_column

estimates = sa.Table(
    "estimates",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    tenant_column(),
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
    partial_index("ix_estimates_running", "status", where="status = 'running'"),
)

estimate_pictures = sa.Table(
    "estimate_pictures",
    metadata,
    sa.Column("estimate_id", sa.Text, sa.ForeignKey("estimates.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("image", sa.Integer, primary_key=True),
    tenant_column(),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("problem", sa.Text),
    sa.Index(None, "tenant_id", "sha256"),
)
