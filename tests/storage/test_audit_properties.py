"""The audit chain against whatever is done to it, and its pages against a simple model of them."""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantai.server.services import audit_proof
from tenantai.server.services.audit_proof import Proof, prove
from tenantai.storage import audit, audit_chain, audit_log
from tenantai.storage.audit import Actor, Entry, hash_of
from tenantai.storage.audit_log import Filters
from tenantai.storage.database import Database, Transaction

LENGTH = 12
TENANT = "t"
NAMES = Entry.__slots__
Rows = dict[int, tuple[Any, ...]]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Database]:
    """Open a database while the block runs."""
    database = Database(path)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def within_copy(original: Path, work: Callable[[Path], Awaitable[Any]]) -> Any:
    """Do something with a copy of a database."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.sqlite3"
        shutil.copy(original, path)
        return asyncio.run(work(path))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def chained(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    """A database with a chain of a dozen entries, and another tenant's."""
    path = tmp_path_factory.mktemp("chained") / "chained.sqlite3"
    shutil.copy(migrated, path)

    async def unit(transaction: Transaction) -> None:
        for number in range(LENGTH):
            for tenant_id in (TENANT, "other"):
                actor = Actor(f"key:{number % 3}", str(number % 3), address="192.0.2.1")
                details = {"number": number}
                await audit.record(transaction, tenant_id, event_type="account.updated", actor=actor, details=details)

    async def fill() -> None:
        async with opened(path) as database:
            await database.write(unit)

    asyncio.run(fill())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


def rows_of(connection: sqlite3.Connection) -> Rows:
    """Return the chain's rows by their sequences."""
    rows = connection.execute(f"SELECT {', '.join(NAMES)} FROM audit_entries WHERE tenant_id = ?", (TENANT,))
    return {row[NAMES.index("sequence")]: tuple(row) for row in rows}


def edit(connection: sqlite3.Connection, sequence: int, name: str, value: Any) -> None:
    connection.execute(f"UPDATE audit_entries SET {name} = ? WHERE tenant_id = ? AND sequence = ?", (value, TENANT, sequence))


def delete(connection: sqlite3.Connection, sequence: int) -> None:
    connection.execute("DELETE FROM audit_entries WHERE tenant_id = ? AND sequence = ?", (TENANT, sequence))


def cut(connection: sqlite3.Connection, sequence: int) -> None:
    connection.execute("DELETE FROM audit_entries WHERE tenant_id = ? AND sequence > ?", (TENANT, sequence))


def swap(connection: sqlite3.Connection, first: int, second: int) -> None:
    for old, new in ((first, -1), (second, first), (-1, second)):
        edit(connection, old, "sequence", new)


def copy(connection: sqlite3.Connection, source: int, target: int) -> None:
    """Put an entry in another's place, with all but its sequence."""
    columns = [name for name in NAMES if name not in {"id", "sequence", "tenant_id"}]
    delete(connection, target)
    connection.execute(
        f"INSERT INTO audit_entries (id, sequence, tenant_id, {', '.join(columns)}) "
        f"SELECT hex(randomblob(8)), ?, tenant_id, {', '.join(columns)} FROM audit_entries WHERE tenant_id = ? AND sequence = ?",
        (target, TENANT, source),
    )


PLACES = st.integers(1, LENGTH)
EDITABLE = [name for name in NAMES if name not in {"tenant_id", "sequence", "id"}]
VALUES = st.one_of(st.text(max_size=5), st.integers(0, 9), st.binary(max_size=3))
TAMPERING = st.one_of(
    st.tuples(st.just(edit), PLACES, st.sampled_from(EDITABLE), VALUES),
    st.tuples(st.just(delete), PLACES),
    st.tuples(st.just(cut), st.integers(0, LENGTH)),
    st.tuples(st.just(swap), PLACES, PLACES),
    st.tuples(st.just(copy), PLACES, st.integers(1, LENGTH + 2)),
)


async def proved(path: Path) -> Proof:
    """Prove the chain."""
    async with opened(path) as database:
        return await prove(database, TENANT)


