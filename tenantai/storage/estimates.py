"""Estimates: what was found in a tenant's pictures, and the pictures themselves as blobs.

What must stay true: `version` grows with each change of an estimate, and a change names the version that it is of.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled, insertion
from tenantai.storage.schema import estimate_pictures as pictures
from tenantai.storage.schema import estimates as table


@dataclass(frozen=True, slots=True)
class KeptEstimate:
    """An estimate; `report` is JSON (empty while it is made), `status` is `running` until it is made."""

    id: str
    tenant_id: str
    account_id: str | None
    status: str
    unit: str
    model: str
    input_tokens: int
    output_tokens: int
    item_count: int
    volume_m3: float
    weight_kg: float
    report: str
    version: int
    approved_at: str | None
    approved_by: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture of an estimate as it was looked at, and how that went; `image` counts from 0."""

    estimate_id: str
    image: int
    tenant_id: str
    sha256: str
    bytes: int
    width: int
    height: int
    status: str
    problem: str | None


COLUMNS = tuple(table.c[name] for name in KeptEstimate.__slots__)
PICTURE_COLUMNS = tuple(pictures.c[name] for name in KeptPicture.__slots__)
TENANT = table.c.tenant_id == sa.bindparam("of_tenant")
OWN = sa.and_(TENANT, table.c.id == sa.bindparam("estimate"))
OF_ESTIMATE = sa.and_(pictures.c.tenant_id == sa.bindparam("of_tenant"), pictures.c.estimate_id == sa.bindparam("estimate"))
GET = compiled(sa.select(*COLUMNS).where(OWN))
_page = sa.select(*COLUMNS).where(TENANT, table.c.id < sa.bindparam("before")).order_by(table.c.id.desc())
PAGE = compiled(_page.limit(sa.bindparam("row_count")))
PAGE_OF_ACCOUNT = compiled(_page.where(table.c.account_id == sa.bindparam("account")).limit(sa.bindparam("row_count")))
INSERT = insertion(table, KeptEstimate.__slots__)
INSERT_PICTURE = insertion(pictures, KeptPicture.__slots__)
CHANGEABLE = tuple(
    "status input_tokens output_tokens item_count volume_m3 weight_kg report version approved_at approved_by updated_at".split()
)
CHANGE = compiled(
    sa.update(table)
    .where(OWN, table.c.version == sa.bindparam("of_version"))
    .values({name: sa.bindparam(f"new_{name}") for name in CHANGEABLE})
    .returning(table.c.id)
)
CHANGE_PICTURE = compiled(
    sa.update(pictures)
    .where(OF_ESTIMATE, pictures.c.image == sa.bindparam("at_image"))
    .values(status=sa.bindparam("new_status"), problem=sa.bindparam("new_problem"))
)
DELETE = compiled(sa.delete(table).where(OWN).returning(table.c.id))
PICTURES = compiled(sa.select(*PICTURE_COLUMNS).where(OF_ESTIMATE).order_by(pictures.c.image))
PICTURES_OF_ACCOUNT = compiled(
    sa.select(pictures.c.sha256)
    .join_from(table, pictures, pictures.c.estimate_id == table.c.id)
    .where(TENANT, table.c.account_id == sa.bindparam("account"), pictures.c.tenant_id == sa.bindparam("of_tenant"))
)
BYTES_USED = compiled(
    sa.select(sa.func.coalesce(sa.func.sum(pictures.c.bytes), 0)).where(pictures.c.tenant_id == sa.bindparam("of_tenant"))
)
LAST = "~"
"""Behind every id."""


async def get(reading: Reading, tenant_id: str, *, estimate_id: str) -> KeptEstimate | None:
    """Return the estimate, or None where this tenant has none by that id."""
    row = await reading.one(GET, of_tenant=tenant_id, estimate=estimate_id)
    return None if row is None else KeptEstimate(*row)


async def page(
    reading: Reading, tenant_id: str, *, account_id: str | None, before: str, row_count: int
) -> Sequence[KeptEstimate]:
    """Return estimates, the newest first, from before an id on; only an account's where one is named."""
    asked = {"of_tenant": tenant_id, "before": before or LAST, "row_count": row_count}
    if account_id is None:
        return [KeptEstimate(*row) for row in await reading.all(PAGE, **asked)]
    return [KeptEstimate(*row) for row in await reading.all(PAGE_OF_ACCOUNT, **asked, account=account_id)]


async def create(
    transaction: Transaction, tenant_id: str, *, estimate: KeptEstimate, pictures_of_it: Sequence[KeptPicture]
) -> None:
    """Keep a new estimate with its pictures."""
    await transaction.run(INSERT, **{**asdict(estimate), "tenant_id": tenant_id})
    for picture in pictures_of_it:
        await transaction.run(INSERT_PICTURE, **{**asdict(picture), "tenant_id": tenant_id})


async def change(transaction: Transaction, tenant_id: str, *, estimate: KeptEstimate, of_version: int) -> bool:
    """Bring an estimate of a version to what is given; whether it was of that version."""
    values = {f"new_{name}": getattr(estimate, name) for name in CHANGEABLE}
    return bool(await transaction.run(CHANGE, of_tenant=tenant_id, estimate=estimate.id, of_version=of_version, **values))


async def change_picture(
    transaction: Transaction, tenant_id: str, *, estimate_id: str, image: int, status: str, problem: str | None
) -> None:
    """Note how looking at a picture went."""
    given = {"of_tenant": tenant_id, "estimate": estimate_id, "at_image": image, "new_status": status, "new_problem": problem}
    await transaction.run(CHANGE_PICTURE, **given)


async def delete(transaction: Transaction, tenant_id: str, *, estimate_id: str) -> bool:
    """Delete an estimate with its pictures' rows; whether there was one."""
    return bool(await transaction.run(DELETE, of_tenant=tenant_id, estimate=estimate_id))


async def pictures_of(reading: Reading, tenant_id: str, *, estimate_id: str) -> Sequence[KeptPicture]:
    """Return an estimate's pictures, in order."""
    return [KeptPicture(*row) for row in await reading.all(PICTURES, of_tenant=tenant_id, estimate=estimate_id)]


async def contents_of_account(reading: Reading, tenant_id: str, *, account_id: str) -> set[str]:
    """Return the SHA-256 of the pictures of an account's estimates."""
    return {str(row[0]) for row in await reading.all(PICTURES_OF_ACCOUNT, of_tenant=tenant_id, account=account_id)}


async def bytes_used(reading: Reading, tenant_id: str) -> int:
    """Return the bytes of the pictures of all the tenant's estimates."""
    row = await reading.one(BYTES_USED, of_tenant=tenant_id)
    return int(row[0]) if row else 0
