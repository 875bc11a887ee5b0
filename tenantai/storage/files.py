"""Files of the document store: what was uploaded and how far its indexing is.

A file's `state` is pending, indexing, ready, failed, skipped, cancelled or deleting; only ready files that are not excluded are
searched.
A skipped one came from the vault and is of a kind that is not indexed.
A deleting file is gone for everyone and waits for its chunks and bytes to be cleared.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled, insertion
from tenantai.storage.schema import asset_versions, estimate_pictures, file_texts, stores
from tenantai.storage.schema import files as table


@dataclass(frozen=True, slots=True)
class File:
    """A file; `account_id` is None for one that all of the tenant's accounts share, as those do that stand for an asset."""

    id: str
    tenant_id: str
    account_id: str | None
    operation_id: str
    name: str
    media_type: str | None
    bytes: int
    sha256: str
    state: str
    excluded: bool
    error_code: str | None
    error_message: str | None
    page_count: int | None
    chunk_count: int
    created_at: str
    updated_at: str
    asset_id: str | None = None
    asset_path: str | None = None


def _state_is(*states: str) -> sa.ColumnElement[bool]:
    """Return a condition without IN, whose parameters SQLAlchemy expands only when it runs a statement itself."""
    return sa.or_(*(table.c.state == state for state in states))