@settings(max_examples=150, deadline=None)
@given(deeds=st.lists(TAMPERING, max_size=3), slices=st.integers(1, 5))
def test_whatever_is_done_by_hand_is_found_at_the_first_link(chained: Path, deeds: list[tuple[Any, ...]], slices: int) -> None:
    """The proof names the first entry that is not what was written there; where nothing was changed it holds."""

    async def work(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            before = rows_of(connection)
            for deed, *given_to_it in deeds:
                deed(connection, *given_to_it)
            after = rows_of(connection)
        changed = [place for place in range(1, LENGTH + 3) if before.get(place) != after.get(place)]
        with patch.object(audit_proof, "SLICE_ENTRIES", slices):
            proof = await proved(path)
        first = min(changed[0], LENGTH + 1) if changed else None
        assert (proof.broken.sequence if proof.broken else None) == first
        assert proof.checked == (changed[0] - 1 if changed and changed[0] <= LENGTH else LENGTH)

    within_copy(chained, work)


@settings(max_examples=30, deadline=None)
@given(place=PLACES, slices=st.integers(1, 5))
def test_an_entry_that_was_hashed_anew_is_found(chained: Path, place: int, slices: int) -> None:
    """Who edits an entry and its hash as well breaks the next link, or the recorded end."""

    async def work(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            fields = dict(zip(NAMES, rows_of(connection)[place], strict=True)) | {"actor": "system"}
            edit(connection, place, "actor", "system")
            edit(connection, place, "hash", hash_of(fields))
        with patch.object(audit_proof, "SLICE_ENTRIES", slices):
            proof = await proved(path)
        assert proof.broken is not None
        expected = (place + 1, "unlinked") if place < LENGTH else (place, "end edited")
        assert (proof.broken.sequence, proof.broken.fault) == expected

    within_copy(chained, work)


EVENTS = ("file.uploaded", "file.deleted", "key.revoked", "account.updated")
ENTRY = st.fixed_dictionaries(
    {
        "event_type": st.sampled_from(EVENTS),
        "actor": st.sampled_from([Actor("key:1", "1"), Actor("system")]),
        "account_id": st.sampled_from([None, "a", "b"]),
        "subject_id": st.sampled_from([None, "s", "u"]),
    }
)
FILTERS = st.builds(
    Filters,
    event_type=st.sampled_from([None, *EVENTS]),
    actor=st.sampled_from([None, "key:1", "system"]),
    account_id=st.sampled_from([None, "a", "b"]),
    subject_id=st.sampled_from([None, "s"]),
    of_store=st.booleans(),
)


def leaves(filters: Filters, entry: dict[str, Any]) -> bool:
    """Whether filters leave an entry, told without a database."""
    named = {**entry, "actor": entry["actor"].name, "asset_id": None}
    of_store = named["event_type"].startswith("file.") or not filters.of_store
    return of_store and all(named[name] == value for name, value in filters.given.items())


@settings(max_examples=80, deadline=None)
@given(
    entries=st.lists(ENTRY, max_size=40),
    filters=FILTERS,
    limit=st.integers(1, 7),
    examined=st.integers(1, 9),
    forgotten=st.integers(0, 10),
    newest_first=st.booleans(),
)
def test_pages_are_what_a_model_says(
    migrated: Path,
    entries: list[dict[str, Any]],
    filters: Filters,
    limit: int,
    examined: int,
    forgotten: int,
    newest_first: bool,
) -> None:
    """Page by page, however short each walk is, every entry that the filters leave comes once and in order; so says the total."""

    async def unit(transaction: Transaction) -> None:
        for entry in entries:
            await audit.record(transaction, TENANT, **entry)
            await audit.record(transaction, "other", **entry)
        await audit_chain.forget_through(transaction, TENANT, sequence=forgotten)

    async def work(path: Path) -> None:
        async with opened(path) as database:
            await database.write(unit)
            rest = whole = await audit_log.span(database.reading, TENANT)
            seen: list[Entry] = []
            while rest.length:
                found = await audit_log.page(
                    database.reading, TENANT, filters=filters, within=rest, row_count=limit, newest_first=newest_first
                )
                assert len(found.entries) <= limit
                seen += found.entries
                rest = found.rest
            count, is_exact = await audit_log.total(database.reading, TENANT, filters=filters, within=whole)
            with patch.object(audit_chain, "archived_through", AsyncMock(return_value=forgotten)):
                proof = await prove(database, TENANT)
        kept = list(enumerate(entries, 1))[forgotten:]
        expected = [sequence for sequence, entry in kept if leaves(filters, entry)]
        assert [entry.sequence for entry in seen] == (expected[::-1] if newest_first else expected)
        assert {entry.tenant_id for entry in seen} <= {TENANT}
        assert (count, is_exact) == (len(expected), True)
        assert (proof.broken, proof.checked) == (None, len(kept))

    with patch.object(audit_log, "EXAMINED_MAX", examined), patch.object(audit_log, "ROUNDS_MAX", 2):
        within_copy(migrated, work)
