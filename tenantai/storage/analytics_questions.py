"""What tenants ask of analytics: usage over time, and exports of events.

What must stay true: every question names its tenant, and sees that one's rows only; no text of a request becomes part of SQL.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import BinaryIO, Literal

from tenantai.errors import NotReady
from tenantai.identifiers import new_id
from tenantai.storage.analytics import Analytics, Session, literal
from tenantai.storage.analytics_archives import registered
from tenantai.storage.analytics_tables import AUDIT, GROUPS, USAGE, Log

Interval = Literal["hour", "day", "month"]
Group = Literal["endpoint", "key", "account", "model", "status"]
Form = Literal["csv", "jsonl", "parquet"]

FORMS = {"csv": "FORMAT csv, HEADER", "jsonl": "FORMAT json", "parquet": "FORMAT parquet, COMPRESSION zstd"}
FORMULA = r"'^[=+\-@\t\r]'"
BEHIND = "Analytics do not have all of these entries yet. Try again later, or take another format."
TIME = "strftime(created_at, '%Y-%m-%dT%H:%M:%S.%gZ')"
MEASURES = """
    sum(requests)::BIGINT AS requests, coalesce(sum(requests) FILTER (status >= 400), 0)::BIGINT AS errors,
    sum(refused)::BIGINT AS refused, sum(input_tokens)::BIGINT AS tokens_in, sum(output_tokens)::BIGINT AS tokens_out
"""
BUCKET = """json_object(
    'start', strftime(begins, '%Y-%m-%dT%H:%M:%S.000Z'), 'group', part, 'requests', requests, 'errors', errors,
    'refused', refused, 'inputTokens', tokens_in, 'outputTokens', tokens_out, 'totalTokens', tokens_in + tokens_out
)::VARCHAR"""


def history(
    session: Session,
    tenant_id: str,
    *,
    interval: Interval,
    group_by: Group | None,
    since: datetime,
    until: datetime,
    account_id: str | None,
    bucket_count: int,
) -> tuple[int, str]:
    """Return how many buckets a span has, and up to so many of them in order as a JSON list of `wire.UsageBucket`.

    DuckDB writes the JSON: making it of Python's objects would hold the interpreter for tens of milliseconds. Where the span has
    more buckets, the count is one more than was asked for.
    """
    group = f"{GROUPS[group_by]}::VARCHAR" if group_by else "NULL::VARCHAR"
    count, buckets = session.one(
        f"""
        WITH found AS (
            SELECT date_trunc('{interval}', usage_hours.begins) AS begins, {group} AS part, {MEASURES} FROM usage_hours
            WHERE tenant_id = $tenant AND usage_hours.begins >= $since AND usage_hours.begins < $until
                AND ($account IS NULL OR account_id = $account)
            GROUP BY ALL LIMIT {int(bucket_count) + 1}
        )
        SELECT count(*), string_agg({BUCKET}, ',' ORDER BY begins, part NULLS FIRST) FROM found
        """,
        tenant=tenant_id,
        since=since,
        until=until,
        account=account_id,
    )
    return int(count), f"[{buckets or ''}]"


def export_usage(
    analytics: Analytics,
    session: Session,
    tenant_id: str,
    *,
    form: Form,
    since: str | None,
    until: str | None,
    account_id: str | None,
) -> BinaryIO:
    """Return a file with a tenant's events from a time up to before another, oldest first; it is gone once it is closed."""
    conditions = _given(
        (
            ("created_at >= TIMESTAMP {}", _bare(since)),
            ("created_at < TIMESTAMP {}", _bare(until)),
            ("account_id = {}", account_id),
        )
    )
    columns = ["created_at", *(name for name in USAGE.columns if name not in {"number", "tenant_id", "created_at"})]
    return _export(
        analytics, session, tenant_id, log=USAGE, form=form, columns=columns, order="created_at, number", conditions=conditions
    )


def export_audit(
    analytics: Analytics,
    session: Session,
    tenant_id: str,
    *,
    above: int,
    below: int,
    equal: Sequence[tuple[str, str]],
    events: Sequence[str],
) -> BinaryIO:
    """Return a Parquet file with a tenant's entries between two sequences, both left out, in the order of their chain.

    `equal` are columns with their value, `events` the types wanted where not all are.
    """
    _refuse_behind(analytics, session, tenant_id, above=above, below=below)
    conditions = [f"sequence > {int(above)}", f"sequence < {int(below)}"]
    conditions += _given([(f"{name} = {{}}", value) for name, value in equal if name in AUDIT.columns])
    if events:
        conditions.append(f"event_type IN ({', '.join(map(literal, events))})")
    columns = [name for name in AUDIT.columns if name != "number"]
    return _export(
        analytics, session, tenant_id, log=AUDIT, form="parquet", columns=columns, order="sequence", conditions=conditions
    )


def _refuse_behind(analytics: Analytics, session: Session, tenant_id: str, *, above: int, below: int) -> None:
    """Raise NotReady where analytics don't have a chain as far as is asked for."""
    (last,) = session.one(
        f"SELECT coalesce(max(sequence), 0) FROM {_everywhere(analytics, session, AUDIT)} WHERE tenant_id = $tenant",
        tenant=tenant_id,
    )
    if last < below - 1 and below - 1 > above:
        raise NotReady(BEHIND)


def _export(
    analytics: Analytics,
    session: Session,
    tenant_id: str,
    *,
    log: Log,
    form: Form,
    columns: Sequence[str],
    order: str,
    conditions: Sequence[str],
) -> BinaryIO:
    """Write a file outside of anyone's sight, and return it open; its name is gone already."""
    path = analytics.scratch / f"{new_id()}.{form}"
    shown = ", ".join(_shown(name, log, form) for name in columns)
    where = " AND ".join((f"tenant_id = {literal(tenant_id)}", *conditions))
    try:
        with session.transaction():
            rows = f"SELECT {shown} FROM {_everywhere(analytics, session, log)} WHERE {where} ORDER BY {order}"
            session.rows(f"COPY ({rows}) TO {literal(str(path))} ({FORMS[form]})")
        path.chmod(0o600)
        return path.open("rb")
    finally:
        path.unlink(missing_ok=True)


def _everywhere(analytics: Analytics, session: Session, log: Log) -> str:
    """Return a log's rows wherever they are, as SQL reads them."""
    sources = [log.table, *(archive.source(analytics) for archive in registered(session, log))]
    return f"({' UNION ALL '.join(f'SELECT {log.listed} FROM {source}' for source in sources)})"


def _shown(name: str, log: Log, form: Form) -> str:
    """Return a column as a file shows it: in a CSV no cell is a formula to a spreadsheet."""
    if form != "parquet" and log is USAGE and name == "created_at":
        return f"{TIME} AS created_at"
    if form == "csv" and name not in log.numbers:
        return f"CASE WHEN regexp_matches({name}, {FORMULA}) THEN '''' || {name} ELSE {name} END AS {name}"
    return name


def _given(conditions: Sequence[tuple[str, str | None]]) -> list[str]:
    """Return the conditions whose value is given, with it as SQL has it; COPY takes no parameters."""
    return [condition.format(literal(value)) for condition, value in conditions if value is not None]


def _bare(moment: str | None) -> str | None:
    """Return a time without its zone, which is UTC."""
    return None if moment is None else moment.rstrip("Z")