COLUMNS = tuple(table.c[name] for name in File.__slots__)
TENANT = table.c.tenant_id == sa.bindparam("of_tenant")
LIVE = table.c.state != "deleting"
OWN = sa.and_(TENANT, table.c.id == sa.bindparam("file"))
VISIBLE = sa.or_(
    sa.bindparam("account", type_=sa.Text).is_(None),
    table.c.account_id.is_(None),
    table.c.account_id == sa.bindparam("account", type_=sa.Text),
)
GET = compiled(sa.select(*COLUMNS).where(OWN, LIVE))
TWIN = compiled(
    sa.select(*COLUMNS).where(
        TENANT,
        table.c.sha256 == sa.bindparam("content"),
        table.c.account_id.is_not_distinct_from(sa.bindparam("account", type_=sa.Text)),
        LIVE,
    )
)
PAGE = compiled(
    sa.select(*COLUMNS)
    .where(TENANT, LIVE, VISIBLE, table.c.id > sa.bindparam("after"))
    .order_by(table.c.id)
    .limit(sa.bindparam("row_count"))
)
OF_ACCOUNT = compiled(
    sa.select(*COLUMNS)
    .where(TENANT, LIVE, table.c.account_id == sa.bindparam("account"), table.c.id > sa.bindparam("after"))
    .order_by(table.c.id)
    .limit(sa.bindparam("row_count"))
)
INSERT = insertion(table, File.__slots__)
COUNTS = compiled(
    sa.select(table.c.state, table.c.excluded, sa.func.count(), sa.func.sum(table.c.bytes))
    .where(TENANT, LIVE, VISIBLE)
    .group_by(table.c.state, table.c.excluded)
)
IN_VAULT = sa.exists().where(asset_versions.c.tenant_id == table.c.tenant_id, asset_versions.c.sha256 == table.c.sha256)
BYTES_USED = compiled(
    sa.select(sa.func.coalesce(sa.func.sum(table.c.bytes), 0)).where(
        TENANT, LIVE, sa.or_(table.c.asset_path.is_(None), ~IN_VAULT)
    )
)
SAME_BYTES = compiled(
    sa.select(
        sa.or_(
            sa.exists().where(TENANT, table.c.sha256 == sa.bindparam("content"), LIVE),
            sa.exists().where(
                asset_versions.c.tenant_id == sa.bindparam("of_tenant"), asset_versions.c.sha256 == sa.bindparam("content")
            ),
            sa.exists().where(
                estimate_pictures.c.tenant_id == sa.bindparam("of_tenant"), estimate_pictures.c.sha256 == sa.bindparam("content")
            ),
        )
    )
)
UNUSED_BYTES = compiled(
    "SELECT value FROM json_each(:contents) "
    "WHERE NOT EXISTS (SELECT 1 FROM files WHERE tenant_id = :of_tenant AND sha256 = value) "
    "AND NOT EXISTS (SELECT 1 FROM asset_versions WHERE tenant_id = :of_tenant AND sha256 = value) "
    "AND NOT EXISTS (SELECT 1 FROM estimate_pictures WHERE tenant_id = :of_tenant AND sha256 = value)"
)
MOVE = compiled(
    sa.update(table)
    .where(OWN, table.c.state == sa.bindparam("expected"))
    .values(state=sa.bindparam("next"), updated_at=sa.bindparam("moment"))
    .returning(*COLUMNS)
)
FAIL = compiled(
    sa.update(table)
    .where(OWN, table.c.state == "indexing")
    .values(
        state=sa.bindparam("next"),
        error_code=sa.bindparam("code"),
        error_message=sa.bindparam("message"),
        page_count=sa.bindparam("pages"),
        updated_at=sa.bindparam("moment"),
    )
    .returning(table.c.operation_id)
)
FINISH = compiled(
    sa.update(table)
    .where(OWN, table.c.state == "indexing")
    .values(
        state="ready",
        error_code=None,
        error_message=None,
        media_type=sa.bindparam("kind"),
        page_count=sa.bindparam("pages"),
        chunk_count=sa.bindparam("chunks"),
        updated_at=sa.bindparam("moment"),
    )
    .returning(table.c.operation_id)
)
REQUEUE = compiled(
    sa.update(table)
    .where(OWN, _state_is("ready", "failed", "skipped", "cancelled"))
    .values(
        state="pending",
        operation_id=sa.bindparam("operation"),
        error_code=None,
        error_message=None,
        updated_at=sa.bindparam("moment"),
    )
    .returning(*COLUMNS)
)
EXCLUDE = compiled(
    sa.update(table)
    .where(OWN, LIVE)
    .values(excluded=sa.bindparam("new_excluded"), updated_at=sa.bindparam("moment"))
    .returning(*COLUMNS)
)
LET_GO = compiled(
    sa.update(table)
    .where(OWN, LIVE)
    .values(state="deleting", account_id=None, updated_at=sa.bindparam("moment"))
    .returning(*COLUMNS)
)
LET_GO_OF_ACCOUNT = compiled(
    sa.update(table)
    .where(TENANT, table.c.account_id == sa.bindparam("account"))
    .values(state="deleting", account_id=None, updated_at=sa.bindparam("moment"))
    .returning(table.c.id)
)
CANCEL = compiled(
    sa.update(table)
    .where(TENANT, table.c.operation_id == sa.bindparam("operation"), _state_is("pending", "indexing"))
    .values(state="cancelled", updated_at=sa.bindparam("moment"))
    .returning(table.c.id)
)
OPEN = compiled(
    sa.select(sa.func.count()).where(TENANT, table.c.operation_id == sa.bindparam("operation"), _state_is("pending", "indexing"))
)
ANY = compiled(sa.select(*COLUMNS).where(TENANT).order_by(table.c.id).limit(sa.bindparam("row_count")))
ERASE = compiled(sa.delete(table).where(OWN))
FORGET = compiled(sa.delete(table).where(OWN, table.c.state == "deleting"))
SAVE_TEXT = compiled(sa.insert(file_texts))
DROP_TEXT = compiled(
    sa.delete(file_texts).where(file_texts.c.tenant_id == sa.bindparam("of_tenant"), file_texts.c.file_id == sa.bindparam("file"))
)
TEXT = compiled(
    sa.select(file_texts.c.text).where(
        file_texts.c.tenant_id == sa.bindparam("of_tenant"), file_texts.c.file_id == sa.bindparam("file")
    )
)
QUOTED = compiled(
    "SELECT wanted.key, substr(file_texts.text, wanted.value ->> 1 + 1, wanted.value ->> 2) FROM json_each(:spans) AS wanted "
    "CROSS JOIN files ON files.id = wanted.value ->> 0 AND files.tenant_id = :of_tenant AND files.state = 'ready' "
    "CROSS JOIN file_texts ON file_texts.file_id = files.id"
)
BUMP = compiled(
    "INSERT INTO stores (tenant_id, generation) VALUES (:tenant_id, 1) "
    "ON CONFLICT (tenant_id) DO UPDATE SET generation = stores.generation + 1"
)
GENERATION = compiled(sa.select(stores.c.generation).where(stores.c.tenant_id == sa.bindparam("of_tenant")))
SEARCHED = compiled(
    sa.select(table.c.id, table.c.account_id, table.c.updated_at, table.c.chunk_count).where(
        TENANT, table.c.state == "ready", table.c.excluded.is_(False)
    )
)


