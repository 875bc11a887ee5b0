"""Every table, declared once, in one module a purpose; migrations bring a database to this shape.

What must stay true: types and constraints are ones that SQLite and PostgreSQL share, and every tenant's row names its tenant.
Times are RFC 3339 texts in UTC, ids UUID texts of version 7, lists and objects JSON texts.
"""

from tenantai.storage.schema.chats import conversations, messages, tool_approvals, tools
from tenantai.storage.schema.declaring import is_declared, metadata
from tenantai.storage.schema.documents import chunks, file_texts, files, operations, stores, vectors
from tenantai.storage.schema.estimating import estimate_pictures, estimates
from tenantai.storage.schema.records import audit_chains, audit_entries, usage_counters, usage_events, usage_segments
from tenantai.storage.schema.tenancy import accounts, api_keys, former_secrets, idempotent_answers, tenants
from tenantai.storage.schema.vault import asset_passwords, asset_sessions, asset_versions, assets, password_tries

__all__ = [
    "accounts",
    "api_keys",
    "asset_passwords",
    "asset_sessions",
    "asset_versions",
    "assets",
    "audit_chains",
    "audit_entries",
    "chunks",
    "conversations",
    "estimate_pictures",
    "estimates",
    "file_texts",
    "files",
    "former_secrets",
    "idempotent_answers",
    "is_declared",
    "messages",
    "metadata",
    "operations",
    "password_tries",
    "stores",
    "tenants",
    "tool_approvals",
    "tools",
    "usage_counters",
    "usage_events",
    "usage_segments",
    "vectors",
]
