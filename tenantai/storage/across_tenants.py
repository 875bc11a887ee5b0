"""The few questions that no tenant asks: whose key this is, what the queue does next, what a crash left behind.

This is the only module of storage whose functions name no tenant; nothing here returns one tenant's text to another.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tenantai.storage import api_keys, files, operations, tenants
from tenantai.storage.api_keys import ApiKey
from tenantai.storage.database import Reading, Transaction, compiled, insert
from tenantai.storage.files import File
from tenantai.storage.operations import Operation
from tenantai.storage.schema import api_keys as api_keys_table
from tenantai.storage.schema import asset_passwords as passwords_table
from tenantai.storage.schema import asset_sessions as sessions_table
from tenantai.storage.schema import conversations as conversations_table
from tenantai.storage.schema import estimates as estimates_table
from tenantai.storage.schema import files as files_table
from tenantai.storage.schema import former_secrets as former_table
from tenantai.storage.schema import idempotent_answers as idempotent_table
from tenantai.storage.schema import messages as messages_table
from tenantai.storage.schema import metadata
from tenantai.storage.schema import operations as operations_table
from tenantai.storage.schema import password_tries as tries_table
from tenantai.storage.schema import tenants as tenants_table
from tenantai.storage.schema import usage_counters as counters_table
from tenantai.storage.schema import usage_events as events_table
from tenantai.storage.schema import usage_segments as segments_table
from tenantai.storage.schema import vectors as vectors_table
from tenantai.storage.tenants import Tenant
from tenantai.storage.usage import Used


@dataclass(frozen=True, slots=True)
class Alert:
    """A mark of a limit that a tenant passed."""

    tenant_id: str
    created_at: str
    details: Mapping[str, Any]


IS_ID = re.compile(r"0[0-9a-f]{7}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
YEAR_2527 = "1"
KEY_COLUMNS = len(api_keys.COLUMNS)
KEY_BY_SECRET = compiled(
    sa.select(*api_keys.COLUMNS, *tenants.COLUMNS)
    .select_from(api_keys.JOINED.join(tenants_table, tenants_table.c.id == api_keys_table.c.tenant_id))
    .where(api_keys_table.c.secret_sha256 == sa.bindparam("secret_sha256"), tenants_table.c.erased_at.is_(None))
)
KEY_BY_FORMER_SECRET = compiled(
    sa.select(*api_keys.COLUMNS, *tenants.COLUMNS)
    .select_from(
        former_table.join(
            api_keys.JOINED.join(tenants_table, tenants_table.c.id == api_keys_table.c.tenant_id),
            api_keys_table.c.id == former_table.c.key_id,
        )
    )
    .where(former_table.c.secret_sha256 == sa.bindparam("secret_sha256"), former_table.c.works_until > sa.bindparam("moment"))
)
NOTE_USE = compiled(
    sa.update(api_keys_table).where(api_keys_table.c.id == sa.bindparam("key_id")).values(last_used_at=sa.bindparam("moment"))
)
TENANT_BY_EMAIL = compiled(sa.select(tenants_table.c.id).where(tenants_table.c.email == sa.bindparam("email")))
TENANTS = compiled(
    sa.select(*tenants.COLUMNS)
    .where(tenants_table.c.id > sa.bindparam("after"), tenants_table.c.erased_at.is_(None))
    .order_by(tenants_table.c.id)
    .limit(sa.bindparam("row_count"))
)
_first_waiting = (
    sa.select(sa.func.min(files_table.c.id).label("id"))
    .where(files_table.c.state == "pending")
    .group_by(files_table.c.tenant_id)
    .subquery()
)
WAITING_TENANTS = compiled(
    sa.select(files_table.c.tenant_id, files_table.c.id, files_table.c.bytes).join_from(
        _first_waiting, files_table, files_table.c.id == _first_waiting.c.id
    )
)
FILES_IN_STATE = compiled(
    sa.select(*files.COLUMNS)
    .where(files_table.c.state == sa.bindparam("wanted"))
    .order_by(files_table.c.tenant_id, files_table.c.id)
    .limit(sa.bindparam("row_count"))
)
REQUEUE_INDEXING = compiled(
    sa.update(files_table).where(files_table.c.state == "indexing").values(state="pending").returning(files_table.c.id)
)
INTERRUPT_STREAMING = compiled(
    sa.update(messages_table)
    .where(messages_table.c.status == "streaming")
    .values(status="interrupted")
    .returning(messages_table.c.id)
)
INTERRUPT_ESTIMATES = compiled(
    sa.update(estimates_table)
    .where(estimates_table.c.status == "running")
    .values(status="interrupted")
    .returning(estimates_table.c.id)
)
OPEN_OPERATIONS = compiled(
    sa.select(*operations.COLUMNS)
    .where(operations_table.c.status == "in_progress", operations_table.c.id > sa.bindparam("after"))
    .order_by(operations_table.c.id)
    .limit(sa.bindparam("row_count"))
)
OTHER_MODELS = compiled(
    sa.select(vectors_table.c.tenant_id, vectors_table.c.model, sa.func.count())
    .where(vectors_table.c.model != sa.bindparam("model"))
    .group_by(vectors_table.c.tenant_id, vectors_table.c.model)
)
TENANT_OF_CONVERSATION = compiled(
    sa.select(conversations_table.c.tenant_id).where(conversations_table.c.id == sa.bindparam("conversation"))
)
TENANT_OF_ESTIMATE = compiled(sa.select(estimates_table.c.tenant_id).where(estimates_table.c.id == sa.bindparam("estimate")))
SEGMENT = compiled(
    sa.select(segments_table.c.bytes_taken, segments_table.c.second).where(segments_table.c.name == sa.bindparam("segment"))
)
_taking = insert(segments_table).values({column.name: sa.bindparam(column.name) for column in segments_table.columns})
TAKE_SEGMENT = compiled(
    _taking.on_conflict_do_update(
        index_elements=[segments_table.c.name],
        set_={"bytes_taken": _taking.excluded.bytes_taken, "second": _taking.excluded.second},
    )
)
SEGMENTS = compiled(sa.select(segments_table.c.name))
FORGET_SEGMENT = compiled(sa.delete(segments_table).where(segments_table.c.name == sa.bindparam("segment")))
COUNTERS = compiled(
    sa.select(
        counters_table.c.tenant_id,
        counters_table.c.period,
        counters_table.c.starts_on,
        counters_table.c.requests,
        counters_table.c.tokens,
        tenants_table.c.created_at,
    )
    .join_from(counters_table, tenants_table, counters_table.c.tenant_id == tenants_table.c.id)
    .where(counters_table.c.starts_on >= sa.bindparam("since"), tenants_table.c.erased_at.is_(None))
)
USERS = compiled(
    sa.select(tenants_table.c.id, tenants_table.c.created_at)
    .distinct()
    .join_from(events_table, tenants_table, events_table.c.tenant_id == tenants_table.c.id)
    .where(
        events_table.c.created_at >= sa.bindparam("since"),
        events_table.c.created_at < sa.bindparam("until"),
        tenants_table.c.erased_at.is_(None),
    )
)
SESSION = compiled(
    sa.select(passwords_table.c.scopes, *tenants.COLUMNS)
    .join_from(sessions_table, tenants_table, sessions_table.c.tenant_id == tenants_table.c.id)
    .join(passwords_table, passwords_table.c.tenant_id == sessions_table.c.tenant_id)
    .where(
        sessions_table.c.token_sha256 == sa.bindparam("token_sha256"),
        sessions_table.c.expires_at > sa.bindparam("moment"),
        tenants_table.c.erased_at.is_(None),
    )
)
BEING_ERASED = compiled(sa.select(tenants_table.c.id).where(tenants_table.c.erased_at.is_not(None)))
QUEUE_LENGTHS = compiled(
    sa.select(files_table.c.state, sa.func.count())
    .where(sa.or_(files_table.c.state == "pending", files_table.c.state == "indexing"))
    .group_by(files_table.c.state)
)
TENANT_COUNT = compiled("SELECT count(*) FROM (SELECT 1 FROM tenants WHERE id > '' AND erased_at IS NULL LIMIT :row_count)")
NAMES = compiled("SELECT tenants.id, tenants.name FROM json_each(:ids) AS wanted CROSS JOIN tenants ON tenants.id = wanted.value")
ALERTS = compiled(
    "SELECT tenant_id, created_at, details FROM audit_entries "
    "WHERE event_type = 'usage.alert' AND created_at >= :since ORDER BY created_at DESC LIMIT :row_count"
)
RELEASE_CLAIMS = compiled(sa.delete(idempotent_table).where(idempotent_table.c.status.is_(None)))
FORGET_SESSIONS = compiled(sa.delete(sessions_table).where(sessions_table.c.expires_at <= sa.bindparam("moment")))
FORGET_TRIES = compiled(sa.delete(tries_table).where(tries_table.c.created_at <= sa.bindparam("moment")))
NEWEST_IDS = [
    compiled(sa.select(sa.func.max(table.c.id)).where(table.c.id < YEAR_2527))
    for table in metadata.sorted_tables
    if [column.name for column in table.primary_key] == ["id"]
]
REWRITE = compiled("UPDATE alembic_version SET version_num = version_num")
PING = compiled("SELECT 1")


async def key_by_secret(reading: Reading, *, secret_sha256: str, moment: str) -> tuple[ApiKey, Tenant] | None:
    """Return the key with this hash, or with a former secret of this hash that still works, and its tenant."""
    row = await reading.one(KEY_BY_SECRET, secret_sha256=secret_sha256)
    if row is None:
        row = await reading.one(KEY_BY_FORMER_SECRET, secret_sha256=secret_sha256, moment=moment)
    return None if row is None else (api_keys.from_row(tuple(row[:KEY_COLUMNS])), Tenant(*row[KEY_COLUMNS:]))


async def note_uses(transaction: Transaction, *, uses: Mapping[str, str]) -> None:
    """Write down when keys were last used, by their ids."""
    await transaction.run_many(NOTE_USE, [{"key_id": key_id, "moment": moment} for key_id, moment in uses.items()])


async def email_is_taken(reading: Reading, *, email: str) -> bool:
    """Return whether a tenant has this address."""
    return await reading.one(TENANT_BY_EMAIL, email=email) is not None


async def tenants_page(reading: Reading, *, after: str, row_count: int) -> list[Tenant]:
    """Return tenants by creation, behind the id `after`; for the operator."""
    return [Tenant(*row) for row in await reading.all(TENANTS, after=after, row_count=row_count)]


async def waiting(reading: Reading) -> dict[str, tuple[str, int]]:
    """Return, for each tenant with files in the queue, the id of the first of them, and its bytes."""
    return {str(row[0]): (str(row[1]), int(row[2])) for row in await reading.all(WAITING_TENANTS)}


async def files_in_state(reading: Reading, *, state: str, row_count: int) -> list[File]:
    """Return files in a state, for the queue and for clearing."""
    return [File(*row) for row in await reading.all(FILES_IN_STATE, wanted=state, row_count=row_count)]


async def open_operations(reading: Reading, *, after: str, row_count: int) -> list[Operation]:
    """Return operations in progress, behind the id `after`."""
    return [Operation(*row) for row in await reading.all(OPEN_OPERATIONS, after=after, row_count=row_count)]


async def recover(transaction: Transaction) -> tuple[int, int]:
    """Take up what a crash left: files half indexed wait again, answers and estimates half made are interrupted; how many."""
    requeued = await transaction.run(REQUEUE_INDEXING)
    interrupted = await transaction.run(INTERRUPT_STREAMING)
    interrupted += await transaction.run(INTERRUPT_ESTIMATES)
    return len(requeued), len(interrupted)


async def vectors_of_other_models(reading: Reading, *, model: str) -> list[tuple[str, str, int]]:
    """Return (tenant id, model, vectors) where a store was built with another embedding model."""
    return [(str(t), str(m), int(n)) for t, m, n in await reading.all(OTHER_MODELS, model=model)]


async def tenant_of_conversation(reading: Reading, *, conversation_id: str) -> str | None:
    """Return whose conversation this is, so that another tenant's is refused and not denied to exist."""
    row = await reading.one(TENANT_OF_CONVERSATION, conversation=conversation_id)
    return None if row is None else str(row[0])