async def get(reading: Reading, tenant_id: str, *, file_id: str) -> File | None:
    """Return the file, or None where this tenant has none by that id."""
    row = await reading.one(GET, of_tenant=tenant_id, file=file_id)
    return None if row is None else File(*row)


async def find_twin(reading: Reading, tenant_id: str, *, account_id: str | None, sha256: str) -> File | None:
    """Return the account's file with the same bytes, if there is one."""
    row = await reading.one(TWIN, of_tenant=tenant_id, account=account_id, content=sha256)
    return None if row is None else File(*row)


async def page(reading: Reading, tenant_id: str, *, visible_to: str | None, after: str, row_count: int) -> list[File]:
    """Return files by creation, behind the id `after`: all, or those that the account `visible_to` may see."""
    rows = await reading.all(PAGE, of_tenant=tenant_id, account=visible_to, after=after, row_count=row_count)
    return [File(*row) for row in rows]


async def page_of_account(reading: Reading, tenant_id: str, *, account_id: str, after: str, row_count: int) -> list[File]:
    """Return an account's own files by creation, behind the id `after`."""
    rows = await reading.all(OF_ACCOUNT, of_tenant=tenant_id, account=account_id, after=after, row_count=row_count)
    return [File(*row) for row in rows]


async def counts(reading: Reading, tenant_id: str, *, visible_to: str | None) -> list[tuple[str, bool, int, int]]:
    """Return (state, excluded, files, bytes) groups."""
    rows = await reading.all(COUNTS, of_tenant=tenant_id, account=visible_to)
    return [(str(s), bool(e), int(n), int(b)) for s, e, n, b in rows]


async def bytes_used(reading: Reading, tenant_id: str) -> int:
    """Return the bytes of all the tenant's files, but for those that the vault has: there they are counted."""
    row = await reading.one(BYTES_USED, of_tenant=tenant_id)
    return int(row[0]) if row else 0


async def bytes_are_used(reading: Reading, tenant_id: str, *, sha256: str) -> bool:
    """Return whether any live file of the tenant, version of its assets or picture of its estimates has them."""
    row = await reading.one(SAME_BYTES, of_tenant=tenant_id, content=sha256)
    return bool(row and row[0])


async def unused_bytes(reading: Reading, tenant_id: str, *, contents: Sequence[str]) -> list[str]:
    """Return those of some contents that no file, version of an asset or picture has, also none that is being deleted."""
    return [str(row[0]) for row in await reading.all(UNUSED_BYTES, of_tenant=tenant_id, contents=json.dumps(contents))]


async def create(transaction: Transaction, tenant_id: str, *, file: File) -> None:
    """Create a file; the account must have none with the same bytes (sqlite3.IntegrityError)."""
    values = {name: getattr(file, name) for name in File.__slots__} | {"tenant_id": tenant_id}
    await transaction.run(INSERT, **values)


async def move(transaction: Transaction, tenant_id: str, *, file_id: str, expected: str, to: str, moment: str) -> File | None:
    """Move a file from one state to another; None where it was not in the expected one."""
    rows = await transaction.run(MOVE, of_tenant=tenant_id, file=file_id, expected=expected, next=to, moment=moment)
    return File(*rows[0]) if rows else None


async def fail(
    transaction: Transaction, tenant_id: str, *, file_id: str, to: str, code: str, message: str, pages: int | None, moment: str
) -> str | None:
    """Note why a file gave nothing to search, `to` being failed or skipped; its operation's id, None where it was not indexed."""
    given = {"file": file_id, "next": to, "code": code, "message": message, "pages": pages, "moment": moment}
    rows = await transaction.run(FAIL, of_tenant=tenant_id, **given)
    return str(rows[0][0]) if rows else None


async def finish(
    transaction: Transaction,
    tenant_id: str,
    *,
    file_id: str,
    media_type: str,
    pages: int | None,
    chunks: int,
    moment: str,
) -> str | None:
    """Make a file searchable; its operation's id, None where it was not being indexed."""
    rows = await transaction.run(
        FINISH, of_tenant=tenant_id, file=file_id, kind=media_type, pages=pages, chunks=chunks, moment=moment
    )
    return str(rows[0][0]) if rows else None


