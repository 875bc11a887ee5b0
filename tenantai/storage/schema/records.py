"""What is written down of everyone: the audit log, and what was used."""

import sqlalchemy as sa

from tenantai.storage.schema.declaring import metadata, partial_index

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
    partial_index("ix_audit_entries_account", "tenant_id", "account_id", "sequence", where="account_id IS NOT NULL"),
    partial_index("ix_audit_entries_subject", "tenant_id", "subject_id", "sequence", where="subject_id IS NOT NULL"),
    partial_index("ix_audit_entries_asset", "tenant_id", "asset_id", "sequence", where="asset_id IS NOT NULL"),
    sa.Index(None, "tenant_id", "created_at", "sequence"),
    partial_index("ix_audit_entries_alerts", "created_at", where="event_type = 'usage.alert'"),
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