async def tenant_of_estimate(reading: Reading, *, estimate_id: str) -> str | None:
    """Return whose estimate this is, so that the operator may name it alone."""
    row = await reading.one(TENANT_OF_ESTIMATE, estimate=estimate_id)
    return None if row is None else str(row[0])


async def segment_taken(reading: Reading, *, name: str) -> tuple[int, int]:
    """Return how many bytes of a segment of the usage journal were taken, and the second that the last of them is of."""
    row = await reading.one(SEGMENT, segment=name)
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


async def take_segment(transaction: Transaction, *, name: str, bytes_taken: int, second: int) -> None:
    """Note how far a segment of the usage journal was taken."""
    await transaction.run(TAKE_SEGMENT, name=name, bytes_taken=bytes_taken, second=second)


async def segments(reading: Reading) -> list[str]:
    """Return the segments of the usage journal of which anything was taken."""
    return [str(row[0]) for row in await reading.all(SEGMENTS)]


async def forget_segment(transaction: Transaction, *, name: str) -> None:
    """Forget a segment whose file is gone for good."""
    await transaction.run(FORGET_SEGMENT, segment=name)


async def usage_counters(reading: Reading, *, since: str) -> list[tuple[str, str, str, Used, str]]:
    """Return (tenant id, period, first day, what it came to, when the tenant was made) of the periods since a date.

    Those of tenants that are being erased are left out: their counters and events go one after the other.
    """
    rows = await reading.all(COUNTERS, since=since)
    return [(str(t), str(p), str(s), Used(int(r), int(k)), str(c)) for t, p, s, r, k, c in rows]