async def requeue(transaction: Transaction, tenant_id: str, *, file_id: str, operation_id: str, moment: str) -> File | None:
    """Put a file that is not being worked on back in the queue; None where it is."""
    rows = await transaction.run(REQUEUE, of_tenant=tenant_id, file=file_id, operation=operation_id, moment=moment)
    return File(*rows[0]) if rows else None


async def set_excluded(transaction: Transaction, tenant_id: str, *, file_id: str, excluded: bool, moment: str) -> File | None:
    """Take a file out of answers, or back in; None where there is no such file."""
    rows = await transaction.run(EXCLUDE, of_tenant=tenant_id, file=file_id, new_excluded=excluded, moment=moment)
    return File(*rows[0]) if rows else None


async def let_go(transaction: Transaction, tenant_id: str, *, file_id: str, moment: str) -> File | None:
    """Make a file gone for everyone; clearing it comes later. None where there is no such file."""
    rows = await transaction.run(LET_GO, of_tenant=tenant_id, file=file_id, moment=moment)
    return File(*rows[0]) if rows else None


async def let_go_of_account(transaction: Transaction, tenant_id: str, *, account_id: str, moment: str) -> list[str]:
    """Make all files of an account gone; their ids."""
    rows = await transaction.run(LET_GO_OF_ACCOUNT, of_tenant=tenant_id, account=account_id, moment=moment)
    return [str(row[0]) for row in rows]


async def cancel(transaction: Transaction, tenant_id: str, *, operation_id: str, moment: str) -> Sequence[str]:
    """Take an operation's unfinished files out of the queue; their ids."""
    rows = await transaction.run(CANCEL, of_tenant=tenant_id, operation=operation_id, moment=moment)
    return [str(row[0]) for row in rows]


async def count_open(reading: Reading, tenant_id: str, *, operation_id: str) -> int:
    """Return how many files of an operation wait or are being indexed."""
    row = await reading.one(OPEN, of_tenant=tenant_id, operation=operation_id)
    return int(row[0]) if row else 0


async def forget(transaction: Transaction, tenant_id: str, *, file_id: str) -> None:
    """Remove the row of a file that was let go and has been cleared."""
    await transaction.run(FORGET, of_tenant=tenant_id, file=file_id)


async def save_text(transaction: Transaction, tenant_id: str, *, file_id: str, text: str) -> None:
    """Keep the text that citations are checked against, in place of an earlier one."""
    await transaction.run(DROP_TEXT, of_tenant=tenant_id, file=file_id)
    await transaction.run(SAVE_TEXT, tenant_id=tenant_id, file_id=file_id, text=text)


async def text_of(reading: Reading, tenant_id: str, *, file_id: str) -> str | None:
    """Return a file's extracted text."""
    row = await reading.one(TEXT, of_tenant=tenant_id, file=file_id)
    return None if row is None else str(row[0])


async def quoted(reading: Reading, tenant_id: str, *, spans: Sequence[tuple[str, int, int]]) -> dict[int, str]:
    """Return what stands at (file id, start, end) spans, by their place in the list; files no longer there are left out."""
    wanted = json.dumps([[file_id, start, end - start] for file_id, start, end in spans])
    return {int(key): str(text) for key, text in await reading.all(QUOTED, of_tenant=tenant_id, spans=wanted)}


async def note_change(transaction: Transaction, tenant_id: str) -> None:
    """Tell every search index of the tenant that what is searched has changed."""
    await transaction.run(BUMP, tenant_id=tenant_id)


async def generation(reading: Reading, tenant_id: str) -> int:
    """Return the number of changes to what is searched."""
    row = await reading.one(GENERATION, of_tenant=tenant_id)
    return int(row[0]) if row else 0


async def searched(reading: Reading, tenant_id: str) -> dict[str, tuple[str | None, str, int]]:
    """Return the files that are searched: id → (account id, time of the last change, how many chunks)."""
    return {str(r[0]): (r[1], str(r[2]), int(r[3])) for r in await reading.all(SEARCHED, of_tenant=tenant_id)}


async def any_of(reading: Reading, tenant_id: str, *, row_count: int) -> list[File]:
    """Return some files of a tenant, whatever their state."""
    return [File(*row) for row in await reading.all(ANY, of_tenant=tenant_id, row_count=row_count)]


async def erase(transaction: Transaction, tenant_id: str, *, file_id: str) -> None:
    """Remove the row of a file that has been cleared, whatever its state."""
    await transaction.run(ERASE, of_tenant=tenant_id, file=file_id)
