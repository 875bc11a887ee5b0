"""The audit log: an entry lives and dies with its change, and the chain links each to the one before."""

import json
from typing import Any

import pytest

from tenantai.storage import audit
from tenantai.storage.database import Database, Transaction, compiled

NAMES = ("number", *audit.Entry.__slots__)


async def entries(database: Database) -> list[dict[str, Any]]:
    rows = await database.reading.all(compiled(f"SELECT {', '.join(NAMES)} FROM audit_entries ORDER BY number"))
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


async def test_chain(database: Database) -> None:
    """Each tenant's entries count from 1, and each holds the hash of the one before it and of itself."""

    async def unit(transaction: Transaction) -> None:
        for tenant_id in ("a", "b", "a"):
            await audit.record(
                transaction,
                tenant_id,
                event_type="account.updated",
                actor=audit.SYSTEM,
                before={"x": 1, "y": 2},
                after={"x": 1, "y": 3},
            )

    await database.write(unit)
    found = await entries(database)
    assert [(e["tenant_id"], e["sequence"]) for e in found] == [("a", 1), ("b", 1), ("a", 2)]
    assert found[0]["previous_hash"] == found[1]["previous_hash"] == audit.FIRST_HASH
    assert found[2]["previous_hash"] == found[0]["hash"]
    assert all(audit.hash_of(entry) == entry["hash"] for entry in found)
    assert json.loads(found[0]["details"]) == {"before": {"y": 2}, "after": {"y": 3}}


async def test_failed_change_leaves_no_entry(database: Database) -> None:
    """Where the unit fails, neither the entry nor the chain's end is kept."""

    async def unit(transaction: Transaction) -> None:
        await audit.record(transaction, "a", event_type="account.created", actor=audit.SYSTEM)
        raise KeyError

    with pytest.raises(KeyError):
        await database.write(unit)
    assert await entries(database) == []
    assert await database.reading.all(compiled("SELECT * FROM audit_chains")) == []