async def tenants_with_usage(reading: Reading, *, since: str, until: str) -> list[tuple[str, str]]:
    """Return (tenant id, when it was made) of the tenants with an event in a span, but for those that are being erased."""
    return [(str(tenant_id), str(made_at)) for tenant_id, made_at in await reading.all(USERS, since=since, until=until)]


async def session_by_token(reading: Reading, *, token_sha256: str, moment: str) -> tuple[Tenant, tuple[str, ...]] | None:
    """Return the tenant whose vault a live session opens, and the scopes that its password grants there."""
    row = await reading.one(SESSION, token_sha256=token_sha256, moment=moment)
    return None if row is None else (Tenant(*row[1:]), tuple(str(row[0]).split()))


async def forget_sessions(transaction: Transaction, *, ended_before: str, tried_before: str) -> None:
    """Forget sessions that have ended, and tries that count no more."""
    await transaction.run(FORGET_SESSIONS, moment=ended_before)
    await transaction.run(FORGET_TRIES, moment=tried_before)


async def newest_id(reading: Reading) -> str:
    """Return the newest id of all records, empty where there is none."""
    found = [row[0] for query in NEWEST_IDS if (row := await reading.one(query)) is not None]
    return max((newest for newest in found if newest is not None and IS_ID.fullmatch(newest)), default="")


