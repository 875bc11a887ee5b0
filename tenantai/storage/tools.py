"""A tenant's own functions; the secret that signs their calls is stored as it is, for it must sign."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled
from tenantai.storage.schema import tools as table


@dataclass(frozen=True, slots=True)
class Tool:
    """A function; `parameters` is the JSON Schema of what it takes, `approval` is `auto` or `ask`."""

    id: str
    tenant_id: str
    name: str
    description: str
    parameters: dict[str, Any]
    endpoint: str
    signing_secret: str
    timeout_seconds: float
    approval: str
    created_at: str
    updated_at: str

    def __repr__(self) -> str:
        """Name it without its secret."""
        return f"Tool({self.id}, {self.name})"


COLUMNS = tuple(table.c[name] for name in Tool.__slots__)
OWN = sa.and_(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.id == sa.bindparam("tool_id"))
GET = compiled(sa.select(*COLUMNS).where(OWN))
PAGE = compiled(
    sa.select(*COLUMNS)
    .where(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.id > sa.bindparam("after"))
    .order_by(table.c.id)
    .limit(sa.bindparam("row_count"))
)
COUNT = compiled(sa.select(sa.func.count()).where(table.c.tenant_id == sa.bindparam("of_tenant")).select_from(table))
INSERT = compiled(sa.insert(table))
DELETE = compiled(sa.delete(table).where(OWN).returning(*COLUMNS))


async def get(reading: Reading, tenant_id: str, *, tool_id: str) -> Tool | None:
    """Return the function, or None where this tenant has none by that id."""
    row = await reading.one(GET, of_tenant=tenant_id, tool_id=tool_id)
    return None if row is None else _tool(row)


async def page(reading: Reading, tenant_id: str, *, after: str, row_count: int) -> list[Tool]:
    """Return functions in the order of their making, behind the id `after` (empty for the first page)."""
    return [_tool(row) for row in await reading.all(PAGE, of_tenant=tenant_id, after=after, row_count=row_count)]


async def count(reading: Reading, tenant_id: str) -> int:
    """Return how many the tenant has."""
    row = await reading.one(COUNT, of_tenant=tenant_id)
    return int(row[0]) if row else 0


async def create(transaction: Transaction, tenant_id: str, *, tool: Tool) -> None:
    """Store a function; its name must be free within the tenant (sqlite3.IntegrityError)."""
    values = {name: getattr(tool, name) for name in Tool.__slots__}
    await transaction.run(INSERT, **values | {"tenant_id": tenant_id, "parameters": json.dumps(tool.parameters)})


async def delete(transaction: Transaction, tenant_id: str, *, tool_id: str) -> Tool | None:
    """Delete a function; returns what it was, None where there is none."""
    rows = await transaction.run(DELETE, of_tenant=tenant_id, tool_id=tool_id)
    return _tool(rows[0]) if rows else None


def _tool(row: Sequence[Any]) -> Tool:
    values = list(row)
    values[4] = json.loads(values[4])
    return Tool(*values)
