"""The tables of analytics: the logs that flow in from the database, and usage added up by the hour.

What must stay true: how far a log was taken is a row beside what was taken, and changes with it in one transaction; the hours'
sums are those of the events.
"""

from dataclasses import dataclass
from typing import Literal

from tenantai.storage.audit import Entry
from tenantai.storage.usage import UsageEvent

VERSION = 1

LogName = Literal["usage", "audit"]


@dataclass(frozen=True, slots=True)
class Log:
    """A log of the database: its table, its columns in their order, and those that hold numbers."""

    name: LogName
    table: str
    columns: tuple[str, ...]
    numbers: frozenset[str]
    summed: tuple[str, ...]

    @property
    def listed(self) -> str:
        """The columns as SQL lists them."""
        return ", ".join(self.columns)


COUNTS = ("requests", "refused", "input_tokens", "output_tokens")
USAGE = Log("usage", "usage_events", ("number", *UsageEvent.__slots__), frozenset({"number", "status", *COUNTS}), COUNTS)
AUDIT = Log("audit", "audit_entries", ("number", *Entry.__slots__), frozenset({"number", "sequence"}), ("sequence",))
LOGS = {log.name: log for log in (USAGE, AUDIT)}

GROUPS = {"endpoint": "endpoint", "key": "key_id", "account": "account_id", "model": "model", "status": "status"}
HOUR = f"tenant_id, date_trunc('hour', created_at) AS begins, {', '.join(GROUPS.values())}"
SUMS = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in COUNTS)

TABLES = f"""
CREATE TABLE IF NOT EXISTS layout (number INTEGER);
INSERT INTO layout SELECT {VERSION} WHERE NOT EXISTS (SELECT * FROM layout);
CREATE TABLE IF NOT EXISTS cursors (log VARCHAR, number BIGINT, moment VARCHAR);
INSERT INTO cursors SELECT log, 0, NULL FROM (VALUES ('usage'), ('audit'), ('hours')) AS logs (log)
    WHERE NOT EXISTS (SELECT * FROM cursors);
CREATE TABLE IF NOT EXISTS archives (log VARCHAR, month VARCHAR, row_count BIGINT, through BIGINT);
CREATE TABLE IF NOT EXISTS usage_events (
    number BIGINT, tenant_id VARCHAR, created_at TIMESTAMP, endpoint VARCHAR, key_id VARCHAR, account_id VARCHAR,
    model VARCHAR, status INTEGER, requests BIGINT, refused BIGINT, input_tokens BIGINT, output_tokens BIGINT
);
CREATE TABLE IF NOT EXISTS usage_hours (
    tenant_id VARCHAR, begins TIMESTAMP, endpoint VARCHAR, key_id VARCHAR, account_id VARCHAR,
    model VARCHAR, status INTEGER, requests BIGINT, refused BIGINT, input_tokens BIGINT, output_tokens BIGINT
);
CREATE TABLE IF NOT EXISTS audit_entries (
    number BIGINT, id VARCHAR, tenant_id VARCHAR, sequence BIGINT, event_type VARCHAR, actor VARCHAR, key_id VARCHAR,
    account_id VARCHAR, address VARCHAR, request_id VARCHAR, subject_id VARCHAR, asset_id VARCHAR, details VARCHAR,
    created_at VARCHAR, previous_hash VARCHAR, hash VARCHAR
);
"""