async def write_something(transaction: Transaction) -> None:
    """Write a row as it is, which a full disk refuses."""
    await transaction.run(REWRITE)


async def ping(reading: Reading) -> None:
    """Ask the database for a sign of life."""
    await reading.one(PING)


async def release_claims(transaction: Transaction) -> None:
    """Give up every claim of an Idempotency-Key that has no answer."""
    await transaction.run(RELEASE_CLAIMS)


async def being_erased(reading: Reading) -> list[str]:
    """Return the tenants that were deleted, and are not erased whole."""
    return [str(row[0]) for row in await reading.all(BEING_ERASED)]


async def queue_lengths(reading: Reading) -> dict[str, int]:
    """Return how many files wait for their turn, and how many have it."""
    found = {str(state): int(count) for state, count in await reading.all(QUEUE_LENGTHS)}
    return {state: found.get(state, 0) for state in ("pending", "indexing")}


async def tenant_count(reading: Reading, *, at_most: int) -> int:
    """Return how many tenants there are, counted no further than so many."""
    row = await reading.one(TENANT_COUNT, row_count=at_most)
    return int(row[0]) if row else 0


async def names_of(reading: Reading, *, tenant_ids: Sequence[str]) -> dict[str, str]:
    """Return the names of tenants by their ids, for the operator."""
    return {str(tenant_id): str(name) for tenant_id, name in await reading.all(NAMES, ids=json.dumps(tenant_ids))}


async def alerts(reading: Reading, *, since: str, row_count: int) -> list[Alert]:
    """Return marks of limits that tenants passed since a time, the newest first; for the operator."""
    rows = await reading.all(ALERTS, since=since, row_count=row_count)
    return [Alert(str(tenant_id), str(moment), json.loads(details)) for tenant_id, moment, details in rows]
